"""Record updates of ChainerRL 0.8's TRPO with ``recurrent=True``, in float64.

make record-chainerrl
"""

import random

import chainer
import chainer.functions as F
import chainer.links as L
import numpy
from record_chainerrl import (
    NORMALIZED,
    PACKAGES,
    TRPO,
    chainerrl,
    compute_in_double,
    log_std,
    seen,
)
from recording import (
    ACTION_SIZE,
    FOLDER,
    HIDDEN,
    OBS_SIZE,
    episodes,
    experience,
    shaken,
    write,
)

WIDTH = 6
N_ACTIONS = 3
LENGTHS = (12, 20, 8, 24)  # of 60, 100, 40, 56: double backprop takes its time
VF_BATCH = (
    16  # divides the steps: ChainerRL's minibatches of sequences have to come out
)


def gru():
    """A Gaussian behind a GRU, and a V without memory."""
    head = chainerrl.policies.GaussianHeadWithStateIndependentCovariance(
        ACTION_SIZE, "diagonal", log_std
    )
    build = chainerrl.links.StatelessRecurrentSequential
    policy = build(
        L.Linear(OBS_SIZE, HIDDEN),
        F.tanh,
        L.NStepGRU(1, HIDDEN, WIDTH, 0),
        L.Linear(WIDTH, ACTION_SIZE),
        head,
    )
    vf = build(L.Linear(OBS_SIZE, HIDDEN), F.tanh, L.Linear(HIDDEN, 1))
    return policy, vf


def lstm():
    """Two layers of LSTM to a softmax, and a V that remembers by a GRU."""
    build = chainerrl.links.StatelessRecurrentSequential
    policy = build(
        L.NStepLSTM(2, OBS_SIZE, WIDTH, 0),
        L.Linear(WIDTH, N_ACTIONS),
        chainerrl.distribution.SoftmaxDistribution,
    )
    vf = build(L.NStepGRU(1, OBS_SIZE, WIDTH, 0), L.Linear(WIDTH, 1))
    return policy, vf


def short(data):
    """The first steps of each path of an experience."""
    steps = numpy.cumsum([0, *data["lengths"][:-1]])
    found = {"lengths": numpy.array(LENGTHS), "terminal": data["terminal"]}
    for name in ("obs", "action", "reward"):
        one = int(name == "obs")
        pieces = [
            data[name][first + i * one : first + i * one + n + one]
            for i, (first, n) in enumerate(zip(steps, LENGTHS))
        ]
        found[name] = numpy.concatenate(pieces)
    return found


def arrays_of(link):
    """Under the link's own names."""
    return {name[1:]: x.array.copy() for name, x in link.namedparams()}


def with_states(agent, data):
    """The transitions with the states that acting would have left in them.

    The first episode goes on where another stood: its state is not zero.
    """
    found = episodes(data)
    carry, rng = [], numpy.random.RandomState(3)
    for i, episode in enumerate(found):
        state = None
        for t, transition in enumerate(episode):
            obs = transition["state"][None]
            if agent.obs_normalizer:
                obs = agent.obs_normalizer(obs, update=False)
            with chainer.no_backprop_mode():
                if i == t == 0:  # something to begin with
                    before = rng.normal(0, 2, (3, OBS_SIZE))
                    for row in before:
                        _, state = agent.model(row[None], state)
                transition["recurrent_state"] = agent.model.get_recurrent_state_at(
                    state, 0, unwrap_variable=True
                )
                _, state = agent.model(obs, state)
            transition["next_recurrent_state"] = agent.model.get_recurrent_state_at(
                state, 0, unwrap_variable=True
            )
        carry.append(flat(episode[0]["recurrent_state"], agent))
    return found, numpy.array(carry)


def flat(state, agent):
    """A recurrent state as one row: zero where nothing was yet."""
    if state is None or all(part is None for part in state):
        _, state = agent.model(numpy.zeros((1, OBS_SIZE)), None)
        state = agent.model.get_recurrent_state_at(state, 0, unwrap_variable=True)
        return 0 * flat(state, agent)
    return numpy.concatenate([x.ravel() for x in leaves(state)] + [numpy.zeros(0)])


def leaves(state):
    if isinstance(state, (tuple, list)):
        return [x for part in state for x in leaves(part)]
    return [state]


def record(name, build, settings, n_actions=None):
    numpy.random.seed(1)  # noqa: NPY002  (Chainer's initialisers)
    data = short(experience(n_actions=n_actions))
    policy, vf = build()
    rng = numpy.random.RandomState(1)
    for link in (policy, vf):
        for _, param in sorted(link.namedparams()):
            param.array = shaken(param.array, rng).astype("d")
    normalizer = chainerrl.links.EmpiricalNormalization(
        OBS_SIZE, dtype="d", **NORMALIZED["reproduction"]
    )
    normalizer.experience(seen("d"))
    agent = chainerrl.agents.TRPO(
        policy,
        vf,
        chainer.optimizers.Adam().setup(vf),
        normalizer,
        update_interval=sum(LENGTHS),
        recurrent=True,
        vf_batch_size=VF_BATCH,
        **settings,
    )
    before = {"policy": arrays_of(policy), "vf": arrays_of(vf)}
    names = ("_mean", "_var", "count")
    given = {x: numpy.array(getattr(normalizer, x)) for x in names}
    agent.memory, carry = with_states(agent, data)
    orders, real = [], random.shuffle

    def shuffle(dataset):
        """Note which sequence comes when."""
        first = [sequence[0]["index"] for sequence in dataset]
        real(dataset)
        now = [sequence[0]["index"] for sequence in dataset]
        orders.append(numpy.searchsorted(sorted(first), now))

    random.seed(0)
    random.shuffle = shuffle
    try:
        agent._update_if_dataset_is_ready()
    finally:
        random.shuffle = real
    assert agent.policy_step_size_record[-1] > 0
    after = {"policy": arrays_of(policy), "vf": arrays_of(vf)}
    write(
        name,
        {**data, "carry": carry},
        before,
        after,
        PACKAGES,
        given={"normalizer": given},
        order={"vf": {f"{i:02d}": x for i, x in enumerate(orders)}},
        folder=FOLDER / "recurrent",
    )


if __name__ == "__main__":
    compute_in_double()
    double = chainerrl.agents.trpo.np
    chainerrl.links.stateless_recurrent.np = double
    # A check that walks every way through the graph: 2ⁿ of them in n steps of a GRU.
    chainerrl.agents.trpo._find_old_style_function = lambda outputs: []
    record("gru", gru, TRPO)
    record("lstm", lstm, {**TRPO, "max_recurrent_sequence_len": 7}, N_ACTIONS)
