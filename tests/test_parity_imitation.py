"""One update of GAIL here and in openai/imitation; and a fit as Stable Baselines' formulae.

openai/imitation's own code made parity/imitation/openai-imitation.npz.  Stable Baselines'
needs TensorFlow 1: its formulae (gail/adversary.py, common/mpi_adam.py at 259f278) are
written out here in float64, their gradient by complex steps.
"""

import json
import types

from chainertrpo import Discriminator
from chainertrpo.agents import GAIL_PRESETS
from chainertrpo.data import Demonstrations, Episode, environment_header, read_npz

import chainer
import numpy as np
import pytest
from replaying import FOLDER, TOLERANCE, errors, moved, part, paths_of, put, ready

pytestmark = pytest.mark.filterwarnings(
    "ignore::chainertrpo.updates.TerminationBiasWarning"
)
RECORD = read_npz(FOLDER / "imitation" / "openai-imitation.npz")


class Draws:
    """A generator that draws what the ancestor drew, however often it is asked."""

    def __init__(self, rows):
        self._rows = rows

    def integers(self, n, size):
        assert self._rows.max() < n and len(self._rows) == size
        return self._rows

    def random(self, shape):
        return np.full(shape, 0.5)


def experts(record):
    """The recorded pairs as one episode."""
    obs, action = record["expert_obs"], record["expert_action"]
    seen, acted = (np.full(x.shape[1], 99.0) for x in (obs, action))
    spaces = types.SimpleNamespace(
        observation_space=types.SimpleNamespace(shape=seen.shape, low=-seen, high=seen),
        action_space=types.SimpleNamespace(shape=acted.shape, low=-acted, high=acted),
    )
    reward = np.zeros(len(action))
    episode = Episode(np.concatenate([obs, obs[:1]]), action, reward, False, True)
    return Demonstrations([episode], environment_header(spaces))


def judge_of(record, preset="ho2016", **changes):
    """Our discriminator with a preset's settings, before the record's update."""
    gail = json.loads(str(record["gail"]))
    settings = {
        **GAIL_PRESETS[preset]["discriminator"],
        "hidden_sizes": (8, 8),
        "steps": gail["adam_steps"],
        "fit_every": 1,
        "fit_first": False,
        **changes,
    }
    with chainer.using_config("dtype", np.float64):
        judge = Discriminator(experts(record), **settings)
    put(judge.link, part(record, "before", "discriminator", "mlp"))
    given = part(record, "given", "discriminator")
    chainer.serializers.NpzDeserializer(given).load(judge.encode.normalizer)
    judge._rng = Draws(record["drawn"])
    return judge


def off(judge, after):
    """‖ours − theirs‖ / ‖theirs − before‖ of a discriminator."""
    before = part(RECORD, "before", "discriminator", "mlp")
    ours = {name[1:]: x.array for name, x in judge.link.namedparams()}
    far = sum(np.square(ours[k] - after[k]).sum() for k in before)
    return np.sqrt(far / sum(np.square(x - after[k]).sum() for k, x in before.items()))


def test_an_update_is_openai_imitations():
    """They pay, step, fit the discriminator, and fit values to what it pays then."""
    judge, seen = judge_of(RECORD), {}
    agent = ready(RECORD)
    agent.rewards = judge
    paths = judge.relabel(paths_of(RECORD))
    paid = np.concatenate([path.reward for path in paths])
    np.testing.assert_allclose(paid, RECORD["paid"], rtol=2e-6)  # ε beside σ, or σ²
    batch, _ = ready(RECORD, agent={"standardize_advantages": False}).batch(paths)
    np.testing.assert_allclose(
        batch.advantage, RECORD["advantage"], rtol=1e-5, atol=1e-5
    )
    agent.update(paths_of(RECORD))
    assert agent.last_step.accepted
    fitted = ready(RECORD)
    fitted.rewards = judge.relabel
    fitted.update(paths_of(RECORD))
    seen["policy"] = errors(moved(agent, RECORD), RECORD)["policy"]
    seen["values"] = errors(moved(fitted, RECORD), RECORD)["vf"]
    seen["discriminator"] = off(judge, part(RECORD, "after", "discriminator", "mlp"))
    print(*(f"{name} {error:.1e}" for name, error in seen.items()))
    assert max(seen.values()) < TOLERANCE


