"""ChainerRL's recurrent links as policies and value functions of our agents."""

from chainertrpo import PPO, TRPO, GaussianPolicy, ValueFunction
from chainertrpo.agents import clone_expert
from chainertrpo.chainerrl import links, policies
from chainertrpo.data import Demonstrations, Episode, environment_header
from chainertrpo.experiments.acting_together import Together
from chainertrpo.experiments.episodes import STATE_SIZE
from chainertrpo.numerics import flatten
from chainertrpo.policies import carry_size
from chainertrpo.policies.sequences import run, states
from chainertrpo.updates import Cloning, NaturalFit

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
import pytest
from protocol import drive
from worlds import Point

LENGTHS = [3, 5, 1]
STARTS = np.array([0, 3, 8])


def sequential(n_in, n_out, *head, core=L.NStepGRU, layers=1, width=5):
    return links.StatelessRecurrentSequential(
        L.Linear(n_in, 4),
        F.tanh,
        core(layers, 4, width, 0.0),
        L.Linear(width, n_out),
        *head,
    )


def gaussian(**more):
    head = policies.GaussianHeadWithStateIndependentCovariance(
        1, "diagonal", lambda x: F.exp(2 * x)
    )
    return sequential(2, 1, head, **more)


def trpo(update_interval=20, policy=None, vf=None, **more):
    np.random.seed(0)  # noqa: NPY002  (Chainer's initialisers)
    policy, vf = policy or gaussian(core=L.NStepLSTM), vf or sequential(2, 1)
    optimizer = chainer.optimizers.Adam().setup(vf)
    more = {"recurrent": True, "seed": 0, **more}
    return TRPO(policy, vf, optimizer, update_interval=update_interval, **more)


def ppo(**more):
    model = links.StatelessRecurrentBranched(gaussian(), sequential(2, 1))
    optimizer = chainer.optimizers.Adam().setup(model)
    more = {"update_interval": 20, "epochs": 2, "seed": 0, **more}
    return PPO(model, optimizer, recurrent=True, **more)


def tree(state):
    """The arrays of a recurrent state, whatever it is made of."""
    if isinstance(state, (tuple, list)):
        return [x for part in state for x in tree(part)]
    return [chainer.as_array(state)]


CORES = [
    (L.NStepGRU, 1),
    (L.NStepGRU, 2),
    (L.NStepLSTM, 1),
    (L.NStepLSTM, 2),
    (L.NStepRNNTanh, 1),
    (L.NStepRNNReLU, 1),
]


@pytest.mark.parametrize("core, layers", CORES, ids=lambda x: getattr(x, "__name__", x))
def test_a_carry_is_the_recurrent_state(core, layers):
    """Sequence by sequence and row by row, as the link itself says it."""
    rng = np.random.default_rng(0)
    link = sequential(3, 2, core=core, layers=layers)
    obs = rng.standard_normal((9, 3)).astype("f")
    size = layers * 5 * (2 if core is L.NStepLSTM else 1)
    assert carry_size(link) == size
    carry = np.zeros((3, size), "f")
    out, after = run(link, obs, carry, STARTS)
    rows = states(link, obs, carry, STARTS)
    for k, (start, n) in enumerate(zip(STARTS, LENGTHS)):
        state, own = None, obs[start : start + n]
        for t, row in enumerate(own):
            y, state = link(row[None], state)
            assert np.allclose(y.array, out.array[start + t], atol=1e-6)
            flat = np.concatenate([x[:, 0].ravel() for x in tree(state)])
            assert np.allclose(rows[start + t], flat, atol=1e-6)
        assert np.allclose(after[k], flat, atol=1e-6) and flat.any()
    # From the middle on.
    middle, _ = run(link, obs[5:8], rows[4:5], np.array([0]))
    assert np.allclose(middle.array, out.array[5:8], atol=1e-6)
    assert not np.allclose(
        run(link, obs[5:8], carry[:1], np.array([0]))[0].array,
        out.array[5:8],
        atol=1e-3,
    )


