"""Agents that remember: their episodes, batches, files, and what they can learn."""

from chainertrpo import (
    PPO,
    TRPO,
    ActorCritic,
    GaussianPolicy,
    ValueFunction,
    make_agent,
    settings_of,
)
from chainertrpo.agents import clone_expert, make_gail_agent
from chainertrpo.data import Demonstrations, Episode, Path, environment_header
from chainertrpo.experiments import train_agent_parallel
from chainertrpo.experiments.acting_together import Together
from chainertrpo.experiments.adapting import adapt
from chainertrpo.experiments.envs import Env
from chainertrpo.experiments.episodes import STATE_SIZE
from chainertrpo.experiments.recording import record_episodes
from chainertrpo.numerics import flatten
from chainertrpo.policies import parts
from chainertrpo.updates import Cloning, Curvature, Gram, NaturalStep
from chainertrpo.updates.reward_forms import TerminationBiasWarning

import chainer
import numpy as np
import pytest
from protocol import AgentContract, drive
from worlds import Point, Repeat, spaces

CORE = {"core": "gru", "core_size": 6}


class Echo:
    """The action must be the observation `back` steps ago; 1 is paid for that."""

    def __init__(self, seed=0, back=1, length=20, n=4):
        self.back, self.length, self.n = back, length, n
        self.rng = np.random.RandomState(seed)
        self.observation_space = spaces.Box(0, 1, (n,), np.float32)
        self.action_space = spaces.Discrete(n)

    def seed(self, seed):
        self.rng = np.random.RandomState(seed)

    def _obs(self):
        self.seen.append(self.rng.randint(self.n))
        return np.eye(self.n, dtype="f")[self.seen[-1]]

    def reset(self):
        self.seen = []
        return self._obs()

    def step(self, action):
        known = len(self.seen) > self.back
        right = known and int(action) == self.seen[-1 - self.back]
        done = len(self.seen) == self.length
        return self._obs(), float(right), done, {}


PRESETS = {
    "trpo": ("chainerrl-reproduction", {"agent": {"update_interval": 20}}),
    "gauss-newton": (
        "chainerrl-reproduction",
        {"policy_step": {"curvature": {"kind": "gauss_newton"}}},
    ),
    "ppo": (
        "chainerrl-ppo-reproduction",
        {"policy_step": {"batch_size": 64, "piece_length": 8}},
    ),
}


def agent_for(env, preset="gauss-newton", core=CORE, seed=0, **changes):
    name, own = PRESETS[preset]
    changes = {
        "agent": {"update_interval": 100},
        "vf": {"hidden_sizes": [8]},
        **own,
        **changes,
        "policy": {"hidden_sizes": [8], **core, **changes.get("policy", {})},
    }
    settings = settings_of(name, **changes)
    return make_agent(env.observation_space, env.action_space, settings, seed=seed)


def seen(agent):
    paths = []
    agent.update = paths.extend
    return paths


def hidden_states(agent, obs, carry):
    """Row by row: the hidden state before each, and after the last."""
    (part,) = parts(agent.policy)
    step = part.network.acting(
        part.theta({k: x.array for k, x in agent.policy.namedparams()})
    )
    found = [carry]
    for row in obs:
        found.append(step(row, found[-1])[1])
    return np.array(found)


def test_paths_begin_with_what_was_remembered():
    """Zero at an episode's start and only there; it goes on over the cut of a batch."""
    agent = agent_for(Point(), agent={"update_interval": 25}, obs_normalizer=None)
    paths = seen(agent)
    drive(agent, Point(10), 51)
    assert [len(p.reward) for p in paths] == [10, 10, 5, 5, 10, 10]
    for i, path in enumerate(paths):
        assert path.carry.shape == (6,)
        assert path.carry.any() == (i == 3)
    states = hidden_states(agent, paths[2].obs[:-1], paths[2].carry)
    assert np.allclose(paths[3].carry, states[-1], rtol=0, atol=1e-6)


