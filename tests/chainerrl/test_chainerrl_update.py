"""One update of TRPO here and in ChainerRL, from equal parameters and experience.

Both agents are fed through ChainerRL's protocol.  Between their results is float32
rounding, which conjugate gradient amplifies; a step in float64 shows by how much.
"""

import copy
import types

import chainer
import chainerrl
import numpy
import pytest

import chainertrpo
from chainertrpo.numerics import flatten
from chainertrpo.updates import NaturalStep, ValueFit

pytestmark = pytest.mark.filterwarnings("ignore")  # gym's and ChainerRL's own

N_STEPS, OBS_SIZE, ACTION_SIZE = 400, 6, 3
SETTINGS = {
    "update_interval": N_STEPS,
    "gamma": 0.99,
    "lambd": 0.95,
    "max_kl": 0.01,
    "entropy_coef": 0.01,
    "conjugate_gradient_max_iter": 10,
    "conjugate_gradient_damping": 1e-1,
}
VF_EPOCHS, VF_BATCH_SIZE, VF_SEED = 3, 64, 7
# When episodes end, and whether the state is terminal; one still runs at the update.
ENDS = {70: True, 150: False, 152: True, 320: False}


class ScriptedPolicy(chainer.Chain):
    """A policy whose samples are given, so that two agents experience the same."""

    def __init__(self, policy, actions):
        super().__init__()
        self.actions = iter(actions)
        with self.init_scope():
            self.policy = policy

    def forward(self, obs):
        """The policy's distribution, with the next action as its sample."""
        dist = self.policy(obs)
        dist.sample = lambda: chainer.Variable(next(self.actions))
        return dist


class RecordingTRPO(chainerrl.agents.TRPO):
    """ChainerRL's agent; keeps what it learned from, and shuffles in a known order."""

    def _update_vf(self, dataset):
        self.dataset = dataset
        numpy.random.seed(VF_SEED)  # chainer.iterators.SerialIterator shuffles with it
        super()._update_vf(dataset)


class RecordingFit:
    """This project's value fit, likewise."""

    def __call__(self, vf, optimizer, batch, rng):
        """Fit as `ValueFit` does."""
        self.batch = batch
        rng = numpy.random.RandomState(VF_SEED)
        return ValueFit(VF_EPOCHS, VF_BATCH_SIZE)(vf, optimizer, batch, rng)


def live_alone(agent, obs, reward):
    """Feed a little more than an update to an agent in one environment."""
    last = 0.0
    for t in range(N_STEPS + 1):
        if t - 1 in ENDS:
            agent.stop_episode_and_train(obs[t], last, done=ENDS[t - 1])
            last = 0.0
        agent.act_and_train(obs[t], last)
        last = reward[t]


def live_in_two(agent, obs, reward):
    """Feed an update to an agent in two environments at once."""
    for t in range(0, N_STEPS, 2):
        agent.batch_act_and_train(obs[t : t + 2])
        ends = [ENDS.get(i) for i in (t, t + 1)]
        agent.batch_observe_and_train(
            obs[t + 2 : t + 4],
            reward[t : t + 2],
            [end is True for end in ends],
            [end is False for end in ends],
        )


def normalizer_of(library):
    """A normaliser of one library that has seen what those of the other have seen."""
    if library is None:
        return None
    normalizer = {
        "chainerrl": chainerrl.links.EmpiricalNormalization,
        "chainertrpo": chainertrpo.EmpiricalNormalization,
    }[library](OBS_SIZE, clip_threshold=5)
    rng = numpy.random.RandomState(11)
    normalizer.experience(rng.normal(1, 3, (500, OBS_SIZE)).astype("f"))
    return normalizer


def relative(x, reference):
    """‖x − reference‖ / ‖reference‖, in float64."""
    x, reference = x.astype("d"), reference.astype("d")
    return numpy.linalg.norm(x - reference) / numpy.linalg.norm(reference)


def float64_step(policy, batch):
    """The step of the policy's parameters, computed in float64."""
    policy = copy.deepcopy(policy)
    for param in policy.params():
        param.array = param.array.astype("d")
    start = flatten(policy)
    step = NaturalStep(
        max_kl=SETTINGS["max_kl"],
        entropy_coef=SETTINGS["entropy_coef"],
        cg_iterations=SETTINGS["conjugate_gradient_max_iter"],
        damping=SETTINGS["conjugate_gradient_damping"],
    )
    fields = [x.astype("d") if x.dtype.kind == "f" else x for x in batch]
    step(policy, chainertrpo.Batch(*fields))
    return flatten(policy) - start