def test_outputs_of_sequences_apart_and_together():
    model = links.StatelessRecurrentBranched(gaussian(), sequential(2, 1))
    rows = np.random.default_rng(0).standard_normal((9, 2)).astype("f")
    sequences = np.split(rows, STARTS[1:])
    _, vf = model
    together, state = vf.n_step_forward(sequences, None, output_mode="concat")
    apart, again = vf.n_step_forward(sequences, None, output_mode="split")
    assert [len(x) for x in apart] == LENGTHS
    assert np.array_equal(np.concatenate([x.array for x in apart]), together.array)
    assert all(map(np.array_equal, tree(state), tree(again)))
    (dist, value), state = model.n_step_forward(sequences, None, output_mode="concat")
    assert np.array_equal(value.array, together.array) and len(state) == 2
    assert dist.mean.shape == (9, 1) and carry_size(model) == 10


def test_what_is_remembered_is_in_paths():
    """Zero at an episode's start; it goes on over the cut of a batch, V's beside π's."""
    agent, paths = trpo(25), []
    agent.update = paths.extend
    drive(agent, Point(10), 51)
    assert [len(p.reward) for p in paths] == [10, 10, 5, 5, 10, 10]
    for i, path in enumerate(paths):
        assert path.carry.shape == (10 + 5,)
        assert path.carry.any() == (i == 3)
    cut, on = paths[2], paths[3]
    for link, columns in ((agent.policy, slice(0, 10)), (agent.vf, slice(10, 15))):
        zero = np.zeros((1, columns.stop - columns.start), "f")
        _, after = run(link, cut.obs[:-1], zero, np.array([0]))
        assert np.allclose(on.carry[columns], after[0], atol=1e-6)


@pytest.mark.parametrize("make", [trpo, ppo])
def test_a_batch_says_what_acting_said(make):
    agent, paths = make(), []
    agent.update = paths.extend
    drive(agent, Point(6), 61)
    paths = paths[2:]
    batch, _ = agent.batch(paths)
    start = 0
    for path in paths:
        n = len(path.reward)
        together = make is ppo
        size = carry_size(agent.policy)
        before = path.carry[None] if together else path.carry[None, size:]
        v, _ = run(agent.vf, path.obs, before, np.array([0]))
        rows = slice(start, start + n)
        assert np.allclose(batch.value[rows], v.array[:-1, 0], atol=1e-5)
        dist, _ = run(
            agent.policy, path.obs[:-1], path.carry[None, :size], np.array([0])
        )
        expected = dist.log_prob(path.action).array
        assert np.allclose(batch.log_prob[rows], expected, atol=1e-5)
        start += n
    # A piece goes on with what was in mind there.
    seen = batch.for_values()
    assert seen.obs is batch.obs and seen.carry.shape == (len(paths), before.shape[1])
    assert np.allclose(seen.hidden[seen.starts], seen.carry)


@pytest.mark.parametrize(
    "make",
    [
        trpo,
        lambda: trpo(max_recurrent_sequence_len=4),
        lambda: trpo(curvature="gauss_newton"),
        lambda: trpo(vf=ValueFunction(2 + 10, (4,), seed=0)),
        lambda: trpo(vf=links.StatelessRecurrentSequential(L.Linear(2, 1))),
        ppo,
        lambda: ppo(max_recurrent_sequence_len=4, minibatch_size=8),
    ],
    ids=["trpo", "pieces", "gn", "our-values", "no-memory", "ppo", "ppo-pieces"],
)
def test_updates_move_what_they_should(make, tmp_path):
    agent = make()
    before = flatten(agent.policy).copy(), flatten(agent.vf).copy()
    drive(agent, Point(7), 45)
    assert agent.n_updates == 2 and agent.last_step.accepted
    after = flatten(agent.policy), flatten(agent.vf)
    for then, now in zip(before, after):
        moved = then != now
        assert moved.mean() > 0.9 and np.isfinite(now).all()
    agent.save(tmp_path)
    other = make()
    other.load(tmp_path)
    other.act_deterministically = agent.act_deterministically = True
    agent.stop_episode()
    for _ in range(3):
        obs = np.ones(2, "f")
        assert np.array_equal(agent.act(obs), other.act(obs))


