"""One update of PPO here and in ChainerRL, from equal parameters and experience."""

import copy

import chainertrpo
from chainertrpo.numerics import flatten

import chainer
import numpy
import pytest
from chainerrl_parts import chainerrl, make_policy, make_vf
from test_chainerrl_update import (
    ACTION_SIZE,
    N_STEPS,
    OBS_SIZE,
    ScriptedPolicy,
    live_alone,
    normalizer_of,
    relative,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # gym's and ChainerRL's own
SEED = 7


class RecordingPPO(chainerrl.agents.PPO):
    """ChainerRL's agent; shuffles in a known order."""

    def _update(self, dataset):
        numpy.random.seed(SEED)  # noqa: NPY002  (SerialIterator shuffles with it)
        super()._update(dataset)


@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("clip_eps_vf", [None, 0.05])
@pytest.mark.parametrize("normalized", [False, True])
def test_an_update_is_chainerrls(discrete, clip_eps_vf, normalized):
    """Models, losses and optimisers alike after 10 epochs of minibatches, float32."""
    rng = numpy.random.RandomState(3)
    policy, vf = make_policy(OBS_SIZE, ACTION_SIZE, discrete), make_vf(OBS_SIZE)
    obs = rng.normal(1, 3, (N_STEPS + 2, OBS_SIZE)).astype("f")
    reward = rng.normal(size=N_STEPS + 2)
    shape = (N_STEPS + 2, 1) if discrete else (N_STEPS + 2, 1, ACTION_SIZE)
    actions = (
        rng.randint(ACTION_SIZE, size=shape).astype("i")
        if discrete
        else rng.normal(size=shape).astype("f")
    )
    agents = []
    for cls, library in (
        (RecordingPPO, "chainerrl"),
        (chainertrpo.PPO, "chainertrpo"),
    ):
        model = chainerrl.links.Branched(
            ScriptedPolicy(copy.deepcopy(policy), actions), copy.deepcopy(vf)
        )
        optimizer = chainer.optimizers.Adam(3e-4, eps=1e-5).setup(model)
        agent = cls(
            model,
            optimizer,
            normalizer_of(library if normalized else None),
            update_interval=N_STEPS,
            clip_eps_vf=clip_eps_vf,
        )
        agent._streams = {
            **getattr(agent, "_streams", {}),
            "fit": numpy.random.RandomState(SEED),
        }
        live_alone(agent, obs, reward)
        agents.append(agent)
    theirs, ours = agents
    before = flatten(chainerrl.links.Branched(ScriptedPolicy(policy, ()), vf))
    steps = [flatten(agent.model) - before for agent in agents]
    assert relative(steps[1], steps[0]) < 1e-3  # float32, 63 steps of Adam
    stats = [dict(agent.get_statistics()) for agent in agents]
    assert list(stats[0]) == list(stats[1])
    assert stats[0]["n_updates"] == stats[1]["n_updates"] == 63
    for name in ("average_value_loss", "average_policy_loss", "explained_variance"):
        assert stats[1][name] == pytest.approx(stats[0][name], rel=1e-3, abs=1e-5)
