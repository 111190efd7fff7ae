"""What an earlier release left: its names in code, its settings and its files.

fixtures/earlier has what the release before the steps had five values wrote: runs'
config.json, agents that it saved, and in numbers.json what these said then, and again
after one more update.
"""

import json
import pathlib
import shutil
import types
import warnings

from chainertrpo import make_agent, settings_of
from chainertrpo._renamed import (
    renamed_arguments,
    renamed_attribute,
    renamed_function,
)
from chainertrpo.agents import make_gail_agent
from chainertrpo.agents.storage import RENAMED, arrays_of
from chainertrpo.data import BadFileError, Path, read_json, read_npz
from chainertrpo.experiments import make_env
from chainertrpo.experiments.recording import record_episodes
from chainertrpo.updates import CG, Curvature

import chainer
import numpy as np
import pytest

EARLIER = pathlib.Path(__file__).parent / "fixtures" / "earlier"
AGENTS = sorted(path.parent.name for path in EARLIER.glob("*/numbers.json"))

# Names in code


class Thing:
    """With an attribute, an argument and a function of new names."""

    old = renamed_attribute("old", "new")

    @renamed_arguments(old="new", was="now")
    def __init__(self, new=None, *, now=0):
        self.new, self.now = new, now

    def called(self, x, y=0):
        """Doubles, and adds."""
        return 2 * x + y

    cried = renamed_function("cried", called)


def test_an_old_attribute_reads_and_writes_the_new_one():
    thing = Thing(1)
    with pytest.warns(DeprecationWarning, match="^Thing.old is now new; the old") as at:
        assert thing.old == 1
    with pytest.warns(DeprecationWarning, match="^Thing.old is now new"):
        thing.old = 2
    assert thing.new == 2 and vars(thing) == {"new": 2, "now": 0}
    assert at[0].filename == __file__
    with pytest.raises(AttributeError), pytest.warns(DeprecationWarning):
        del thing.new
        thing.old  # noqa: B018


