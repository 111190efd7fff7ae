"""The training loops, and what they leave in a run's folder."""

import io
import logging
import os

from chainertrpo import TRPO
from chainertrpo.data import read_json
from chainertrpo.experiments import (
    EpisodeLog,
    Evaluator,
    LinearInterpolationHook,
    Progress,
    SerialVectorEnv,
    draw_learning_curve,
    eval_performance,
    make_env,
    prepare_run_folder,
    read_table,
    run_evaluation_episodes,
    train_agent,
    train_agent_batch,
    train_agent_batch_with_evaluation,
    train_agent_with_evaluation,
)
from chainertrpo.experiments.console import LogHandler
from chainertrpo.experiments.evaluator import COLUMNS

import numpy as np
import pytest
from protocol import STATISTICS
from test_agents import make_agent, parts
from worlds import Point


class Recorder:
    """An agent that only writes down what it is told."""

    def __init__(self, action=0):
        self.calls, self.action = [], np.full(1, action, np.float32)
        self.saved = []

    def act_and_train(self, obs, reward):
        self.calls.append(("act_and_train", reward))
        return self.action

    def stop_episode_and_train(self, obs, reward, done=False):
        self.calls.append(("stop", done))

    def act(self, obs):
        return self.action

    def stop_episode(self):
        self.calls.append(("stop_episode",))

    def batch_act_and_train(self, obs):
        self.calls.append(("batch_act", len(obs)))
        return [self.action] * len(obs)

    def batch_observe_and_train(self, obs, rewards, dones, resets):
        self.calls.append(("batch_observe", tuple(dones), tuple(resets)))

    def get_statistics(self):
        return [("average_q", 1.5)]

    def save(self, path):
        self.saved.append(os.path.basename(path))


def stops(agent):
    return [call[1] for call in agent.calls if call[0] == "stop"]


def test_rewards_arrive_one_call_late_and_episodes_end_as_they_should(tmp_path):
    agent = Recorder()
    train_agent(agent, Point(4, True), 10, str(tmp_path), checkpoint_freq=5)
    rewards = [call[1] for call in agent.calls if call[0] == "act_and_train"]
    assert len(rewards) == 10
    assert [i for i, r in enumerate(rewards) if r == 0] == [0, 4, 8]
    assert stops(agent) == [True, True, False]  # the last is cut by the budget
    assert agent.saved == ["5_checkpoint", "10_checkpoint", "10_finish"]
    agent = Recorder()
    train_agent(agent, Point(4, False), 8, str(tmp_path))
    assert stops(agent) == [False, False]
    agent, episodes = Recorder(), []
    train_agent(
        agent,
        Point(100),
        8,
        str(tmp_path),
        max_episode_len=3,
        episode_hooks=[lambda t, total, length: episodes.append((t, length))],
    )
    assert stops(agent) == [False] * 3
    assert episodes == [(3, 3), (6, 3)]  # the last did not end by itself


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_run_is_saved(tmp_path, error):
    def hook(env, agent, t):
        if t == 3:
            raise error

    agent = Recorder()
    with pytest.raises(error):
        train_agent(agent, Point(), 10, str(tmp_path), step_hooks=[hook])
    assert agent.saved == ["3_except"]
    agent = Recorder()
    env = SerialVectorEnv([Point(), Point()])
    env.close = lambda: agent.saved.append("closed")
    with pytest.raises(error):
        train_agent_batch(agent, env, 10, str(tmp_path), step_hooks=[hook])
    assert agent.saved == ["3_except", "closed"]


def test_evaluation_rows_have_chainerrls_columns(tmp_path):
    agent = Recorder()
    train_agent_with_evaluation(
        agent, Point(20), 100, None, 4, 50, str(tmp_path), eval_env=Point(20, seed=1)
    )
    path = tmp_path / "scores.txt"
    header = path.read_text().splitlines()[0].split("\t")
    assert tuple(header) == (*COLUMNS, "average_q")
    table = read_table(path)
    # ChainerRL's rule: at ends of episodes, once an interval has passed.
    assert table["steps"].tolist() == [60, 100]
    assert table["episodes"].tolist() == [3, 5]
    assert agent.saved == ["best", "100_finish"] or agent.saved == [
        "best",
        "best",
        "100_finish",
    ]


def test_a_successful_score_ends_the_run(tmp_path):
    agent = Recorder()
    train_agent_with_evaluation(
        agent, Point(5), 100, None, 2, 10, str(tmp_path), successful_score=-100.0
    )
    assert agent.saved == ["best", "10_finish"]


def test_evaluation_by_episodes_and_by_steps():
    env, agent = Point(5), Recorder()
    assert len(run_evaluation_episodes(env, agent, None, 3)) == 3
    assert len(run_evaluation_episodes(env, agent, 12, None)) == 2
    assert len(run_evaluation_episodes(env, agent, 2, None)) == 1
    assert len(run_evaluation_episodes(env, agent, None, 3, max_episode_len=2)) == 3
    stats = eval_performance(env, agent, None, 1)
    assert stats["stdev"] == 0 and stats["mean"] == stats["median"] == stats["max"]
    with pytest.raises(ValueError, match="one of n_steps and n_episodes"):
        eval_performance(env, agent, 5, 5)


def test_the_batch_loop(tmp_path):
    agent = Recorder()
    env = SerialVectorEnv([Point(3, True), Point(4, False)])
    train_agent_batch(agent, env, 16, str(tmp_path), checkpoint_freq=8)
    observed = [call for call in agent.calls if call[0] == "batch_observe"]
    assert len(observed) == 8
    assert [dones[0] for _, dones, _ in observed] == [0, 0, 1, 0, 0, 1, 0, 0]
    assert [resets[1] for _, _, resets in observed] == [0, 0, 0, 1, 0, 0, 0, 1]
    assert agent.saved == ["8_checkpoint", "16_checkpoint", "16_finish"]
    with pytest.raises(ValueError, match="eval_env"):
        train_agent_batch_with_evaluation(agent, env, 8, None, 1, 4, str(tmp_path))


