"""The discriminator: stable rewards, its loss by other means, and what it learns."""

import math
import warnings

from chainertrpo.data import Path, merge, subsample
from chainertrpo.updates import (
    REWARD_FORMS,
    Discriminator,
    TerminationBiasWarning,
    adam,
    minibatch,
    reward_of,
)

import chainer
import numpy as np
import pytest
from scipy import special
from test_demonstrations import demonstrations

pytestmark = pytest.mark.filterwarnings(
    "ignore::chainertrpo.updates.TerminationBiasWarning"
)


def agent_paths(discrete=True, shift=3.0, seed=1, terminal=False, lengths=(30, 30)):
    rng = np.random.default_rng(seed)
    return [
        Path(
            (rng.standard_normal((n + 1, 3)) + shift).astype("f"),
            rng.integers(2, size=n).astype("i")
            if discrete
            else rng.standard_normal((n, 3)).astype("f"),
            np.full(n, 1e9, "f"),  # the environment's, which must not matter
            terminal,
        )
        for n in lengths
    ]


def test_rewards_are_stable_for_any_logit():
    logit = np.linspace(-80, 80, 2001)
    want = {
        "d": special.expit(logit),
        "gail": -special.log_expit(-logit),
        "logd": special.log_expit(logit),
        "airl": logit,
    }
    assert want.keys() == REWARD_FORMS.keys()
    for form, value in want.items():
        np.testing.assert_allclose(reward_of(logit, form), value, rtol=1e-13)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert reward_of(1e4, "gail") == 1e4 and reward_of(-1e4, "logd") == -1e4
    np.testing.assert_allclose(
        reward_of(logit, "airl"),
        reward_of(logit, "logd") + reward_of(logit, "gail"),
        atol=1e-12,
    )
    with pytest.raises(ValueError, match="expected the reward form to be one of"):
        reward_of(logit, "wgan")


@pytest.mark.parametrize("discrete", [True, False])
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_it_tells_separable_pairs_apart(discrete, penalty):
    made = Discriminator(
        demonstrations(discrete, (40, 40)),
        hidden_sizes=(16,),
        gradient_penalty=penalty,
        seed=3,
    )
    paths = agent_paths(discrete)
    obs, action = made.demonstrations.pairs()
    assert np.array_equal(made.logits(obs, action), np.zeros(len(obs)))  # D = ½
    first = made(paths)
    report = made.last_report  # before its first step every pair is guessed
    assert report.accuracy_agent == report.accuracy_expert == 0.5
    for _ in range(40):
        last = made(paths)
    report = made.last_report
    assert report.accuracy_agent > 0.9 and report.accuracy_expert > 0.9
    assert report.loss < math.log(4) and report.mean_d_expert > 0.5
    assert last[0].reward.mean() < first[0].reward.mean()
    expert = reward_of(made.logits(obs, action), "gail")
    assert expert.mean() > last[0].reward.mean()
    assert "right on" in made.summary()


def test_environment_rewards_do_not_matter_and_paths_stay():
    one, two = (Discriminator(demonstrations(), seed=0) for _ in range(2))
    paths = agent_paths()
    other = [path._replace(reward=path.reward * 0) for path in paths]
    for x, y in zip(one(paths), two(other)):
        assert np.array_equal(x.reward, y.reward)
        assert x.obs is not None and np.isfinite(x.reward).all()
    assert (paths[0].reward == 1e9).all()


@pytest.fixture(params=["written out", "graph"])
def gradients(request, monkeypatch):
    """What Adam is given at every step, {name: array}, of either way."""
    found = []
    if request.param == "graph":
        monkeypatch.setattr(minibatch, "can_be_flat", lambda _: False)

        def update(self, *args):
            named = self.target.namedparams()
            found.append({name: p.grad.copy() for name, p in named})

        monkeypatch.setattr(chainer.optimizers.Adam, "update", update)
    else:

        def step(self):
            found.append({name: x.copy() for name, x in self.grad.items()})

        monkeypatch.setattr(adam.FlatAdam, "step", step)
    return found


def assert_slopes(link, grad, loss, rtol):
    """The gradient is what differences of the loss say, at some of the weights."""
    for name, param in link.namedparams():
        for at in [(0,) * param.ndim, tuple(n - 1 for n in param.shape)]:
            values = []
            for step in (1e-6, -1e-6):
                param.array[at] += step
                values.append(loss())
                param.array[at] -= step
            slope = (values[0] - values[1]) / 2e-6
            assert grad[name][at] == pytest.approx(slope, rel=rtol, abs=1e-8), name