@pytest.mark.parametrize(
    "changes",
    [
        {"entropy_coef": 1e-3},
        {"learning_rate": 1.01e-2},
        {"steps": 1},
        {"normalize": "observations"},
        {"normalize": "none"},
        {"gradient_penalty": 0.1},
    ],
)
def test_the_comparison_sees_a_changed_setting(changes):
    judge = judge_of(RECORD, **changes)
    judge.fit(paths_of(RECORD))
    assert off(judge, part(RECORD, "after", "discriminator", "mlp")) > TOLERANCE


def softplus(x):
    return np.log(1 + np.exp(x))  # of complex numbers too


def of_stable_baselines(record, pay=False):
    """Their rewards, or their discriminator's parameters after its Adam."""
    given = part(record, "given", "discriminator")
    n = record["obs"].shape[1]
    total = given["count"] * given["_mean"][0], given["count"]
    squares = given["count"] * (given["_var"][0] + given["_mean"][0] ** 2)
    obs = np.concatenate([path.obs[:-1] for path in paths_of(record)])
    expert = record["expert_obs"][record["drawn"]]
    acted = record["expert_action"][record["drawn"]]
    both = np.concatenate([obs, expert])

    def logits(theta, obs, action):
        sums, count, square = total[0][:n], total[1], squares[:n]
        if not pay:
            sums, count = sums + both.sum(0), count + len(both)
            square = square + (both**2).sum(0)
        mean = sums / count
        x = (obs - mean) / np.sqrt(np.maximum(square / count - mean**2, 1e-2))
        x = np.concatenate([x, action], axis=1)
        for i in range(3):
            x = x.dot(theta[f"{i}/W"].T) + theta[f"{i}/b"]
            x = np.tanh(x) if i < 2 else x
        return x[:, 0]

    def loss(theta):
        ours, theirs = (
            logits(theta, obs, record["action"]),
            logits(theta, expert, acted),
        )
        both = np.concatenate([ours, theirs])
        entropy = (1 - 1 / (1 + np.exp(-both))) * both + softplus(-both)
        return softplus(ours).mean() + softplus(-theirs).mean() - 1e-3 * entropy.mean()

    theta = part(record, "before", "discriminator", "mlp")
    if pay:
        d = 1 / (1 + np.exp(-logits(theta, obs, record["action"])))
        return -np.log(1 - d + 1e-8)
    m = v = dict.fromkeys(theta, 0)
    for t in range(1, json.loads(str(record["gail"]))["adam_steps"] + 1):
        slope = {name: np.zeros_like(x) for name, x in theta.items()}
        for name, x in theta.items():
            for at in np.ndindex(x.shape):
                aside = x.astype(complex)
                aside[at] += 1e-30j
                slope[name][at] = loss({**theta, name: aside}).imag / 1e-30
        m = {k: 0.9 * m[k] + 0.1 * g for k, g in slope.items()}
        v = {k: 0.999 * v[k] + 0.001 * g * g for k, g in slope.items()}
        rate = 3e-4 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        theta = {k: x - rate * m[k] / (np.sqrt(v[k]) + 1e-8) for k, x in theta.items()}
    return theta


def test_a_fit_and_its_pay_are_stable_baselines():
    judge = judge_of(RECORD, "stable-baselines")
    paid = np.concatenate([p.reward for p in judge.relabel(paths_of(RECORD))])
    np.testing.assert_allclose(paid, of_stable_baselines(RECORD, pay=True), rtol=1e-6)
    judge.fit(paths_of(RECORD))
    theirs = of_stable_baselines(RECORD)
    print(f"{off(judge, theirs):.1e}")
    assert off(judge, theirs) < 1e-9
    other = judge_of(RECORD, "stable-baselines", normalize="running")
    other.fit(paths_of(RECORD))
    assert off(other, theirs) > 1e-3
