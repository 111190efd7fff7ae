"""Scripts written for ChainerRL, by `chainertrpo.chainerrl`."""

import argparse
import functools
import importlib
import json
import os
import pathlib
import subprocess
import sys

import chainertrpo
import chainertrpo.chainerrl as chainerrl
from chainertrpo.chainerrl import gym

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
import pytest
from worlds import Point

NAMES = pathlib.Path(__file__).parent / "fixtures" / "chainerrl_names.txt"


@pytest.mark.parametrize("name", NAMES.read_text().split())
def test_every_name_is_here_or_says_where_it_went(name):
    module, _, name = f"chainertrpo.chainerrl.{name}".rpartition(".")
    module = importlib.import_module(module)
    try:
        assert getattr(module, name) is not None
    except chainerrl.NotHereError as error:
        inside = module.__name__.replace("chainertrpo.", "")
        assert str(error).startswith(f"{inside}.{name} is not here: ")
        assert len(str(error)) > len(inside) + len(name) + 40


def test_most_names_of_trust_region_scripts_are_here():
    wanted = (
        "agents.TRPO agents.PPO agents.a3c.A3CModel links.MLP links.Branched "
        "policies.FCGaussianPolicyWithStateIndependentCovariance wrappers.Monitor "
        "experiments.train_agent_with_evaluation misc.env_modifiers.make_rendered"
    )
    for name in wanted.split():
        functools.reduce(getattr, name.split("."), chainerrl)


def test_a_from_import_keeps_the_sentence():
    with pytest.raises(ImportError, match="DQN is not here.*PFRL"):
        from chainertrpo.chainerrl.agents import DQN  # noqa: F401
    with pytest.raises(ImportError, match="recurrent.*StatelessRecurrentSequential"):
        from chainertrpo.chainerrl import recurrent  # noqa: F401
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        chainerrl.policies.nonsense  # noqa: B018


# Scripts


def gaussian_policy(obs_size, action_size, **more):
    return chainerrl.policies.FCGaussianPolicyWithStateIndependentCovariance(
        obs_size,
        action_size,
        n_hidden_layers=2,
        n_hidden_channels=8,
        nonlinearity=F.tanh,
        mean_wscale=0.01,
        var_type="diagonal",
        var_func=lambda x: F.exp(2 * x),
        **more,
    )


def softmax_policy(obs_size, n_actions):
    return chainerrl.policies.FCSoftmaxPolicy(
        obs_size, n_actions, n_hidden_layers=1, n_hidden_channels=8, last_wscale=0.01
    )


def trpo(policy, obs_size, **more):
    vf = chainerrl.v_functions.FCVFunction(
        obs_size, n_hidden_layers=1, n_hidden_channels=8, nonlinearity=F.tanh
    )
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(vf)
    return chainerrl.agents.TRPO(
        policy=policy,
        vf=vf,
        vf_optimizer=optimizer,
        obs_normalizer=chainerrl.links.EmpiricalNormalization(obs_size),
        update_interval=40,
        vf_epochs=1,
        **more,
    )


def lazy_model(action_size, hidden=8):
    """A policy and values that have never seen an observation."""
    initial = chainerrl.initializers.Orthogonal(1.0)
    policy = chainer.Sequential(
        L.Linear(None, hidden, initialW=initial),
        F.tanh,
        L.Linear(None, action_size),
        chainerrl.policies.GaussianHeadWithStateIndependentCovariance(
            action_size, var_type="diagonal", var_func=lambda x: F.exp(2 * x)
        ),
    )
    vf = chainer.Sequential(L.Linear(None, hidden), F.tanh, L.Linear(None, 1))
    return chainerrl.links.Branched(policy, vf)


def ppo(model, **more):
    optimizer = chainer.optimizers.Adam(3e-4)
    optimizer.setup(model)
    optimizer.add_hook(chainerrl.optimizers.NonbiasWeightDecay(1e-4))
    settings = {"update_interval": 40, "minibatch_size": 20, "epochs": 2, **more}
    return chainerrl.agents.PPO(model, optimizer, **settings)