def test_loss_is_the_textbook_formula(gradients):
    with chainer.using_config("dtype", np.float64):
        made = Discriminator(
            demonstrations(), last_scale=1.0, entropy_coef=0.3, normalize="none", seed=2
        )
    agent = made.encode(agent_paths()[0].obs[:-1], agent_paths()[0].action)
    expert = made._expert[np.arange(30) % 15]
    agent, expert = agent.astype("d"), expert.astype("d")

    def parts_of_loss():
        d_agent, d_expert = (special.expit(made._logits(x)) for x in (agent, expert))
        cross = -np.log(1 - d_agent).mean() - np.log(d_expert).mean()
        d = np.concatenate([d_agent, d_expert])
        return cross, -(d * np.log(d) + (1 - d) * np.log(1 - d)).mean()

    cross, _ = parts_of_loss()
    report = made._step(agent, expert, np.zeros(2))
    assert report["loss"] == pytest.approx(cross, rel=1e-5)  # weights are float32

    def loss():
        cross, entropy = parts_of_loss()
        return cross - 0.3 * entropy

    assert_slopes(made.link, gradients[0], loss, 1e-4)


@pytest.mark.parametrize(
    "more", [{}, {"activation": "silu"}, {"spectral_norm": 0.7}], ids=str
)
def test_gradient_penalty_and_its_gradient_by_differences(gradients, more):
    settings = {"hidden_sizes": (4, 3), "last_scale": 1.0, **more}
    with chainer.using_config("dtype", np.float64):
        made = Discriminator(
            demonstrations(),
            normalize="none",
            gradient_penalty=10.0,
            entropy_coef=0,
            **settings,
        )
    for _, param in made.link.namedparams():  # orthogonal: all singular values equal
        param.array += 0.2 * np.random.default_rng(1).standard_normal(param.shape)
    agent, expert = np.random.default_rng(0).standard_normal((2, 6, 5))
    made._rng = np.random.default_rng(5)
    made._step(agent, expert, np.zeros(2))
    u = np.random.default_rng(5).random((6, 1)).astype("f")
    x = u * expert + (1 - u) * agent

    def loss():
        l_agent, l_expert = made._logits(agent), made._logits(expert)
        cross = np.logaddexp(0, l_agent).mean() + np.logaddexp(0, -l_expert).mean()
        eps = 1e-4
        g = [
            (
                8 * (made._logits(x + eps * e) - made._logits(x - eps * e))
                - made._logits(x + 2 * eps * e)
                + made._logits(x - 2 * eps * e)
            )
            / (12 * eps)
            for e in np.eye(5)
        ]
        return cross + 10 * ((np.linalg.norm(g, axis=0) - 1) ** 2).mean()

    assert_slopes(made.link, gradients[0], loss, 1e-4)


def test_a_bounded_discriminator_is_lipschitz_and_begins_with_a_half():
    made = Discriminator(
        demonstrations(lengths=(40, 40)),
        hidden_sizes=(16, 16),
        spectral_norm=0.9,
        learning_rate=0.1,
        steps=50,
    )
    obs, action = made.demonstrations.pairs()
    assert np.array_equal(made.logits(obs, action), np.zeros(len(obs)))
    made.fit(agent_paths())
    rows = made.encode.normalized(made._expert)
    out = made._logits(made._expert)
    far = np.linalg.norm(rows[:, None] - rows, axis=2)
    steep = np.abs(out[:, None] - out) / np.where(far > 0, far, np.inf)
    assert 0.1 * 0.9**3 < steep.max() <= 0.9**3 * (1 + 1e-4)


