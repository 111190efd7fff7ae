"""ChainerRL's training loops drive TRPO."""

import os

import chainertrpo

import numpy
import pytest
from chainerrl_parts import ABC, chainerrl, gym
from chainerrl_parts import make_agent as make_chainerrl_agent

pytestmark = pytest.mark.filterwarnings("ignore")  # gym's and ChainerRL's own

train_agent_with_evaluation = chainerrl.experiments.train_agent_with_evaluation
COLUMNS = [
    "steps",
    "episodes",
    "elapsed",
    "mean",
    "median",
    "stdev",
    "max",
    "min",
    "average_value",
    "average_entropy",
    "average_kl",
    "average_policy_step_size",
    "explained_variance",
]
FILES = {
    "agent.json",
    "obs_normalizer.npz",
    "policy.npz",
    "vf.npz",
    "vf_optimizer.npz",
}


@pytest.fixture(autouse=True)
def _seed():
    chainerrl.misc.set_random_seed(0)


def make_agent(env, batch_size=64, **agent):
    """This project's TRPO with its own links."""
    fit = {"batch_size": batch_size}
    settings = chainertrpo.settings_of(
        "chainerrl-reproduction", agent=agent, value_step=fit
    )
    return chainertrpo.make_agent(
        env.observation_space, env.action_space, settings, seed=0
    )


def read_scores(outdir):
    """The header and the rows of scores.txt."""
    with open(os.path.join(outdir, "scores.txt")) as file:
        header, *rows = [line.rstrip("\n").split("\t") for line in file]
    return header, numpy.array(rows, float).reshape(len(rows), len(header))


def check_run(outdir, steps):
    """What a run of ChainerRL leaves behind; returns the columns of scores.txt."""
    header, rows = read_scores(outdir)
    assert header == COLUMNS
    assert len(rows) > 1
    assert (numpy.diff(rows[:, 0]) > 0).all()
    assert numpy.isfinite(rows[-1]).all()
    for name in ("best", f"{steps}_finish"):
        assert set(os.listdir(os.path.join(outdir, name))) == FILES
    return dict(zip(header, rows.T))


@pytest.mark.parametrize("episodic", [True, False])
@pytest.mark.parametrize("discrete", [True, False])
def test_train_agent_with_evaluation(tmp_path, discrete, episodic):
    env = ABC(discrete=discrete, episodic=episodic)
    agent = make_agent(env, update_interval=64, batch_size=32)
    train_agent_with_evaluation(
        agent,
        env,
        steps=500,
        eval_n_steps=None,
        eval_n_episodes=3,
        eval_interval=150,
        outdir=str(tmp_path),
        checkpoint_freq=200,
        train_max_episode_len=5,
        eval_env=ABC(discrete=discrete, episodic=episodic),
    )
    check_run(tmp_path, 500)
    assert set(os.listdir(tmp_path / "400_checkpoint")) == FILES
    assert agent.n_updates == 500 // 64


@pytest.mark.parametrize("discrete", [True, False])
def test_abc_is_solved(tmp_path, discrete):
    env = ABC(discrete=discrete, deterministic=True)
    agent = make_agent(
        env,
        update_interval=128,
        batch_size=32,
        gamma=0.5,
        act_deterministically=True,
    )
    train_agent_with_evaluation(
        agent,
        env,
        steps=10000,
        eval_n_steps=None,
        eval_n_episodes=3,
        eval_interval=128,
        outdir=str(tmp_path),
        successful_score=1,
    )
    assert read_scores(tmp_path)[1][-1][COLUMNS.index("mean")] == 1


def test_cartpole_improves(tmp_path):
    env, eval_env = gym.make("CartPole-v1"), gym.make("CartPole-v1")
    env.seed(0)
    eval_env.seed(1)
    agent = make_agent(env, update_interval=1000)
    train_agent_with_evaluation(
        agent,
        env,
        steps=5000,
        eval_n_steps=None,
        eval_n_episodes=10,
        eval_interval=1000,
        outdir=str(tmp_path),
        eval_env=eval_env,
    )
    scores = check_run(tmp_path, 5000)
    assert scores["mean"][-1] > 2 * scores["mean"][0]
    assert agent.last_step.accepted


@pytest.mark.parametrize("episodic", [True, False])
@pytest.mark.parametrize("discrete", [True, False])
def test_train_agent_batch_with_evaluation(tmp_path, discrete, episodic):
    def vector_env(n):
        return chainerrl.envs.SerialVectorEnv(
            [ABC(discrete=discrete, episodic=episodic) for _ in range(n)]
        )

    env = vector_env(4)
    agent = make_agent(env, update_interval=64, batch_size=32)
    chainerrl.experiments.train_agent_batch_with_evaluation(
        agent,
        env,
        steps=512,
        eval_n_steps=None,
        eval_n_episodes=3,
        eval_interval=128,
        outdir=str(tmp_path),
        max_episode_len=5,
        eval_env=vector_env(2),
        log_interval=100,
    )
    check_run(tmp_path, 512)
    assert agent.n_updates == 512 // 64


def test_seed_of_chainerrl_makes_a_run_repeatable(tmp_path):
    def run(seed):
        chainerrl.misc.set_random_seed(seed)
        env = ABC()
        agent = make_chainerrl_agent(chainertrpo.TRPO, env)
        train_agent_with_evaluation(agent, env, 200, None, 3, 100, str(tmp_path))
        return chainertrpo.numerics.flatten(agent.policy)

    numpy.testing.assert_array_equal(run(1), run(1))
    assert (run(1) != run(2)).any()