@pytest.mark.parametrize("discrete", [False, True])
def test_a_trpo_script(tmp_path, discrete):
    chainerrl.misc.set_random_seed(3, gpus=(-1,))
    args = argparse.Namespace(steps=120, phi=lambda x: x)
    outdir = chainerrl.experiments.prepare_output_dir(args, str(tmp_path))
    env = chainerrl.wrappers.CastObservationToFloat32(Point(discrete=discrete))
    env = chainerrl.wrappers.ScaleReward(env, 0.1)
    policy = softmax_policy(2, 3) if discrete else gaussian_policy(2, 1)
    seen = chainer.Variable(np.zeros((1, 2), "f"))
    chainerrl.misc.draw_computational_graph([policy(seen)], f"{outdir}/policy")
    agent = trpo(policy, 2)
    before = [p.array.copy() for p in policy.params()]
    values = []
    chainerrl.experiments.train_agent_with_evaluation(
        agent=agent,
        env=env,
        eval_env=Point(discrete=discrete),
        outdir=outdir,
        steps=args.steps,
        eval_n_steps=None,
        eval_n_episodes=2,
        eval_interval=60,
        train_max_episode_len=10,
        step_hooks=[
            chainerrl.experiments.LinearInterpolationHook(
                120, 1.0, 0.0, lambda env, agent, value: values.append(value)
            )
        ],
    )
    assert agent.n_updates == 3 and values[0] == 1 and values[-1] == 0
    assert any((a != p.array).any() for a, p in zip(before, policy.params()))
    assert {"args.txt", "command.txt", "scores.txt", "policy.gv", "120_finish"} <= set(
        os.listdir(outdir)
    )
    assert "environ.txt" not in os.listdir(outdir)  # it would hold passwords
    assert json.loads(pathlib.Path(outdir, "args.txt").read_text())["steps"] == 120
    stats = chainerrl.experiments.eval_performance(
        env=env, agent=agent, n_steps=None, n_episodes=2, max_episode_len=10
    )
    assert stats["episodes"] == 2


def test_seeds_make_a_script_repeatable():
    def actions():
        chainerrl.misc.set_random_seed(5)
        agent = trpo(gaussian_policy(2, 1), 2)
        return [agent.act_and_train(np.ones(2, "f"), 0.0) for _ in range(5)]

    assert np.array_equal(actions(), actions())


def test_ppo_with_networks_that_were_never_called(tmp_path):
    agent = ppo(lazy_model(1))
    env = chainerrl.envs.MultiprocessVectorEnv(
        [functools.partial(Point, seed=i) for i in range(2)]
    )
    eval_env = chainerrl.envs.SerialVectorEnv([Point(seed=9)])
    chainerrl.experiments.train_agent_batch_with_evaluation(
        agent=agent,
        env=env,
        eval_env=eval_env,
        outdir=str(tmp_path),
        steps=80,
        eval_n_steps=None,
        eval_n_episodes=2,
        eval_interval=40,
        log_interval=40,
        max_episode_len=10,
        save_best_so_far_agent=False,
    )
    env.close()
    assert agent.n_updates == 2
    other = ppo(lazy_model(1))
    other.load(str(tmp_path / "80_finish"))
    arrays = (dict(a.model.namedparams()) for a in (agent, other))
    ours, read = ({k: p.array for k, p in found.items()} for found in arrays)
    assert ours.keys() == read.keys()
    assert all(np.array_equal(ours[k], read[k]) for k in ours)


class Joint(chainer.ChainList, chainerrl.agents.a3c.A3CModel):
    def __init__(self):
        self.pi = chainerrl.policies.SoftmaxPolicy(chainerrl.links.MLP(2, 3, (8,)))
        self.v = chainerrl.links.MLP(2, 1, hidden_sizes=(8,))
        super().__init__(self.pi, self.v)

    def pi_and_v(self, state):
        return self.pi(state), self.v(state)


def test_a_model_of_a_users_own():
    agent, env = ppo(Joint()), Point(discrete=True)
    for _ in range(5):
        obs, reward, done = env.reset(), 0.0, False
        while not done:
            obs, reward, done, _ = env.step(agent.act_and_train(obs, reward))
        agent.stop_episode_and_train(obs, reward, done)
    assert agent.n_updates == 1 and np.isfinite(
        dict(agent.get_statistics())["average_value"]
    )