def test_the_batch_protocol_keeps_a_hidden_state_an_environment():
    agent = agent_for(Point(), agent={"update_interval": 24}, obs_normalizer=None)
    paths = seen(agent)
    envs = [Point(5, True, seed=0), Point(7, False, seed=1)]
    obs = [env.reset() for env in envs]
    for _ in range(12):
        actions = agent.batch_act_and_train(obs)
        obs, rewards, dones, infos = zip(*[e.step(a) for e, a in zip(envs, actions)])
        resets = [info["needs_reset"] for info in infos]
        agent.batch_observe_and_train(obs, rewards, dones, resets)
        obs = [
            env.reset() if done or reset else o
            for env, o, done, reset in zip(envs, obs, dones, resets)
        ]
    assert sorted(len(p.reward) for p in paths) == [2, 5, 5, 5, 7]
    assert not any(path.carry.any() for path in paths)
    agent.batch_act_and_train(obs)  # goes on after the cut of the batch
    for slot in range(2):
        running = agent._recorder._slots[slot]
        cut = next(p for p in paths if np.array_equal(p.obs[-1], running.obs[0]))
        states = hidden_states(agent, cut.obs[:-1], cut.carry)
        assert np.allclose(running.carry, states[-1], rtol=0, atol=1e-6)


def test_acting_without_training_has_a_memory_of_its_own():
    agent = agent_for(Point(), agent={"update_interval": 1000}, obs_normalizer=None)
    twin = agent_for(Point(), agent={"update_interval": 1000}, obs_normalizer=None)
    agent.act_deterministically, one, two = True, np.ones(2), -np.ones(2)
    for _ in range(3):
        first = agent.act(one)
        again = agent.act(one)
        assert not np.array_equal(first, again)
        agent.stop_episode()
        assert np.array_equal(first, agent.act(one))
        agent.stop_episode()
    together = agent.batch_act([one, two])
    later = agent.batch_act([one, two])
    assert not np.array_equal(together, later)
    agent.batch_observe([one, two], [0, 0], [True, False], [False, False])
    restarted = agent.batch_act([one, two])
    assert np.allclose(restarted[0], together[0], rtol=0, atol=1e-6)
    assert not np.allclose(restarted[1], together[1], rtol=0, atol=1e-6)
    logs = [drive(x, Point(), 30) for x in (agent, twin)]
    for (_, a, _, _), (_, b, _, _) in zip(*logs):
        assert np.array_equal(a, b)


def test_the_batch_says_what_acting_said():
    """Log π, hidden states and V of the last observation, row by row."""
    agent = agent_for(Point(), obs_normalizer=None)
    paths = []
    real, agent.update = agent.update, paths.extend
    drive(agent, Point(10), 125)
    paths = paths[:-2] + paths[-1:]  # in any order, not all of them
    batch, _ = agent.batch(paths)
    starts = np.cumsum([0, *(len(p.reward) for p in paths[:-1])])
    assert batch.starts.tolist() == starts.tolist()
    gamma, lambd = agent.gamma, agent.lambd
    advantage = []
    for path, start in zip(paths, starts):
        n = len(path.reward)
        states = hidden_states(agent, path.obs[:-1], path.carry)
        assert np.allclose(batch.hidden[start : start + n], states[:-1], atol=1e-6)
        out = np.concatenate([path.obs, states], axis=1)
        v = agent.vf(out).array[:, 0].astype("d")
        assert np.allclose(batch.value[start : start + n], v[:-1], atol=1e-5)
        v[-1] *= not path.terminal
        delta = path.reward + gamma * v[1:] - v[:-1]
        total = 0
        for one in delta[::-1]:
            total = one + gamma * lambd * total
            advantage.append((start, total))
    advantage = np.array([x for _, x in sorted(advantage, key=lambda pair: pair[0])])
    lengths = [len(p.reward) for p in paths]
    advantage = np.concatenate(
        [x[::-1] for x in np.split(advantage, np.cumsum(lengths)[:-1])]
    )
    advantage = (advantage - advantage.mean()) / advantage.std()
    assert np.allclose(batch.advantage, advantage, atol=1e-4)
    real(paths)
    assert agent.last_step.accepted


@pytest.mark.parametrize("preset", PRESETS)
def test_updates_improve_and_a_seed_repeats_them(preset):
    found = []
    for _ in range(2):
        agent = agent_for(Point(), preset)
        before = flatten(agent.policy)
        drive(agent, Point(), 2 * agent.update_interval + 1)
        assert agent.n_updates == 2 and agent.last_step.accepted
        assert all(map(np.isfinite, dict(agent.get_statistics()).values()))
        assert not np.array_equal(flatten(agent.policy), before)
        found.append(flatten(agent.policy))
    assert np.array_equal(*found)