def test_the_gradient_of_values_in_pieces_is_that_of_whole_paths():
    """A minibatch's V is the same wherever paths are cut, if it begins as it was."""
    from chainertrpo.data.pieces import runs

    agent, paths = trpo(), []
    agent.update = paths.extend
    drive(agent, Point(10), 41)
    batch = agent.batch(paths)[0].for_values()
    found = {}
    for part in runs(batch, 7, 1, np.random.default_rng(0)):
        v, _ = run(agent.vf, part.obs, part.carry, part.starts)
        for row, value in zip(part.obs, v.array[:, 0]):
            found[row.tobytes()] = value
    whole, _ = run(agent.vf, batch.obs, batch.carry, batch.starts)
    assert len(found) == len(batch.obs)
    for row, value in zip(batch.obs, whole.array[:, 0]):
        assert np.isclose(found[row.tobytes()], value, atol=1e-5)


def test_workers_and_the_batch_protocol_remember():
    agent = trpo(1000)
    envs = [Point(5, seed=0), Point(50, seed=1)]
    obs = [env.reset() for env in envs]
    for t in range(5):
        actions = agent.batch_act_and_train(obs)
        obs, rewards, dones, _ = zip(*[e.step(a) for e, a in zip(envs, actions)])
        agent.batch_observe_and_train(obs, rewards, dones, [t == 4, False])
    now = agent._carries.now
    assert now.shape == (2, 15) and not now[0].any() and now[1].all()
    state = np.zeros(STATE_SIZE)
    together = Together(make_point, 0, [0, 1], 2, state)
    together.restart(0)
    results = together.collect(agent.actor(), [12, 12], keep=True)
    for one, _, kept in results:
        assert sum(len(path.reward) for path in one) == 12
        assert not one[0].carry.any()
        assert kept[0]["carry"].shape == (15,)


def make_point(seed):
    return Point(10, seed=seed)


def test_a_recurrent_link_clones_an_expert():
    rng = np.random.default_rng(0)
    episodes = []
    for _ in range(6):
        obs = rng.standard_normal((9, 2)).astype("f")
        action = np.concatenate([np.zeros((1, 1), "f"), obs[:7, :1]])
        episodes.append(Episode(obs, action, np.zeros(8, "f"), True, False))
    demonstrations = Demonstrations(episodes, environment_header(Point()))
    agent = trpo()
    first = clone_expert(agent, demonstrations, Cloning(epochs=1), learning_rate=1e-2)
    last = clone_expert(agent, demonstrations, Cloning(epochs=60), learning_rate=1e-2)
    assert last.loss < first.loss - 0.2


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match="takes sequences beside a vf"):
        trpo(policy=GaussianPolicy(2, 2, (4,), core="gru", core_size=3))
    with pytest.raises(ValueError, match="ValueFit.*NaturalFit"):
        trpo(value_step=NaturalFit())
    with pytest.raises(ValueError, match="n_step_forward and recurrent_children"):
        trpo(policy=GaussianPolicy(2, 2), vf=ValueFunction(2))

    class Other(links.StatelessRecurrent, chainer.Chain):
        def n_step_forward(self, sequences, recurrent_state, output_mode):
            raise NotImplementedError

    with pytest.raises(ValueError, match="Other.*StatelessRecurrentSequential"):
        trpo(policy=Other())
    agent = trpo()
    with pytest.raises(ValueError, match="no mask.*core='gru'"):
        agent.act(np.ones(2, "f"), mask=np.ones(2, bool))
    with pytest.raises(ValueError, match="actor.carry"):
        agent.actor().sample(np.ones(2, "f"), np.random.default_rng(0))
