"""Policies as ONNX files, run by ONNX Runtime, beside the agents they come from."""

import chainertrpo
from chainertrpo.agents import export_onnx, settings_of
from chainertrpo.policies.network import ACTIVATIONS

import chainer
import numpy as np
import pytest

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


def box(n, low=-1.0, high=1.0):
    space = type("Box", (), {})()
    space.shape, space.dtype = (n,), np.dtype("f")
    space.low, space.high = np.full(n, low, "f"), np.full(n, high, "f")
    return space


def discrete(n):
    space = type("Discrete", (), {})()
    space.n, space.shape, space.dtype, space.start = n, (), np.dtype(np.int64), 0
    return space


def made(actions, **policy):
    settings = settings_of("chainerrl-reproduction", policy=policy)
    agent = chainertrpo.make_agent(box(5), actions, settings, seed=3)
    rng = np.random.default_rng(0)
    for param in agent.policy.params():
        param.array[...] += 0.3 * rng.standard_normal(param.shape).astype("f")
    if agent.obs_normalizer is not None:
        agent.obs_normalizer.experience(rng.normal(3, 10, (200, 5)).astype("f"))
    return agent


def outputs_of(agent, path, obs):
    export_onnx(agent, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [x.name for x in session.get_outputs()]
    return dict(zip(names, session.run(None, {"obs": obs})))


OBS = np.random.default_rng(1).normal(3, 10, (40, 5)).astype("f")


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_every_activation(tmp_path, activation):
    agent = made(box(3), activation=activation)
    out = outputs_of(agent, tmp_path / "p.onnx", OBS)
    want = np.stack([agent.actor().most_probable(obs) for obs in OBS])
    assert np.allclose(out["action"], want, rtol=1e-5, atol=1e-5)
    assert np.abs(want).max() > 0.1 and out["action"].dtype == np.float32


@pytest.mark.parametrize(
    "settings",
    [
        {"log_std": "state_dependent"},
        {"log_std": "shared"},
        {"log_std": "fixed", "log_std_init": -1.0},
        {"scaled": True},
        {"bound_mean": True},
        {"hidden_sizes": []},
    ],
)
def test_every_gaussian(tmp_path, settings):
    agent = made(box(3, -0.4, 2.0), **settings)
    out = outputs_of(agent, tmp_path / "p.onnx", OBS)
    dist = agent.policy(agent.obs_normalizer(OBS, update=False))
    mean = dist.most_probable.array
    action = mean + np.float32(0.7)
    z = (action - out["mean"]) / np.exp(out["log_std"])
    log_prob = -0.5 * z**2 - out["log_std"] - 0.5 * np.log(2 * np.pi)
    assert np.allclose(dist.log_prob(action).array, log_prob.sum(1), rtol=1e-4)
    assert np.allclose(out["mean"], mean, rtol=1e-5, atol=1e-5)
    assert np.array_equal(out["action"], out["mean"])


def test_a_softmax_and_a_batch_of_one(tmp_path):
    agent = made(discrete(4))
    out = outputs_of(agent, tmp_path / "p.onnx", OBS)
    want = [agent.actor().most_probable(obs) for obs in OBS]
    assert out["action"].tolist() == want
    assert len(set(out["action"])) > 1 and out["logits"].shape == (40, 4)
    one = outputs_of(agent, tmp_path / "p.onnx", OBS[:1])
    assert np.allclose(one["logits"], out["logits"][:1], atol=1e-6)


def test_a_link_of_others_is_refused(tmp_path):
    agent = made(box(3))
    agent.policy = chainer.links.Linear(5, 3)
    with pytest.raises(ValueError, match="policy of chainertrpo.policies.*got Linear"):
        export_onnx(agent, tmp_path / "p.onnx")
    assert not (tmp_path / "p.onnx").exists()