def test_rewards_within_a_subclass_are_refused():
    with pytest.raises(TypeError, match="_update.*rewards=chainertrpo.Discriminator"):

        class GAIL(chainerrl.agents.PPO):
            def _update(self, dataset):
                pass


# Files


def test_names_of_parameters_are_those_of_chainerrls_files():
    def names(link):
        return sorted(name for name, _ in link.namedparams())

    mean = [f"/hidden_layers/{i}/{x}" for i in range(3) for x in "Wb"]
    assert names(gaussian_policy(2, 1)) == sorted([*mean, "/var_param"])
    layers = ["/model/hidden_layers/0/", "/model/output/"]
    assert names(softmax_policy(2, 3)) == sorted(a + x for a in layers for x in "Wb")
    policy = chainerrl.policies.FCGaussianPolicy(2, 1, 2, 8)
    assert names(policy) == sorted(f"/{i}/{x}" for i in range(4) for x in "Wb")
    assert policy.mean_layer.W.shape == (1, 8) and names(policy.mean_layer) == [
        "/W",
        "/b",
    ]


def test_load_reads_what_chainerrl_saved(tmp_path):
    saved, read = (trpo(gaussian_policy(2, 1), 2) for _ in range(2))
    saved.save(tmp_path / "agent")
    (tmp_path / "agent" / "agent.json").unlink()  # ChainerRL wrote none
    read.load(tmp_path / "agent")
    for a, b in zip(saved.policy.params(), read.policy.params()):
        assert np.array_equal(a.array, b.array)
    with pytest.raises(FileNotFoundError):
        read.load(tmp_path / "nothing")


def test_saving_attributes_of_a_users_class(tmp_path):
    class Saved(chainerrl.agent.AttributeSavingMixin):
        saved_attributes = ("model", "inner", "nothing")

        def __init__(self, inner=None):
            self.model, self.inner, self.nothing = L.Linear(2, 3), inner, None

    one, other = Saved(Saved()), Saved(Saved())
    one.save(tmp_path)
    other.load(tmp_path)
    assert np.array_equal(one.model.W.array, other.model.W.array)
    assert np.array_equal(one.inner.model.W.array, other.inner.model.W.array)


# Distributions, links, hooks


def test_gaussians_by_variance():
    rng = np.random.RandomState(0)
    mean, var = rng.randn(4, 2).astype("f"), rng.rand(4, 2).astype("f") + 0.5
    a, dist = rng.randn(4, 2).astype("f"), None
    dist = chainerrl.distribution.GaussianDistribution(mean, chainer.Variable(var))
    density = np.exp(-((a - mean) ** 2) / (2 * var)) / np.sqrt(2 * np.pi * var)
    np.testing.assert_allclose(dist.prob(a).array, density.prod(axis=1), rtol=1e-5)
    np.testing.assert_allclose(dist.var.array, var, rtol=1e-6)
    np.testing.assert_allclose(dist.ln_var.array, np.log(var), rtol=1e-5, atol=1e-6)
    assert np.abs(dist.kl(dist.copy()).array).max() < 1e-6
    shared = chainerrl.distribution.GaussianDistribution(mean, chainer.Variable(var[0]))
    assert shared.var.shape == (4, 2)


@pytest.mark.parametrize("beta, min_prob", [(1.0, 0.0), (2.5, 0.0), (0.5, 0.1)])
def test_softmax_with_a_temperature_and_a_floor(beta, min_prob):
    logits = np.random.RandomState(0).randn(5, 4).astype("f")
    dist = chainerrl.distribution.SoftmaxDistribution(logits, beta, min_prob)
    e = np.exp(beta * logits)
    p = e / e.sum(axis=1, keepdims=True) * (1 - 4 * min_prob) + min_prob
    np.testing.assert_allclose(dist.all_prob.array, p, rtol=1e-5)
    np.testing.assert_allclose(dist.prob(np.full(5, 2)).array, p[:, 2], rtol=1e-5)
    np.testing.assert_allclose(dist.entropy.array, -(p * np.log(p)).sum(1), rtol=1e-5)
    with pytest.raises(ValueError, match="min_prob"):
        chainerrl.distribution.SoftmaxDistribution(logits, 1.0, 0.3)


