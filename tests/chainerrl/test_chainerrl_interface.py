"""The constructor, statistics, links and files that ChainerRL's users know."""

import inspect

import chainertrpo

import chainer
import numpy
import pytest
from chainerrl_parts import ABC, chainerrl, make_agent

pytestmark = pytest.mark.filterwarnings("ignore")  # gym's and ChainerRL's own

train_agent_with_evaluation = chainerrl.experiments.train_agent_with_evaluation
# ChainerRL's defaults are a function each and a logger; here None stands for them.
NONE_BY_DESIGN = {"phi", "batch_states", "logger"}


@pytest.fixture(autouse=True)
def _seed():
    chainerrl.misc.set_random_seed(0)


def test_constructor():
    theirs = list(inspect.signature(chainerrl.agents.TRPO).parameters.values())
    ours = list(inspect.signature(chainertrpo.TRPO).parameters.values())
    assert [p.name for p in ours[: len(theirs)]] == [p.name for p in theirs]
    assert [p.kind for p in ours[: len(theirs)]] == [p.kind for p in theirs]
    assert {p.kind for p in ours[len(theirs) :]} == {inspect.Parameter.KEYWORD_ONLY}
    different = [
        (mine, other)
        for mine, other in zip(ours, theirs)
        if not (mine.default is other.default or mine.default == other.default)
    ]
    assert {mine.name for mine, _ in different} == NONE_BY_DESIGN
    assert all(mine.default is None for mine, _ in different)


def test_statistics():
    names = [
        [name for name, _ in make_agent(cls, ABC()).get_statistics()]
        for cls in (chainertrpo.TRPO, chainerrl.agents.TRPO)
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize("curvature", ["hessian", "gauss_newton"])
@pytest.mark.parametrize("discrete", [True, False])
def test_links_of_chainerrl(tmp_path, discrete, curvature):
    env = ABC(discrete=discrete)
    agent = make_agent(chainertrpo.TRPO, env, curvature=curvature)
    before = chainertrpo.numerics.flatten(agent.policy)
    reasons = []

    def note_updates(env, agent, step):
        if agent.n_updates > len(reasons):
            reasons.append(agent.last_step.reason)

    train_agent_with_evaluation(
        agent, env, 260, None, 3, 100, str(tmp_path), step_hooks=[note_updates]
    )
    assert reasons == ["accepted"] * 4
    assert (chainertrpo.numerics.flatten(agent.policy) != before).any()
    assert agent.obs_normalizer.count == 4 * 64


@pytest.mark.parametrize("discrete", [True, False])
def test_saved_files_are_chainers(tmp_path, discrete):
    env = ABC(discrete=discrete)
    agent = make_agent(chainertrpo.TRPO, env)
    train_agent_with_evaluation(agent, env, 200, None, 3, 100, str(tmp_path))
    folder = tmp_path / "200_finish"

    fresh = make_agent(chainertrpo.TRPO, env)
    for name in agent.saved_attributes:
        chainer.serializers.load_npz(str(folder / f"{name}.npz"), getattr(fresh, name))
    assert_same_state(fresh, agent)

    other = make_agent(chainerrl.agents.TRPO, env)
    other.load(str(folder))
    assert_same_state(other, agent)


def assert_same_state(agent, expected):
    """Equal parameters, optimiser states and running moments."""
    for name in chainertrpo.TRPO.saved_attributes:
        states = []
        for x in (agent, expected):
            serializer = chainer.serializers.DictionarySerializer()
            serializer.save(getattr(x, name))
            states.append(serializer.target)
        got, want = states
        assert got.keys() == want.keys()
        for key, value in want.items():
            numpy.testing.assert_array_equal(got[key], value, err_msg=f"{name} {key}")
