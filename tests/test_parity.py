"""One update here and in an ancestor, from equal parameters, experience and dice.

The files in parity/ hold what the ancestors did (see parity/recording.py, and
docs/parity.md for how); nothing of an ancestor runs here.
"""

import json
import types

from chainertrpo import PRESETS, make_agent, settings_of
from chainertrpo.agents import load_chainerrl
from chainertrpo.data import BadFileError, read_npz

import chainer
import numpy as np
import pytest
from replaying import FOLDER, TOLERANCE, errors, part, replay, updated

RECORDS = sorted(path.stem for path in FOLDER.glob("*.npz"))
SAVED = sorted(path.stem for path in (FOLDER / "chainerrl_agents").glob("*.npz"))
POLICY_ONLY = {"modular-rl"}  # its values are fitted by L-BFGS


@pytest.mark.parametrize("name", RECORDS)
def test_an_update_is_the_ancestors(name):
    record = read_npz(FOLDER / f"{name}.npz")
    assert str(record["preset"]) == name and json.loads(str(record["versions"]))
    found = errors(replay(record), record)
    print(name, *(f"{network} {error:.1e}" for network, error in found.items()))
    assert "policy" in found and max(found.values()) < TOLERANCE
    assert len(found) == 2 or name in POLICY_ONLY


@pytest.mark.parametrize("name", RECORDS)
def test_what_the_last_bit_of_the_observations_moves(name):
    """The floor: what of an error rounding alone may be."""
    record = read_npz(FOLDER / f"{name}.npz")
    ours = {
        f"after/{network}{key}": record[f"before/{network}{key}"] + x
        for network, parts in replay(record).items()
        for key, x in parts.items()
    }
    near = {**record, "obs": np.nextafter(record["obs"], np.inf)}
    found = errors(replay(near), {**record, **ours})
    print(name, *(f"{network} {error:.1e}" for network, error in found.items()))
    assert 0 < max(found.values()) < 1e-7  # 5e-9 at most; BLAS differ


@pytest.mark.parametrize("name", ["tianshou-npg", "tianshou-trpo"])
def test_the_unit_of_values_is_the_ancestors_then(name):
    record = read_npz(FOLDER / f"{name}.npz")
    agent = updated(record)
    for key, then in part(record, "then", "unit").items():
        np.testing.assert_allclose(getattr(agent.vf, key), then, rtol=1e-7)
    assert agent.vf.count == 512 + record["lengths"].sum()


def test_there_are_records():
    assert set(RECORDS) <= PRESETS.keys() and len(RECORDS) >= 10


@pytest.mark.parametrize("name", RECORDS)
def test_the_comparison_sees_a_changed_setting(name):
    """What a test of equality is worth: a little of anything is noticed."""
    record = read_npz(FOLDER / f"{name}.npz")
    step = {
        "PPO": {"value_coef": 0.9},
        "PolicyGradient": {"entropy_coef": 1e-3},
    }.get(PRESETS[name]["algorithm"], {"curvature": {"damping": 0.1001}})
    for changes in ({"agent": {"gamma": 0.9901}}, {"policy_step": step}):
        assert max(errors(replay(record, **changes), record).values()) > TOLERANCE


@pytest.mark.parametrize(
    "name, changes",
    [
        ("chainerrl-2018", {"estimation": {"normalizer_learns": "before_step"}}),
        ("chainerrl-example", {"estimation": {"normalizer_learns": "before_log_prob"}}),
        ("pfrl-ppo", {"policy_step": {"clip_eps": 9.0}}),
        ("chainerrl-ppo-class", {"policy_step": {"clip_eps": 9.0}}),
        ("chainerrl-ppo-example", {"policy_step": {"clip_eps": 9.0}}),
        ("chainerrl-ppo-example", {"vf": {"activation": "tanh"}}),
        ("chainerrl-ppo-reproduction", {"policy_step": {"clip_eps": 9.0}}),
        ("sb3-ppo", {"policy_step": {"clip_eps": 9.0}}),
        ("spinningup-ppo", {"policy_step": {"clip_eps": 9.0}}),
        ("spinningup-ppo", {"policy_step": {"stop_kl": None}}),
        ("spinningup-ppo", {"policy_step": {"stop_on": "divergence"}}),
        ("spinningup-ppo", {"value_step": {"epochs": 79}}),
        ("baselines-ppo1", {"policy_step": {"clip_eps": 9.0}}),
        ("baselines-ppo1", {"estimation": {"normalizer_learns": "before_step"}}),
        ("baselines-ppo1", {"obs_normalizer": {"clip_threshold": None}}),
        ("baselines-ppo1", {"obs_normalizer": {"eps": 1e-2, "floor": 0.0}}),
        ("baselines-ppo1", {"optimizer": {"corrected_eps": True}}),
        ("baselines-ppo2", {"policy_step": {"clip_eps": 9.0}}),
        ("baselines-ppo2", {"policy_step": {"clip_eps_vf": None}}),
        ("baselines-ppo2", {"policy_step": {"standardize_by": "unbiased_std"}}),
        ("baselines-ppo2", {"optimizer": {"max_grad_norm": None}}),
        ("baselines-ppo2", {"optimizer": {"corrected_eps": True}}),
        ("tianshou-trpo", {"policy": {"scaled": False}}),
        ("tianshou-trpo", {"vf": {"centered": True}}),
        ("tianshou-trpo", {"vf": {"learns": "before_fit"}}),
    ],
)
def test_the_comparison_sees_what_a_preset_is_for(name, changes):
    """The record reaches what sets the preset apart: its clips clip, its order counts."""
    record = read_npz(FOLDER / f"{name}.npz")
    assert max(errors(replay(record, **changes), record).values()) > 10 * TOLERANCE


