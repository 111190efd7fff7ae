"""One update of TRPO here and in ChainerRL, from equal parameters and experience.

Both agents are fed through ChainerRL's protocol.  What is left is rounding: both hold
advantages in float32, and conjugate gradient amplifies the rounding of float32 products
up to a thousand times, so policies in float64 are compared too.
"""

import copy

import chainertrpo
from chainertrpo.numerics import flatten
from chainertrpo.updates import ValueFit

import chainer
import numpy
import pytest
from chainerrl_parts import chainerrl, make_policy, make_vf

pytestmark = pytest.mark.filterwarnings("ignore")  # gym's and ChainerRL's own

N_STEPS, OBS_SIZE, ACTION_SIZE = 400, 6, 3
SETTINGS = {
    "update_interval": N_STEPS,
    "gamma": 0.99,
    "lambd": 0.95,
    "conjugate_gradient_damping": 1e-1,
}
VF_EPOCHS, VF_BATCH_SIZE, VF_SEED = 3, 64, 7
# Measured: a median of 1e-6 and at most 6e-4 in float32, at most 3e-7 in float64.
STEP_TOLERANCE = {"float32": 5e-3, "float64": 2e-6}
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
        dist = self.policy(obs.astype(next(self.params()).dtype))
        dist.sample = lambda: chainer.Variable(next(self.actions))
        return dist


class RecordingTRPO(chainerrl.agents.TRPO):
    """ChainerRL's agent; keeps what it learned from, and shuffles in a known order."""

    def _update_vf(self, dataset):
        self.dataset = dataset
        numpy.random.seed(VF_SEED)  # noqa: NPY002  (SerialIterator shuffles with it)
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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("live", "curvature"), [(live_alone, "hessian"), (live_in_two, "gauss_newton")]
)
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
    discrete, links, our_normalizer, their_normalizer, live, curvature, dtype
):
    # Equal networks, and the actions and rewards of both lives.
    chainerrl.misc.set_random_seed(0)
    if links == "chainerrl":
        policy, vf = make_policy(OBS_SIZE, ACTION_SIZE, discrete), make_vf(OBS_SIZE)
    else:
        build = chainertrpo.SoftmaxPolicy if discrete else chainertrpo.GaussianPolicy
        policy = build(OBS_SIZE, ACTION_SIZE, (16, 16), seed=0)
        vf = chainertrpo.ValueFunction(OBS_SIZE, (16, 16), seed=0)
    for param in policy.params():
        param.array = param.array.astype(dtype)
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
        chainertrpo.TRPO, our_normalizer, curvature=curvature, value_step=fit
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
    start, start_vf = flatten(policy), flatten(vf)
    steps = [flatten(agent.policy.policy) - start for agent in (ours, theirs)]
    vf_steps = [flatten(agent.vf) - start_vf for agent in (ours, theirs)]
    print(f"policy {relative(*steps):.1e}, value function {relative(*vf_steps):.1e}")
    assert relative(*steps) < STEP_TOLERANCE[dtype]
    assert relative(*vf_steps) < 1e-5

    # KL divergence, step size and explained variance; the others' windows differ.
    numpy.testing.assert_allclose(
        [value for _, value in ours.get_statistics()[2:]],
        [value for _, value in theirs.get_statistics()[2:]],
        rtol=2 * STEP_TOLERANCE[dtype],
        atol=1e-6,
    )
