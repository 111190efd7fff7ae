"""Agents in every space of actions, with masks and without."""

import functools

from chainertrpo import PRESETS, make_agent, settings_of
from chainertrpo.agents import GAIL_PRESETS, clone_expert, make_gail_agent
from chainertrpo.data import (
    BadFileError,
    Demonstrations,
    MaskedObs,
    Space,
    read_demonstrations,
    write_demonstrations,
)
from chainertrpo.experiments import (
    SerialVectorEnv,
    train_agent_batch,
    train_agent_parallel,
)
from chainertrpo.experiments.envs import BadEnvironmentError, Env
from chainertrpo.experiments.recording import record_episodes
from chainertrpo.numerics import dense, flatten
from chainertrpo.policies import SpacePolicy
from chainertrpo.updates import (
    Cloning,
    Curvature,
    GradientStep,
    Surrogate,
    TrustRegion,
)
from chainertrpo.updates.model import closed, graph

import chainer
import numpy as np
import pytest
from protocol import drive
from worlds import ACTION_SPACES, BOX, Point, Repeat, spaces

every_space = pytest.mark.parametrize("name", ACTION_SPACES)
CHOICES = {
    "choice": spaces.Discrete(4),
    "choices": spaces.MultiDiscrete([3, 3]),
    "tuple": spaces.Tuple([BOX, spaces.Discrete(4)]),
}
every_choice = pytest.mark.parametrize("name", CHOICES)
ALGORITHMS = {  # a preset of each algorithm
    PRESETS[name]["algorithm"]: name
    for name in sorted(PRESETS, key=lambda name: "chainerrl" not in name)[::-1]
}


def agent_for(env, preset="chainerrl-reproduction", seed=0, **changes):
    changes = {
        "agent": {"update_interval": 400},
        "policy": {"hidden_sizes": [16]},
        "vf": {"hidden_sizes": [16]},
        "obs_normalizer": None,
        **changes,
    }
    settings = settings_of(preset, **changes)
    return make_agent(env.observation_space, env.action_space, settings, seed=seed)


def score(agent, env, episodes=5):
    agent.act_deterministically, total = True, 0.0
    for _ in range(episodes):
        obs, end = env.reset(), False
        while not end:
            obs, reward, end, _ = env.step(agent.act(obs))
            total += reward
    agent.act_deterministically = False
    return total / (20 * episodes)