@pytest.mark.parametrize("curvature", ["hessian", "gauss_newton"])
@pytest.mark.parametrize("live", [live_alone, live_in_two])
@pytest.mark.parametrize(
    ("links", "our_normalizer", "their_normalizer"),
    [
        ("chainerrl", None, None),
        ("chainerrl", "chainerrl", "chainerrl"),
        ("chainertrpo", None, None),
        ("chainertrpo", "chainertrpo", "chainerrl"),
    ],
)
@pytest.mark.parametrize("discrete", [True, False])
def test_one_update(
    chainerrl_policy,
    chainerrl_vf,
    discrete,
    links,
    our_normalizer,
    their_normalizer,
    live,
    curvature,
):
    # Equal networks, and the actions and rewards of both lives.
    if links == "chainerrl":
        env = types.SimpleNamespace(
            observation_space=types.SimpleNamespace(shape=(OBS_SIZE,)),
            action_space=types.SimpleNamespace(shape=(ACTION_SIZE,)),
        )
        if discrete:
            env.action_space.n = ACTION_SIZE
        policy, vf = chainerrl_policy(env), chainerrl_vf(env)[0]
    else:
        build = chainertrpo.SoftmaxPolicy if discrete else chainertrpo.GaussianPolicy
        policy = build(OBS_SIZE, ACTION_SIZE, (16, 16), seed=0)
        vf = chainertrpo.ValueFunction(OBS_SIZE, (16, 16), seed=0)
    rng = numpy.random.RandomState(0)
    n = N_STEPS + 2
    obs = rng.normal(1, 2, (n, OBS_SIZE)).astype("f")
    reward = rng.standard_normal(n)
    if discrete:
        actions = rng.randint(ACTION_SIZE, size=n).astype("i")
    else:
        actions = rng.standard_normal((n, ACTION_SIZE)).astype("f")
    actions = numpy.split(actions, n if live is live_alone else n // 2)

    def agent_after_a_life(cls, normalizer, **settings):
        my_vf = copy.deepcopy(vf)
        agent = cls(
            ScriptedPolicy(copy.deepcopy(policy), actions),
            my_vf,
            chainer.optimizers.Adam().setup(my_vf),
            normalizer_of(normalizer),
            **SETTINGS,
            **settings,
        )
        live(agent, obs, reward)
        return agent

    fit = RecordingFit()
    ours = agent_after_a_life(
        chainertrpo.TRPO, our_normalizer, curvature=curvature, fit=fit
    )
    theirs = agent_after_a_life(
        RecordingTRPO,
        their_normalizer,
        vf_epochs=VF_EPOCHS,
        vf_batch_size=VF_BATCH_SIZE,
    )
    assert ours.n_updates == 1
    assert ours.last_step.accepted

    # What they learned from, in the same order.
    action, log_prob, adv, v_teacher = (
        numpy.array([transition[name] for transition in theirs.dataset])
        for name in ("action", "log_prob", "adv", "v_teacher")
    )
    adv = (adv - adv.mean()) / (adv.std() + 1e-8)
    numpy.testing.assert_array_equal(fit.batch.action, action)
    assert relative(fit.batch.log_prob, log_prob) < 1e-6
    assert relative(fit.batch.advantage, adv) < 1e-6
    assert relative(fit.batch.value_target, v_teacher) < 1e-6

    # What they learned.
    start = flatten(policy)
    step, their_step = (flatten(agent.policy.policy) - start for agent in (ours, theirs))
    exact = float64_step(policy, fit.batch)
    start = flatten(vf)
    vf_step, their_vf_step = (flatten(agent.vf) - start for agent in (ours, theirs))
    between = relative(step, their_step)
    error, floor = relative(step, exact), relative(their_step, exact)
    print(
        f"policy: {between:.1e} from ChainerRL, {error:.1e} from float64 (ChainerRL "
        f"{floor:.1e}); value function: {relative(vf_step, their_vf_step):.1e}"
    )
    assert floor < 1e-2
    assert between < 2 * floor + 2e-6
    assert error < 2 * floor + 2e-6
    assert relative(vf_step, their_vf_step) < 1e-5

    # KL divergence, step size and explained variance; the others' windows differ.
    numpy.testing.assert_allclose(
        [value for _, value in ours.get_statistics()[2:]],
        [value for _, value in theirs.get_statistics()[2:]],
        rtol=1e-3,
        atol=1e-6,
    )