def test_trpo_in_each_loop_on_real_environments(tmp_path):
    """Two environments at once, gym or gymnasium, both action spaces; files are left."""
    settings = {"update_interval": 200, "vf_epochs": 1}
    for name, discrete in (("CartPole-v1", True), ("Pendulum-v1", False)):
        env = SerialVectorEnv([make_env(name, seed) for seed in (0, 1)])
        size = env.observation_space.shape[0]
        agent = _agent(size, discrete, settings)
        out = tmp_path / name
        train_agent_batch_with_evaluation(
            agent, env, 1000, None, 2, 500, str(out), eval_env=make_env(name, 9)
        )
        assert agent.n_updates == 5
        table = read_table(out / "scores.txt")
        assert list(table)[-5:] == STATISTICS
        assert sorted(p.name for p in out.glob("[!.]*")) == [
            "1000_finish",
            "best",
            "scores.txt",
        ]
        other = _agent(size, discrete, settings)
        other.load(out / "1000_finish")


def _agent(size, discrete, settings):
    from chainertrpo import GaussianPolicy, SoftmaxPolicy, ValueFunction

    import chainer

    build, n = (SoftmaxPolicy, 2) if discrete else (GaussianPolicy, 1)
    vf = ValueFunction(size, (8,), seed=1)
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(vf)
    return TRPO(build(size, n, (8,), seed=0), vf, optimizer, seed=0, **settings)


def test_evaluating_more_often_does_not_change_training(tmp_path):
    saved = []
    for interval in (50, 500):
        agent = make_agent(update_interval=100)
        out = tmp_path / str(interval)
        train_agent_with_evaluation(
            agent, Point(), 600, None, 2, interval, str(out), eval_env=Point(seed=1)
        )
        saved.append((out / "600_finish" / "policy.npz").read_bytes())
    assert saved[0] == saved[1]


def test_linear_interpolation():
    seen = []
    hook = LinearInterpolationHook(11, 1.0, 0.0, lambda env, agent, v: seen.append(v))
    for t in range(1, 14):
        hook(None, None, t)
    np.testing.assert_allclose(seen, [*np.linspace(1, 0, 11), 0, 0], atol=1e-12)
    with pytest.raises(ValueError, match="total_steps >= 2"):
        LinearInterpolationHook(1, 0, 0, None)


def test_a_runs_folder(tmp_path):
    config = {"agent": "TRPO", "env": "Pendulum-v1", "settings": {"gamma": 0.9}}
    out = prepare_run_folder(str(tmp_path), config)
    assert read_json(os.path.join(out, "config.json")) == config
    described = read_json(os.path.join(out, "environment.json"))
    assert described["packages"]["chainer"] == "7.8.1"
    assert "environ" not in described
    assert prepare_run_folder(str(tmp_path), config) != out

    log = EpisodeLog(out)
    stream = io.StringIO()
    progress = Progress(600, stream, seconds=0.0)
    env = make_env("Pendulum-v1", 0)
    agent = TRPO(*parts(), phi=lambda obs: obs[:2], update_interval=200, seed=0)
    train_agent_with_evaluation(
        agent,
        env,
        600,
        None,
        2,
        200,
        out,
        step_hooks=[progress],
        episode_hooks=[log, progress.episode],
    )
    log.close()
    progress.close()
    episodes = read_table(os.path.join(out, "episodes.txt"))
    assert episodes["steps"].tolist() == [200, 400, 600]
    assert episodes["length"].tolist() == [200] * 3
    assert (episodes["return"] < 0).all()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 600 and lines[-1].split()[0] == "600/600"
    for word in ("steps/s", "left", "return", "KL"):
        assert word in lines[-1]
    picture = draw_learning_curve(out)
    with open(picture, "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"


def test_a_bar_on_a_terminal():
    stream = io.StringIO()
    progress = Progress(10, stream, bar=True)
    progress(make_env("CartPole-v1", 0), make_agent(), 10)
    progress.close()
    assert "10/10" in stream.getvalue()


def test_a_killed_run_leaves_readable_tables(tmp_path):
    path = tmp_path / "scores.txt"
    path.write_text("steps\tmean\n10\t1.5\n20\t2.5\n30\t")
    assert read_table(path)["mean"].tolist() == [1.5, 2.5]


def test_the_evaluator_alone(tmp_path):
    evaluator = Evaluator(Recorder(), Point(5), None, 1, 10, str(tmp_path))
    assert evaluator.evaluate_if_necessary(9, 1) is None
    assert evaluator.evaluate_if_necessary(10, 1) <= 0
    assert evaluator.evaluate_if_necessary(19, 1) is None


def test_shortest_episodes(tmp_path):
    agent = make_agent(update_interval=20)
    train_agent(agent, Point(1), 100, str(tmp_path))
    assert agent.n_updates == 5


def test_lines_of_the_log_do_not_share_one_with_the_bar(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    progress = Progress(100, bar=True)
    logger = logging.Logger("evaluations")
    logger.addHandler(LogHandler())
    for t in (1, 50):
        progress(None, None, t)
    logger.info("evaluation at step %d", 50)
    progress(None, None, 100)
    progress.close()
    for line in screen.getvalue().replace("\r", "\n").splitlines():
        assert line == "evaluation at step 50" or "evaluation" not in line
    assert "evaluation at step 50" in screen.getvalue()