def test_old_arguments_are_passed_on():
    with pytest.warns(DeprecationWarning) as at:
        thing = Thing(old=1, was=2)
    assert (thing.new, thing.now) == (1, 2)
    assert [str(x.message).split(";")[0] for x in at] == [
        "old is now new",
        "was is now now",
    ]
    assert {x.filename for x in at} == {__file__}
    with pytest.raises(TypeError, match="old and new are the same; give new only"):
        Thing(old=1, new=2)
    with pytest.raises(TypeError, match="multiple values"), pytest.warns(
        DeprecationWarning
    ):
        Thing(1, old=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Thing(1, now=3).now == 3


def test_an_old_function_is_the_new_one():
    with pytest.warns(DeprecationWarning, match="^cried is now called") as at:
        assert Thing().cried(2, y=1) == Thing().called(2, y=1) == 5
    assert at[0].filename == __file__
    assert (
        Thing.cried.__name__ == "cried" and Thing.cried.__doc__ == Thing.called.__doc__
    )


# Files


def spaces_of(numbers):
    """Of the environment that an agent was made for."""
    action = numbers["spaces"]["action"]
    obs_space = types.SimpleNamespace(shape=(numbers["spaces"]["obs"],))
    if action["kind"] == "Discrete":
        return obs_space, types.SimpleNamespace(n=action["n"])
    low, high = np.float32(action["low"]), np.float32(action["high"])
    return obs_space, types.SimpleNamespace(shape=low.shape, low=low, high=high)


def build(name, seed=9):
    """An agent of today from the settings of then, other weights, and the numbers."""
    numbers = read_json(EARLIER / name / "numbers.json")
    settings = read_json(EARLIER / name / "config.json")["settings"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # files are read without a word
        agent = make_agent(*spaces_of(numbers), settings_of(settings), seed=seed)
    agent.act_deterministically = True
    return agent, numbers


def paths_of(numbers, seed=5):
    """The paths of the update after the agent was saved."""
    rng, n_obs = np.random.RandomState(seed), numbers["spaces"]["obs"]
    n_actions, found = numbers["spaces"]["action"].get("n"), []
    for i, n in enumerate((17, 23)):
        if n_actions is None:
            action = rng.standard_normal((n, 2)).astype("f")
        else:
            action = rng.randint(n_actions, size=n).astype("i")
        obs = (2 * rng.standard_normal((n + 1, n_obs)) + 1).astype("f")
        reward = (100 + 30 * rng.standard_normal(n)).astype("f")
        found.append(Path(obs, action, reward, terminal=bool(i % 2)))
    return found


def says_what_it_said(agent, obs, told, rtol):
    x = agent.obs_normalizer(obs, update=False)
    with chainer.no_backprop_mode():
        entropy, value = agent.policy(x).entropy.array, agent.vf(x).array[:, 0]
    # Some actions are nearly 0, of a policy whose σ is about 1.
    actions = [agent.act(one) for one in obs]
    np.testing.assert_allclose(actions, told["action"], rtol, 1e-6)
    np.testing.assert_allclose(value, told["value"], rtol, 1e-6)
    np.testing.assert_allclose(entropy, told["entropy"], rtol)
    assert getattr(agent, "beta", None) == told.get("beta")


def test_what_there_is():
    assert AGENTS == ["bound-mean", "cartpole", "penalty", "ppo", "scaled"]
    sizes = [path.stat().st_size for path in EARLIER.rglob("*") if path.is_file()]
    assert sum(sizes) < 60_000
    for path in EARLIER.glob("*/config.json"):
        assert "step" in read_json(path)["settings"]  # of then
    assert read_json(EARLIER / "penalty" / "numbers.json")["saved"]["beta"] == 0.25


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_of_then_is_that_agent_now(name, tmp_path):
    agent, numbers = build(name)
    obs = np.float32(numbers["obs"])
    with pytest.raises(AssertionError):
        says_what_it_said(agent, obs, numbers["saved"], 1e-5)
    agent.load(EARLIER / name / "agent")
    says_what_it_said(agent, obs, numbers["saved"], 1e-5)
    # Saved anew it has today's names.
    agent.save(tmp_path)
    other, _ = build(name, seed=10)
    other.load(tmp_path, to_act=True)
    assert all(np.array_equal(agent.act(x), other.act(x)) for x in obs)
    for file in tmp_path.glob("*.npz"):
        assert not {x.rpartition("/")[2] for x in read_npz(file)} & RENAMED.keys()
    # Optimisers and normaliser too: an update goes where it went.
    agent._streams["fit"] = np.random.default_rng(3)
    agent.update(paths_of(numbers))
    assert agent.last_step.reason == numbers["updated"]["reason"] == "accepted"
    says_what_it_said(agent, obs, numbers["updated"], 1e-3)


@pytest.mark.parametrize("name", ["scaled", "bound-mean"])
def test_persistents_of_then_are_read_by_their_names_of_now(name, tmp_path):
    saved = EARLIER / name / "agent"
    then = read_npz(saved / "policy.npz")
    assert {"middle", "reach"} < then.keys()
    agent, _ = build(name)
    agent.policy.loc[...] = agent.policy.half_range[...] = 7
    agent.load(saved, to_act=True)
    assert arrays_of(agent.policy).keys() == {RENAMED.get(k, k) for k in then}
    np.testing.assert_array_equal(agent.policy.loc, then["middle"])
    np.testing.assert_array_equal(agent.policy.half_range, then["reach"])
    np.testing.assert_array_equal(agent.policy.loc, [0.5, 1.0])
    np.testing.assert_array_equal(agent.policy.half_range, [1.0, 2.0])


def rewrite(folder, change):
    """Change the arrays of a policy, and make the checksum fit."""
    import hashlib

    arrays = read_npz(folder / "policy.npz")
    change(arrays)
    np.savez(folder / "policy.npz", **arrays)
    manifest = json.loads((folder / "agent.json").read_text())
    digest = hashlib.sha256((folder / "policy.npz").read_bytes()).hexdigest()
    manifest["sha256"]["policy.npz"] = digest
    (folder / "agent.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda x: x.update(loc=x["middle"]), "not expected: middle"),
        (lambda x: x.pop("reach"), "Missing: half_range"),
        (
            lambda x: x.update(middle=np.zeros(3, "f")),
            r"middle of shape \(2,\), got \(3,\)",
        ),
        (lambda x: x["reach"].fill(np.nan), "finite numbers in reach"),
    ],
)
def test_old_names_are_checked_as_new_ones_are(tmp_path, change, message):
    folder = tmp_path / "agent"
    shutil.copytree(EARLIER / "scaled" / "agent", folder)
    rewrite(folder, change)
    agent, _ = build("scaled")
    before = {name: x.copy() for name, x in arrays_of(agent.policy).items()}
    with pytest.raises(BadFileError, match=message):
        agent.load(folder)
    for name, x in arrays_of(agent.policy).items():
        np.testing.assert_array_equal(x, before[name])


def test_an_agent_without_bounds_refuses_them():
    settings = settings_of(
        read_json(EARLIER / "scaled" / "config.json")["settings"],
        policy={"scaled": False},
    )
    numbers = read_json(EARLIER / "scaled" / "numbers.json")
    agent = make_agent(*spaces_of(numbers), settings, seed=0)
    with pytest.raises(BadFileError, match="not expected: middle, reach"):
        agent.load(EARLIER / "scaled" / "agent")


def test_a_gail_of_then_is_made_from_its_config():
    env = make_env("CartPole-v1")
    demos = record_episodes(env, lambda obs: int(obs[2] + 0.3 * obs[3] > 0), 1)
    config = read_json(EARLIER / "gail" / "config.json")
    preset = {
        "generator": config["settings"],
        "discriminator": config["discriminator"],
        "every": config["every"],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agent, settings = make_gail_agent(
            env.observation_space, env.action_space, demos, preset
        )
    assert agent.policy_step.solver == CG(10)
    assert agent.policy_step.curvature == Curvature("gauss_newton", 0.1)
    assert agent.policy_step.region.max_kl == 0.01
    assert (agent.gamma, agent.update_interval, agent.value_step.epochs) == (
        0.995,
        200,
        5,
    )
    assert agent.rewards.reward == "gail" and settings["every"] == 10
    assert settings["generator"] == settings_of(config["settings"])
    assert (
        "policy_step" in settings["generator"] and "step" not in settings["generator"]
    )
    assert read_json(EARLIER / "gail" / "config.json") == config