def test_a_warning_that_teaches_comes_once():
    demos = demonstrations(lengths=(20, 20))
    made = Discriminator(demos, reward="logd", seed=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made(agent_paths())  # no path has ended: nothing to say
        assert not caught
        made(agent_paths(terminal=True))
        made(agent_paths(terminal=True))
    (warning,) = caught
    assert warning.category is TerminationBiasWarning
    for word in ("'logd'", "never positive", "absorbing_horizon", "FixedHorizon"):
        assert word in str(warning.message)


def test_the_warning_looks_at_both_sides():
    def said(demos, paths, **settings):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Discriminator(demos, **settings)(paths)
        return [str(w.message) for w in caught]

    equal, unequal = demonstrations(lengths=(20, 20)), demonstrations(lengths=(9, 30))
    (text,) = said(equal, agent_paths(terminal=True))
    assert text.startswith("the agent's episodes end") and "expert's" not in text
    (text,) = said(unequal, agent_paths())  # before any episode of the agent has ended
    assert text.startswith("the expert's have 9 to 30 steps")
    assert not said(equal, agent_paths())
    assert not said(unequal, agent_paths(terminal=True), absorbing_horizon=60)


def test_absorbing_states_make_length_worth_nothing():
    """With one opinion of everything, an early end and a late one earn the same."""
    made = Discriminator(
        demonstrations(), absorbing_horizon=30, gamma=0.9, reward="gail", seed=0
    )
    paths = agent_paths(terminal=True, lengths=(4, 29))
    totals = [
        sum(r * 0.9**t for t, r in enumerate(path.reward.tolist()))
        for path in made.relabel(paths)
    ]
    assert totals[0] == pytest.approx(totals[1], rel=1e-5)
    cut = made.relabel(agent_paths(terminal=False, lengths=(4,)))[0]
    assert cut.reward == pytest.approx(np.full(4, math.log(2)))
    made(paths)  # trains with them, and does not warn
    assert np.isfinite(made.last_report.loss)


def test_absorbing_rows_of_subsampled_experts_are_as_rare_as_their_pairs():
    whole = Discriminator(demonstrations(lengths=(20, 30)), absorbing_horizon=60)
    few = Discriminator(
        subsample(demonstrations(lengths=(20, 30)), 5), absorbing_horizon=60
    )
    assert whole._expert_absorbing == pytest.approx(40 / 50)  # one of them terminated
    assert few._expert_absorbing == pytest.approx(40 / 50)


def test_pairs_are_drawn_by_their_weights():
    few, many = demonstrations(lengths=(5,)), demonstrations(lengths=(45,), seed=1)
    made = Discriminator(merge([few, many], [3, 1]), absorbing_horizon=50)
    drawn = made._drawn(60_000)
    share = np.bincount(drawn, minlength=50) / 60_000
    np.testing.assert_allclose(share, np.repeat([3, 1], [5, 45]) / 60, atol=4e-3)
    assert made._expert_absorbing == pytest.approx((3 * 45 + 5) / 60)
    made.fit(agent_paths())
    assert np.isfinite(made.last_report.loss)
    alike = Discriminator(merge([few, many], [3, 3]), seed=1)
    plain = Discriminator(merge([few, many]), seed=1)
    for one in (alike, plain):
        one.fit(agent_paths())
    assert alike.last_report == plain.last_report


def test_fit_every_and_order():
    made = Discriminator(demonstrations(), fit_every=3, fit_first=False, seed=0)
    paths = agent_paths()
    for _ in range(3):
        assert made(paths)[0].reward == pytest.approx(np.full(30, math.log(2)))
    assert made(paths)[0].reward != pytest.approx(np.full(30, math.log(2)))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"reward": "x"}, "reward form"),
        ({"normalize": "x"}, "expected normalize"),
        ({"steps": 0}, "steps"),
        ({"gradient_penalty": -1}, "gradient_penalty"),
        ({"spectral_norm": 0}, "spectral_norm"),
        ({"sees": "rewards"}, "sees"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        Discriminator(demonstrations(), **settings)


@pytest.mark.gpu
@pytest.mark.parametrize("discrete", [True, False])
@pytest.mark.parametrize("penalty, bound", [(0.0, None), (1.0, None), (1.0, 0.7)])
def test_a_fit_and_its_rewards_on_the_gpu_are_those_of_the_cpu(
    discrete, penalty, bound
):
    made = [
        Discriminator(
            demonstrations(discrete, (40, 40)),
            hidden_sizes=(16,),
            gradient_penalty=penalty,
            spectral_norm=bound,
            last_scale=1.0,
            steps=3,
            seed=3,
        )
        for _ in range(2)
    ]
    made[1].link.to_device("@cupy:0")
    here, there = (one(agent_paths(discrete)) for one in made)
    assert made[1].optimizer.t == 3 and made[1].link.xp is not np
    for x, y in zip(here, there):
        np.testing.assert_allclose(y.reward, x.reward, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        made[1].last_report, made[0].last_report, rtol=1e-3, atol=1e-4
    )


def test_paths_are_judged_together():
    """One forward pass for all of them, with the rewards that each has by itself."""
    made = Discriminator(demonstrations(), hidden_sizes=(8,), last_scale=1.0)
    paths, calls, logits = agent_paths(lengths=(3, 9, 1, 5)), [], made._logits
    made._logits = lambda rows: (calls.append(len(rows)), logits(rows))[1]
    together = made.relabel(paths)
    assert calls == [18]
    for path, x in zip(paths, together):
        (alone,) = made.relabel([path])
        np.testing.assert_allclose(x.reward, alone.reward, rtol=1e-5)
