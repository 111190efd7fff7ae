"""Small tasks: their own settings, as data, and the return that shows they are learned.

The goals are what the TRPO table of rl-baselines3-zoo (``benchmark.md``) reaches; the
settings start from that zoo's ``hyperparams/trpo.yml``, and a comment says where they
differ.
"""

import typing

TASK = "task"  # the preset's name that stands for the settings in `TASKS`


class Task(typing.NamedTuple):
    """Settings of one environment.

    Attributes
    ----------
    steps : int
        Environment steps of training.
    goal : float
        Mean return of the final agent that it should reach.
    preset : str
        The preset that the settings begin with.
    changes : dict
        By part, as `settings_of` takes them.
    """

    steps: int
    goal: float
    preset: str
    changes: dict


TASKS = {
    "CartPole-v1": Task(
        steps=100_000,
        goal=495.0,
        preset="chainerrl-class",  # whose observations are not normalised
        changes={
            "agent": {"update_interval": 1024, "gamma": 0.99, "lambd": 0.98},
            "policy_step": {
                "objective": {"entropy_coef": 0.0},
                "solver": {"iterations": 15},
                "curvature": {"damping": 1e-3},
            },
            # With the zoo's 20 epochs of 512 values lag behind; and where every episode
            # reaches the limit, advantages are noise, and δ is how far a step follows it.
            "value_step": {"epochs": 10, "batch_size": 64},
            "schedules": {"max_kl": [0.01, 1e-4]},
            "policy": {"init": "orthogonal"},
            "vf": {"init": "orthogonal", "last_scale": 1.0},
        },
    ),
    "Acrobot-v1": Task(
        steps=200_000,  # the zoo: 100,000, λ 0.95, minibatches of 128
        goal=-85.0,
        preset="chainerrl-reproduction",
        changes={
            "agent": {"update_interval": 2048, "gamma": 0.99, "lambd": 0.97},
            "policy_step": {"solver": {"iterations": 15}},
            "value_step": {"epochs": 10, "batch_size": 64},
        },
    ),
    "Pendulum-v1": Task(
        steps=200_000,  # the zoo: 100,000, minibatches of 128, gSDE
        goal=-200.0,
        preset="chainerrl-reproduction",
        changes={
            "agent": {"update_interval": 2048, "gamma": 0.9, "lambd": 0.95},
            "policy_step": {"solver": {"iterations": 15}},
            "value_step": {"epochs": 15, "batch_size": 64},
        },
    ),
    "MountainCarContinuous-v0": Task(
        # The zoo needs 50,000 steps with noise that depends smoothly on the state (gSDE).
        # Independent noise finds the goal with wide, clipped actions and large batches.
        steps=200_000,
        goal=90.0,
        preset="chainerrl-reproduction",
        changes={
            "env": {"clip_actions": True},  # 0.1·a² is charged
            "agent": {"update_interval": 8192, "gamma": 0.99, "lambd": 0.95},
            "policy_step": {"solver": {"iterations": 15}},
            "value_step": {"epochs": 10, "batch_size": 128},
            "policy": {"log_std_init": 1.0},
        },
    ),
    # Tabular Q-learning reaches 0.73 to 0.75 (500,000 steps, three seeds, 1,000 episodes),
    # the best policy 0.744 by dynamic programming: the ice is slippery.
    "FrozenLake-v1": Task(
        steps=200_000,
        goal=0.70,
        preset="chainerrl-reproduction",
        changes={  # states are one-hot, so networks without hidden layers are tables
            "agent": {"update_interval": 2000, "gamma": 0.99, "lambd": 0.9},
            # With 0.05 two of five seeds ended below 0.5.
            "policy_step": {"region": {"max_kl": 0.02}, "curvature": {"damping": 1e-3}},
            "value_step": {"epochs": 10},
            "vf_optimizer": {"alpha": 0.01},
            "policy": {"hidden_sizes": []},
            "vf": {"hidden_sizes": [], "last_scale": 0.0},
            "obs_normalizer": None,
        },
    ),
    # The environment says which moves are walls; see docs/spaces.md.
    "Taxi-v3": Task(
        steps=250_000,
        goal=7.0,
        preset="chainerrl-reproduction",
        changes={
            "agent": {"update_interval": 2000, "gamma": 0.99, "lambd": 0.95},
            "policy_step": {"region": {"max_kl": 0.02}, "curvature": {"damping": 1e-3}},
            "policy": {"hidden_sizes": [64]},
            "vf": {"hidden_sizes": [64]},
            "obs_normalizer": None,
        },
    ),
}