@pytest.fixture
def saved(request):
    """An agent of ours for a folder of ChainerRL, the folder and what it should say."""
    name = request.param
    told = read_npz(FOLDER / "chainerrl_agents" / f"{name}.npz")
    softmax = "logits" in told
    preset = "chainerrl-ppo-reproduction" if name == "ppo" else "chainerrl-reproduction"
    sizes = {part: {"hidden_sizes": [8, 8]} for part in ("policy", "vf")}
    settings = settings_of(preset, **sizes)
    if name in ("example", "softmax"):
        settings["obs_normalizer"] = {}
    obs_space = types.SimpleNamespace(shape=told["obs"].shape[1:])
    n = told["logits" if softmax else "mean"].shape[1]
    action_space = types.SimpleNamespace(**{"n": n} if softmax else {"shape": (n,)})
    agent = make_agent(obs_space, action_space, settings, seed=3)
    return agent, FOLDER / "chainerrl_agents" / name, told


@pytest.mark.parametrize("saved", SAVED, indirect=True)
def test_agents_of_chainerrl_load(saved, tmp_path):
    agent, folder, told = saved
    load_chainerrl(agent, folder)
    x = agent.obs_normalizer(told["obs"], update=False)
    with chainer.no_backprop_mode():
        dist, value = agent.policy(x), agent.vf(x)
    output = dist.logits if "logits" in told else dist.mean
    expected = told["logits"] if "logits" in told else told["mean"]
    np.testing.assert_allclose(output.array, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(value.array, told["value"], rtol=1e-4, atol=1e-6)
    for name, x in agent.policy.namedparams():
        np.testing.assert_array_equal(x.array, told[name[1:]].astype("f"), err_msg=name)
    optimizer = agent.vf_optimizer or agent.optimizer
    assert optimizer.t == (40 if folder.name == "ppo" else 20)
    assert {x.update_rule.t for x in optimizer.target.params()} == {optimizer.t}
    # What acts is what was loaded, and it saves and loads as any other.
    agent.act_deterministically = True
    best = expected[0].argmax() if "logits" in told else expected[0]
    np.testing.assert_allclose(agent.act(told["obs"][0]), best, rtol=1e-4, atol=1e-6)
    agent.save(tmp_path)
    agent.load(tmp_path)


@pytest.mark.parametrize("saved", ["reproduction"], indirect=True)
def test_other_networks_are_refused_and_change_nothing(saved, tmp_path):
    agent, folder, _ = saved
    before = [x.array.copy() for _, x in sorted(agent.policy.namedparams())]
    with pytest.raises(BadFileError, match="not of networks like"):
        load_chainerrl(agent, folder.parent / "softmax")
    for name in ("policy", "vf", "vf_optimizer", "obs_normalizer"):
        data = (folder / f"{name}.npz").read_bytes()
        (tmp_path / f"{name}.npz").write_bytes(data)
    for name, message in (("vf", "not a readable"), ("model", "no use for it")):
        (tmp_path / f"{name}.npz").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
        with pytest.raises(BadFileError, match=message):
            load_chainerrl(agent, tmp_path)
    after = [x.array for _, x in sorted(agent.policy.namedparams())]
    assert all(map(np.array_equal, before, after))
    with pytest.raises(FileNotFoundError):
        load_chainerrl(agent, tmp_path / "nowhere")