@pytest.mark.long
@every_space
def test_every_space_of_actions_is_learned(name):
    env = Env(Repeat(ACTION_SPACES[name]), seed=0)
    agent = agent_for(env, policy_step={"region": {"max_kl": 0.1}}, vf_optimizer={})
    before = score(agent, env)
    drive(agent, env, 6001)
    after = score(agent, env)
    # A good part of what was missing, and nearly all where there are only choices.
    assert 1 - after < (1 - before) * (0.75 if agent.policy.family.shapes else 0.1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_has_mixed_actions_and_masks(algorithm):
    env = Env(Repeat(CHOICES["tuple"], "info"), seed=0)
    agent = agent_for(env, ALGORITHMS[algorithm])
    before = flatten(agent.policy)
    drive(agent, env, 401)
    moved = flatten(agent.policy)
    assert agent.n_updates == 1 and np.isfinite(moved).all()
    assert not np.array_equal(moved, before)
    assert agent.act(env.reset()).shape == (3,)


@every_choice
@pytest.mark.parametrize("where", ["info", "method", "observation"])
def test_what_a_mask_forbids_is_never_done(name, where):
    """It would pay nine times as much; and it is not in log π, so masks are learned."""
    env = Env(Repeat(CHOICES[name], where), seed=1)
    agent = agent_for(env, policy_step={"region": {"max_kl": 0.05}})
    assert agent.policy.mlp[0].W.shape[1] == Space.of(CHOICES[name]).size
    log = drive(agent, env, 2001)
    assert max(reward for _, _, reward, _ in log) <= 1
    free = agent_for(env, policy_step={"region": {"max_kl": 0.05}})
    obs = [env.reset() for _ in range(200)]
    forbidden = 0
    for one in obs:
        chosen = env._actions.choice_features(free.act(one.obs)[None])[0] > 0
        forbidden += (chosen & ~one.mask).any()
        assert not (
            (env._actions.choice_features(free.act(*one)[None])[0] > 0) & ~one.mask
        ).any()
    assert forbidden > 40  # without its mask it would have


def test_a_mask_with_no_choice_is_an_error_of_the_environment():
    inner = Repeat(CHOICES["choices"], "info")
    env = Env(inner, seed=0)
    env.reset()
    inner._info = lambda: {"action_mask": np.zeros(6)}
    with pytest.raises(BadEnvironmentError, match="Repeat.*forbids all"):
        env.step(np.zeros(2, "i"))
    inner._info = lambda: {"action_mask": np.ones(5)}
    with pytest.raises(
        BadEnvironmentError, match="expected a mask of 6 choices, got 5"
    ):
        env.reset()
    inner._info = dict
    env.reset()
    inner._info = lambda: {"action_mask": np.ones(6)}
    with pytest.raises(BadEnvironmentError, match="Give it at reset and at every step"):
        env.step(np.zeros(2, "i"))


def test_masks_given_by_hand():
    """For ChainerRL's loops, whose environments know no masks."""
    agent = agent_for(Point(discrete=True), agent={"update_interval": 50})
    seen, paths = [], []
    agent.update = paths.extend
    for t in range(51):
        mask = np.roll([True, False, False], t)
        seen.append((int(agent.act_and_train(np.zeros(2), 0.0, mask=mask)), t % 3))
        assert agent.act(np.zeros(2), mask=mask) == t % 3
    assert all(a == b for a, b in seen)
    assert paths[0].mask.shape == (50, 3) and (paths[0].mask.sum(1) == 1).all()
    with pytest.raises(ValueError, match="a mask with every observation"):
        agent.act_and_train(np.zeros(2), 0.0)
        agent.stop_episode_and_train(np.zeros(2), 0.0, True)


def masked_batch(name, where="info", n=200):
    env = Env(Repeat(CHOICES[name], where), seed=2)
    agent = agent_for(env, agent={"update_interval": n})
    for param in agent.policy.params():
        param.array[...] += 0.1 * np.random.RandomState(0).randn(*param.shape)
    paths = []
    agent.update = paths.extend
    drive(agent, env, n + 1)
    return agent, agent.batch(paths)[0]


@pytest.fixture
def in_float64():
    with chainer.using_config("dtype", np.float64):
        yield


@every_choice
def test_derivatives_with_masks_are_those_of_the_graph(in_float64, name):
    agent, batch = masked_batch(name)
    assert batch.mask.dtype == bool and not batch.mask.all()
    values = Surrogate(0.01), Curvature("gauss_newton"), TrustRegion()
    part = agent.policy.parts[0]
    ours = closed(agent.policy, part, batch, *values, 70)
    theirs = graph(
        agent.policy, batch, *values[:1], Curvature("hessian"), values[2], 70
    )
    size = np.abs(theirs.gradient).max()
    assert np.abs(ours.gradient - theirs.gradient).max() < 1e-9 * size
    products = [dense(one.product, len(one.gradient)) for one in (ours, theirs)]
    assert np.abs(products[0] - products[1]).max() < 1e-9 * np.abs(products[1]).max()
    theta = flatten(agent.policy) + 0.01 * ours.gradient
    np.testing.assert_allclose(ours.evaluate(theta), theirs.evaluate(theta), rtol=1e-9)


class Foreign(SpacePolicy):
    """Of a user: nothing of it is written out."""

    def forward(self, obs, mask=None):
        return super().forward(obs, mask)


@every_choice
def test_gradient_steps_with_masks_are_those_of_the_graph(in_float64, name):
    agent, batch = masked_batch(name)
    found = []
    for cls in (SpacePolicy, Foreign):
        policy = cls(batch.obs.shape[1], CHOICES[name], (16,), seed=0)
        optimizer = chainer.optimizers.Adam(0.01).setup(policy)
        step = GradientStep(2, 50, clip_eps=0.2, entropy_coef=0.01)
        step(policy, batch, optimizer, np.random.default_rng(0))
        found.append(flatten(policy))
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-12)


def recorded(name, where="info", seed=0):
    env = Env(Repeat(CHOICES[name], where), seed=seed)
    expert = lambda obs: env._actions.encode(env.env.x)  # noqa: E731
    return env, record_episodes(env, expert, 6, seed=seed)


@every_choice
def test_demonstrations_keep_masks(tmp_path, name):
    env, shown = recorded(name)
    path = tmp_path / "shown.npz"
    write_demonstrations(path, shown)
    again = read_demonstrations(path, shown.environment)
    assert again.digest() == shown.digest() and not again.masks().all()
    assert [p.mask.dtype for p in again.paths()] == [bool] * 6
    agent = agent_for(env)
    clone_expert(agent, again, Cloning(epochs=150, batch_size=32))
    assert score(agent, env) > 0.8
    assert not any(p.array.dtype == np.float64 for p in agent.policy.params())


def test_an_expert_that_does_what_its_mask_forbids_is_refused():
    _, shown = recorded("choices")
    one = shown.episodes[0]
    mask = one.mask.copy()
    mask[3, one.action[3, 0]] = False
    with pytest.raises(
        ValueError, match="episode 0: .*at step 3, which its mask forbids"
    ):
        type(shown)([one._replace(mask=mask)], shown.environment)


@pytest.mark.filterwarnings("ignore::chainertrpo.updates.TerminationBiasWarning")
@pytest.mark.parametrize("preset", sorted(GAIL_PRESETS)[:2])
def test_imitation_in_a_mixed_space_with_masks(preset):
    env, shown = recorded("tuple")
    agent, _ = make_gail_agent(
        env.observation_space,
        env.action_space,
        shown,
        preset,
        agent={"update_interval": 200},
        policy={"hidden_sizes": [16]},
    )
    before = flatten(agent.policy)
    drive(agent, env, 401)
    assert agent.n_updates == 2 and not np.array_equal(before, flatten(agent.policy))