def test_save_and_load_give_back_the_agent(tmp_path):
    agent = agent_for(Point())
    drive(agent, Point(), 201)
    agent.save(tmp_path / "saved")
    other = agent_for(Point(), seed=7)
    other.load(tmp_path / "saved")
    for one in (agent, other):
        one.act_deterministically = True
        one.stop_episode()
    for obs in np.random.default_rng(0).standard_normal((5, 2)):
        assert np.array_equal(agent.act(obs), other.act(obs))


def make_echo(seed):
    return Echo(seed)


def test_a_resumed_run_is_as_if_never_stopped(tmp_path):
    """Workers' episodes go on with their hidden states, bit for bit."""
    found = []
    for name, stops in (("whole", [600]), ("cut", [300, 600])):
        for steps in stops:
            agent = agent_for(Echo())
            train_agent_parallel(
                agent,
                make_echo,
                steps=steps,
                outdir=str(tmp_path / name),
                workers=2,
                seed=3,
                checkpoint_interval=1,
                resume=steps == 600 and len(stops) == 2,
            )
        found.append(flatten(agent.policy))
    assert np.array_equal(*found)


@pytest.mark.parametrize("num_envs", [1, 3])
def test_workers_keep_a_hidden_state_an_environment(num_envs):
    """Zero where an episode begins; it goes on over the cut, also after a restart."""
    agent = agent_for(Echo(), obs_normalizer=None)
    made = [
        Together(make_echo, 5, range(num_envs), num_envs, np.zeros(STATE_SIZE))
        for _ in range(2)
    ]
    made[0].restart(0)
    shares = [30] * num_envs  # episodes have 20 steps
    first = made[0].collect(agent.actor(), shares, True)
    made[1].restore(agent.actor(), [state for _, _, state in first])
    later = [one.collect(agent.actor(), shares, False) for one in made]
    for (before, _, _), (paths, _, _), (again, _, _) in zip(first, *later):
        assert [len(p.reward) for p in before + paths] == [20, 10, 10, 20]
        assert [p.carry.any() for p in before + paths] == [0, 0, 1, 0]
        for path in before:
            states = hidden_states(agent, path.obs[:-1], path.carry)
        assert np.allclose(paths[0].carry, states[-1], rtol=0, atol=1e-6)
        for one, other in zip(paths, again):
            assert np.array_equal(one.carry, other.carry)
            assert np.array_equal(one.action, other.action)


def test_recorded_episodes_are_forgotten_between():
    env = Echo(length=5)
    agent = agent_for(env)
    agent.act_deterministically = True
    demos = record_episodes(env, agent.act, 2, stop_episode=agent.stop_episode)
    for episode in demos.episodes:
        agent.stop_episode()
        for obs, action in zip(episode.obs, episode.action):
            assert agent.act(obs) == action


def test_repeat_one_step_back_is_learned():
    """In seconds; without memory no better than chance."""
    scores = {}
    for name, core in (("gru", CORE), ("mlp", {})):
        agent = agent_for(
            Echo(),
            core={**core, "core_size": 16} if core else {},
            agent={"update_interval": 400, "gamma": 0.5},
            policy={"hidden_sizes": [16]},
            policy_step={
                "curvature": {"kind": "gauss_newton"},
                "region": {"max_kl": 0.1},
            },
            obs_normalizer=None,
        )
        log = drive(agent, Echo(), 8001)
        rewards = np.array([reward for _, _, reward, _ in log])
        scores[name] = rewards[-400:].mean() * 20 / 19
    assert scores["gru"] > 0.9 and scores["mlp"] < 0.45


def test_chainerrls_arguments():
    policy = GaussianPolicy(2, 1, (4,), **CORE)
    vf = ValueFunction(8, (4,))
    optimizer = chainer.optimizers.Adam().setup(vf)
    agent = TRPO(policy, vf, optimizer, recurrent=True, max_recurrent_sequence_len=5)
    assert agent.policy_step.piece_length == 5
    model = ActorCritic(policy, vf)
    optimizer = chainer.optimizers.Adam().setup(model)
    agent = PPO(model, optimizer, recurrent=True, max_recurrent_sequence_len=7)
    assert agent.policy_step.piece_length == 7
    plain, vf = GaussianPolicy(2, 1, (4,)), ValueFunction(2, (4,))
    optimizer = chainer.optimizers.Adam().setup(vf)
    for given in ({"recurrent": True}, {"max_recurrent_sequence_len": 5}):
        with pytest.raises(ValueError, match="policy with memory.*core='gru'"):
            TRPO(plain, vf, optimizer, **given)
    with pytest.raises(ValueError, match="batch_states"):
        TRPO(plain, vf, optimizer, batch_states=list)