@pytest.mark.parametrize("var_type, n", [("spherical", 1), ("diagonal", 3)])
def test_policies_with_bounds_and_variances(var_type, n):
    low, high = np.array([-1, -2, 0], "f"), np.array([1, 2, 4], "f")
    bounds = {"min_action": low, "max_action": high, "bound_mean": True}
    x = 100 * np.random.RandomState(0).randn(50, 2).astype("f")
    policies = [
        chainerrl.policies.FCGaussianPolicy(
            2, 3, 1, 8, var_type=var_type, min_var=0.2, **bounds
        ),
        chainerrl.policies.FCGaussianPolicyWithStateIndependentCovariance(
            2, 3, 1, 8, var_type=var_type, **bounds
        ),
        chainerrl.policies.FCGaussianPolicyWithFixedCovariance(2, 3, 0.3, 0, **bounds),
    ]
    assert policies[0].var_layer.W.shape[0] == policies[1].var_param.size == n
    for policy in policies:
        dist = policy(x)
        assert (low <= dist.mean.array).all() and (dist.mean.array <= high).all()
        assert np.ptp(dist.mean.array, axis=0).max() > 0.5  # it does depend on x
    assert policies[0](x).var.array.min() > 0.2 - 1e-6
    np.testing.assert_allclose(policies[1](x).var.array, np.log(2), rtol=1e-5)
    np.testing.assert_allclose(policies[2](x).var.array, 0.3, rtol=1e-5)
    with pytest.raises(ValueError, match="var_type"):
        chainerrl.policies.FCGaussianPolicy(2, 3, var_type="full")


def test_weight_decay_leaves_biases():
    link = L.Linear(2, 3, initial_bias=1.0)
    optimizer = chainer.optimizers.SGD(1.0).setup(link)
    optimizer.add_hook(chainerrl.optimizers.NonbiasWeightDecay(0.25))
    w = link.W.array.copy()
    link.W.grad, link.b.grad = np.zeros_like(w), np.zeros(3, "f")
    optimizer.update()
    np.testing.assert_allclose(link.W.array, 0.75 * w, rtol=1e-6)
    assert (link.b.array == 1).all()


def test_sequences_pass_arguments_on():
    layers = (L.Linear(2, 3), lambda x, times=1: x * times, F.relu)
    sequence, x = chainerrl.links.Sequence(*layers), np.ones((1, 2), "f")
    once, twice = sequence(x).array, sequence(x, times=2).array
    np.testing.assert_allclose(twice, 2 * once)
    assert len(list(sequence.params())) == 2


def test_conjugate_gradient_solves():
    a = np.array([[4.0, 1.0], [1.0, 3.0]])
    x = chainerrl.misc.conjugate_gradient(a.dot, np.array([1.0, 2.0]))
    np.testing.assert_allclose(a.dot(x), [1, 2])


def test_persistent_values_by_path():
    chain = chainer.Sequential(chainerrl.links.EmpiricalNormalization(2))
    paths = [path for path, _ in chainerrl.misc.namedpersistent(chain)]
    assert paths == ["/0/_mean", "/0/_var", "/0/count"]


# Environments


def test_gyms_interface_of_that_time():
    env = gym.make("CartPole-v1")
    assert isinstance(env.observation_space, gym.spaces.Box)
    assert isinstance(env.action_space, gym.spaces.Discrete)
    assert env.spec.max_episode_steps == 500
    env.seed(2**32 - 4)  # what scripts give environments of tests
    first = env.reset()
    env.seed(2**32 - 4)
    assert np.array_equal(first, env.reset()) and first.dtype == np.float32
    steps, done = 0, False
    while not done:
        obs, reward, done, info = env.step(1)
        steps += 1
    assert reward == 1 and steps < 20 and "TimeLimit.truncated" not in info
    with pytest.raises(AttributeError, match="gymnasium for all else"):
        gym.vector  # noqa: B018