def test_a_run_with_masks_resumes_bit_for_bit(tmp_path):
    """Whatever of an episode had been seen when it stopped, masks among it."""
    make = functools.partial(masked_env, name="tuple")
    thetas = []
    for stops in ([1600], [800, 1600]):
        for steps in stops:
            agent = agent_for(make(0), agent={"update_interval": 200})
            settings = {"workers": 1, "checkpoint_interval": 2}
            outdir = tmp_path / str(len(stops))
            resume = steps > stops[0]
            train_agent_parallel(agent, make, steps, outdir, resume=resume, **settings)
        thetas.append(flatten(agent.policy))
    assert np.array_equal(*thetas)


def masked_env(seed, name):
    return Env(Repeat(CHOICES[name], "observation"), seed=seed)


def test_several_environments_at_once(tmp_path):
    envs = SerialVectorEnv([masked_env(i, "choices") for i in range(3)])
    agent = agent_for(envs.envs[0])
    train_agent_batch(agent, envs, 900, str(tmp_path), log_interval=None)
    assert agent.n_updates == 2
    one = MaskedObs(np.zeros(6, "f"), np.array([1, 0, 0, 0, 0, 1], bool))
    assert agent.batch_act([one, one]).tolist() == [[0, 2]] * 2


def test_a_file_whose_masks_do_not_fit(tmp_path):
    _, shown = recorded("choice")
    path = tmp_path / "shown.npz"
    write_demonstrations(path, shown)
    with np.load(path) as arrays:
        arrays = dict(arrays)
    arrays["mask"] = arrays["mask"][:-1]
    np.savez(path, **arrays)
    with pytest.raises(BadFileError, match="mask differs from its SHA-256"):
        read_demonstrations(path)


class Brightest:
    """Which quarter of an image of bytes is bright; five images an episode."""

    observation_space = spaces.Box(0, 255, (8, 8, 1), np.uint8)
    action_space = spaces.Discrete(4)

    def reset(self, seed=None, options=None):
        self.rng, self.t = np.random.RandomState(seed), 0
        return self._next(), {}

    def _next(self):
        image = self.rng.randint(0, 100, (8, 8, 1)).astype(np.uint8)
        self.where = self.rng.randint(4)
        rows, columns = (slice(4 * i, 4 * i + 4) for i in divmod(self.where, 2))
        image[rows, columns] += 100
        return image

    def step(self, action):
        reward, self.t = float(action == self.where), self.t + 1
        return self._next(), reward, self.t == 5, False, {}


@pytest.mark.long
def test_images_are_bytes_until_the_batch():
    env = Env(Brightest(), seed=0)
    fit = {"epochs": 2, "batch_size": 50}
    agent = agent_for(env, policy_step={"region": {"max_kl": 0.1}}, value_step=fit)
    assert agent.obs_normalizer is None and env.obs_shape == (8, 8, 1)
    paths, update = [], agent.update

    def watched(batch):
        paths.extend(batch)
        update(batch)

    agent.update = watched
    rewards = [reward for _, _, reward, _ in drive(agent, env, 2801)]
    assert {path.obs.dtype for path in paths} == {np.dtype("uint8")}
    assert np.mean(rewards[:400]) < 0.4 and np.mean(rewards[-400:]) > 0.6


def brightest(obs):
    quarters = obs.reshape(2, 4, 2, 4).astype(float).mean(axis=(1, 3))
    return int(quarters.argmax())


def test_demonstrations_of_images(tmp_path):
    """Bytes in memory and in files; a clone sees what the expert saw."""
    env, path = Env(Brightest(), seed=0), tmp_path / "images.npz"
    shown = record_episodes(env, brightest, 30, seed=0)
    episode = shown.episodes[0]
    assert episode.obs.shape == (6, 8, 8, 1) and episode.obs.dtype == np.uint8
    assert all(e.reward.all() for e in shown.episodes)
    write_demonstrations(path, shown)
    again = read_demonstrations(path, shown.environment)
    assert again.digest() == shown.digest()
    assert again.episodes[0].obs.dtype == np.uint8
    agent = agent_for(env)
    clone_expert(agent, again, Cloning(epochs=25, batch_size=30), learning_rate=1e-2)
    agent.act_deterministically = True
    test = record_episodes(env, agent.act, 10, seed=1000)
    assert np.mean(test.returns) > 4
    with pytest.raises(ValueError, match="got images .*clone_expert.* take images"):
        make_gail_agent(env.observation_space, env.action_space, shown)
    floats = [e._replace(obs=e.obs.astype("f")) for e in shown.episodes]
    with pytest.raises(ValueError, match="images of uint8, got float32"):
        Demonstrations(floats, shown.environment)
    wide = [e._replace(obs=e.obs.reshape(6, 64)) for e in shown.episodes]
    with pytest.raises(ValueError, match="expected observations of shape"):
        Demonstrations(wide, shown.environment)