def test_what_does_not_go_with_memory_is_named():
    env = Echo()
    with pytest.raises(ValueError, match="pad_to=None.*got 30"):
        agent_for(env, estimation={"pad_to": 30})
    policy, vf = GaussianPolicy(2, 1, (4,), **CORE), ValueFunction(8, (4,))
    optimizer = chainer.optimizers.Adam().setup(vf)
    gram = NaturalStep(curvature=Curvature("scores", damping=0.1), solver=Gram())
    with pytest.raises(ValueError, match="CG.*got Gram"):
        TRPO(policy, vf, optimizer, policy_step=gram)
    small = ValueFunction(2, (4,))
    with pytest.raises(ValueError, match=r"2 \+ 6 inputs.*got 2"):
        TRPO(policy, small, chainer.optimizers.Adam().setup(small))
    agent = TRPO(policy, vf, optimizer)
    path = Path(np.zeros((3, 2), "f"), np.zeros((2, 1), "f"), np.zeros(2, "f"), True)
    with pytest.raises(ValueError, match=r"carry of shape \(6,\).*got None"):
        agent.update([path])
    with pytest.raises(ValueError, match="actor.carry"):
        agent.actor().sample(np.zeros(2, "f"), np.random.default_rng(0))


def shown(rng, episodes=12, kept=True):
    """An expert that repeats what was one step back."""
    env, found = Echo(3, length=8), []
    header = environment_header(adapt(env))
    for _ in range(episodes):
        obs, done, seen_obs, actions = env.reset(), False, [], []
        while not done:
            seen_obs.append(obs)
            actions.append(env.seen[-2] if len(env.seen) > 1 else 0)
            obs, _, done, _ = env.step(actions[-1])
        n = len(actions)
        mask = None if kept else np.arange(n) % 2 == 0
        seen_obs = np.float32([*seen_obs, obs])
        reward = np.zeros(n, "f")
        found.append(
            Episode(seen_obs, np.array(actions, "i"), reward, True, False, -1, mask)
        )
    return Demonstrations(found, header, {"kind": "script"})


def test_cloning_goes_by_episode(rng):
    """The GRU repeats what it cannot see; whole episodes are held out."""
    losses = {}
    for name, core in (("gru", CORE), ("mlp", {})):
        agent = agent_for(Echo(), core=core, obs_normalizer=None)
        report = clone_expert(agent, shown(rng), Cloning(40, 16), learning_rate=0.01)
        losses[name] = report.validation_loss
    assert losses["gru"] < 0.4 < 0.8 < losses["mlp"]
    with pytest.raises(ValueError, match="whole episodes.*--every"):
        clone_expert(agent_for(Echo()), shown(rng, kept=False))
    policy = agent_for(Echo()).policy
    optimizer = chainer.optimizers.Adam().setup(policy)
    with pytest.raises(ValueError, match="starts.*clone_expert"):
        Cloning()(policy, optimizer, *shown(rng).pairs(), rng)


def test_gail_with_memory(rng):
    env = Echo(length=8)
    agent, _ = make_gail_agent(
        env.observation_space,
        env.action_space,
        shown(rng),
        agent={"update_interval": 63},
        policy={"hidden_sizes": [8], **CORE},
    )
    before = flatten(agent.policy)
    with pytest.warns(TerminationBiasWarning):  # as always where episodes end
        drive(agent, env, 127)
    assert agent.n_updates == 2 and not np.array_equal(before, flatten(agent.policy))


def test_masks_and_memory_go_together():
    env = Env(Repeat(spaces.Discrete(4), "info"), seed=0)
    agent = agent_for(env)
    log = drive(agent, env, 301)
    assert agent.n_updates == 3 and agent.last_step.accepted
    assert max(reward for _, _, reward, _ in log) <= 1  # what is forbidden would pay 9


class TestContract(AgentContract):
    """What every agent keeps to, with memory."""

    # Acting twice on the same observation differs, and learning has tasks of its own.
    test_deterministic_acting = test_it_learns = None

    def make_agent(self, discrete, seed=0, **settings):
        settings = {"update_interval": 1000, **settings}
        return agent_for(Point(discrete=discrete), seed=seed, agent=settings)