def test_a_time_limit_ends_or_cuts():
    def last(env):
        env.reset()
        for _ in range(200):
            result = env.step(np.zeros(1, "f"))
        return result[2:]

    done, info = last(gym.make("Pendulum-v1"))
    assert done and info["TimeLimit.truncated"]
    cut = chainerrl.wrappers.ContinuingTimeLimit(gym.make("Pendulum-v1"), 200)
    done, info = last(cut)
    assert not done and info["needs_reset"]


def test_wrappers_of_actions_and_rewards():
    class Echo(gym.Env):
        observation_space = gym.spaces.Box(-9, 9, (2,), np.float64)
        action_space = gym.spaces.Box(
            np.array([-1, 0], "f"), np.array([3, 1], "f"), dtype=np.float32
        )

        def reset(self):
            return np.zeros(2)

        def step(self, action):
            return np.asarray(action, float), 2.0, False, {}

    env = chainerrl.wrappers.NormalizeActionSpace(Echo())
    assert (env.action_space.low == -1).all() and (env.action_space.high == 1).all()
    env = chainerrl.wrappers.CastObservationToFloat32(
        chainerrl.wrappers.ScaleReward(env, 0.5)
    )
    obs, reward, _, _ = env.step(np.array([-1, 1], "f"))
    assert obs.tolist() == [-1, 1] and obs.dtype == np.float32
    assert reward == 1 and env.original_reward == 2
    assert type(env.unwrapped) is Echo
    with pytest.raises(ValueError, match="Box"):
        chainerrl.wrappers.NormalizeActionSpace(Point(discrete=True))


def test_env_modifiers():
    modify = chainerrl.misc.env_modifiers
    env = Point(length=10)
    modify.make_action_filtered(env, lambda a: np.zeros(1))
    modify.make_reward_filtered(env, lambda r: 1.0 + 0 * r)
    modify.make_action_repeated(env, 2)
    modify.make_timestep_limited(env, 3)
    for _ in range(2):
        env.reset()
        results = [env.step(np.ones(1)) for _ in range(3)]
        assert [r[1] for r in results] == [2.0] * 3
        assert [r[2] for r in results] == [False, False, True]
    other = Point()
    modify.make_reward_clipped(other, -0.01, 0)
    other.reset()
    assert other.step(np.ones(1))[1] >= -0.01


def test_monitor_films_and_counts(tmp_path, monkeypatch):
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = chainerrl.wrappers.Monitor(
        gym.make("CartPole-v1"), str(tmp_path), video_callable=lambda i: i == 1
    )
    env.seed(0)
    for _ in range(3):
        env.reset()
        while not env.step(0)[2]:
            pass
    env.close()
    (film,) = tmp_path.glob("*.gif")
    assert "episode000001" in film.name and film.read_bytes()[:3] == b"GIF"
    rows = next(tmp_path.glob("*.json")).read_text().splitlines()
    assert [json.loads(row)["episode"] for row in rows] == [0, 1, 2]
    with pytest.raises(
        chainertrpo.experiments.BadEnvironmentError, match="render_mode"
    ):
        env.render(mode="human")


def test_processes_end_and_say_why_they_failed():
    class Broken(Point):
        def step(self, action):
            raise ZeroDivisionError("of this test")

    env = chainerrl.envs.MultiprocessVectorEnv([Point, Broken])
    assert env.num_envs == 2 and len(env.reset()) == 2
    with pytest.raises(chainertrpo.experiments.WorkerError, match="of this test"):
        env.step([np.zeros(1)] * 2)
    processes = [remote._process for remote in env.envs]
    env.close()
    assert not any(process.is_alive() for process in processes)
    assert env.num_envs == 0


# Chainer before this package


def test_a_failed_import_of_chainer_before_ours_does_no_harm():
    code = (
        "import sys\n"
        "sys.modules['chainer.iterators'] = None\n"  # fails late in chainer/__init__
        "try:\n    import chainer\nexcept Exception:\n    pass\nelse:\n    assert False\n"
        "del sys.modules['chainer.iterators']\n"
        "assert any(name.startswith('chainer.') for name in sys.modules)\n"
        "import chainertrpo.chainerrl\n"
        "import chainer, numpy\n"
        "y = chainer.links.Linear(2, 1)(numpy.ones((1, 2), 'f'))\n"
        "assert isinstance(y, chainer.Variable)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
