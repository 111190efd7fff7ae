"""The imitation studies as data: what is varied, for how long, with which settings.

`EXPERT_TASKS` are the experts' settings, `STUDIES` the grids.
"""

from chainertrpo.comparison.grid import Algorithm, Grid, Setting
from chainertrpo.comparison.runs import BC, METHODS
from chainertrpo.comparison.table import TRAINING
from chainertrpo.comparison.tasks import TASKS, Task

FORMS = ("d", "logd", "gail", "airl")

NAMES = {
    ("bc", "ho2016"): "BC",
    ("gail", "ho2016"): "GAIL, TRPO",
    ("gail", "ho2016-ppo"): "GAIL, PPO",
    ("gail", "cartpole-ppo"): "GAIL, PPO",
}
_CLIPPED = {"clip_actions": True}  # Hopper charges 0.001·‖a‖² of what it is given
_CARTPOLE, _ACROBOT = TASKS["CartPole-v1"], TASKS["Acrobot-v1"]

EXPERT_TASKS = {
    "CartPole-v0": _CARTPOLE._replace(goal=195.0),
    "CartPole-v1": _CARTPOLE._replace(steps=300_000),  # so that sampled actions do too
    "Acrobot-v1": _ACROBOT._replace(steps=500_000, goal=-80.0),
    "MountainCar-v0": Task(
        steps=800_000,
        goal=-105.0,
        preset="chainerrl-reproduction",
        changes={
            "agent": {"update_interval": 5000, "gamma": 0.99, "lambd": 0.97},
            "value_step": {"epochs": 10, "batch_size": 64},
        },
    ),
    "Hopper-v4": Task(1_500_000, 3000.0, "chainerrl-reproduction", {"env": _CLIPPED}),
}

# The paper: batches of 5000, 1.5 million steps, a learning rate of 1e-2 everywhere
_BATCH = {"agent": {"update_interval": 2000}}
_CLASSIC = {"ho2016": _BATCH, "ho2016-ppo": _BATCH}
_SLOWER = {**_BATCH, "discriminator": {"learning_rate": 3e-3}}
_MOUNTAIN = {
    "ho2016": _SLOWER,
    # With batches of 2000, minibatches of 64 and Adam's 3e-4 one seed in five failed.
    "ho2016-ppo": {
        **_SLOWER,
        "agent": {"update_interval": 5000},
        "policy_step": {"batch_size": 256},
        "optimizer": {"alpha": 1e-3},
    },
}
# In episodes of 500 steps a beginner has fallen before 19 of 20 of them; it takes large
# batches and a better fitted discriminator to learn from the rest.
_FALLEN = {
    "ho2016": {
        "agent": {"update_interval": 5000},
        "discriminator": {"steps": 20, "batch_size": 1000},
    }
}

_HOPPER = {"ho2016": {"env": _CLIPPED, "agent": {"update_interval": 5000}}}


def _task(
    env, every, steps, settings, *, rewards=("gail",), horizon=None, absorbing=None
):
    """A task of imitation: every k-th pair of an episode, reward forms, episodes' end."""
    own = {"every": (every,), "fixed_horizon": (horizon,), "absorbing": (absorbing,)}
    own["reward"] = rewards
    named = {preset: (preset, changes) for preset, changes in settings.items()}
    return Setting(env, steps, own, named)


def _shown(trajectories, experts=("trained",)):
    return {"trajectories": trajectories, "expert": experts}


_BC = Algorithm("ho2016", "ho2016", {}, "bc")
_TRPO = Algorithm("ho2016", "ho2016", {}, "gail")
_PPO = Algorithm("ho2016-ppo", "ho2016-ppo", {}, "gail")
_LOG_D = {"rewards": ("logd",)}
_ALL = {"rewards": FORMS}
_ENDS = {"rewards": ("gail", "logd", "airl")}

STUDIES = {
    # Ho and Ermon 2016, figure 1 and table 1, the tasks of classic control
    "classic": Grid(
        title="Few demonstrations: behaviour cloning beside GAIL",
        algorithms=(_BC, _TRPO, _PPO),
        tasks=(
            _task("CartPole-v0", 10, 100_000, _CLASSIC),
            _task("Acrobot-v1", 5, 120_000, _CLASSIC, **_LOG_D),
            _task("MountainCar-v0", 5, 300_000, _MOUNTAIN, **_LOG_D),
        ),
        conditions=_shown((1, 4, 7, 10)),
        seeds=(0, 1, 2, 3, 4),
        evaluations=15,
        episodes=(10, 50),
        pictures=("scores", "profiles", "curves"),
    ),
    "reward-forms": Grid(
        title="What a reward form pays for by itself",
        algorithms=(_TRPO,),
        tasks=(
            _task("CartPole-v1", 1, 100_000, _CLASSIC, **_ALL),
            _task("CartPole-v1", 1, 300_000, _FALLEN, **_ALL, horizon=500),
            _task("MountainCar-v0", 1, 200_000, _MOUNTAIN, **_ALL),
            _task("MountainCar-v0", 1, 200_000, _MOUNTAIN, **_ALL, horizon=200),
        ),
        conditions=_shown((10,), ("trained", "always-0", "none")),
        seeds=(0, 1, 2),
        evaluations=12,
        episodes=(5, 25),
    ),
    # Kostrikov et al. 2019, section 4: beside the natural ends of before
    "absorbing": Grid(
        title="An end without a price: absorbing states",
        algorithms=(_TRPO,),
        tasks=(
            _task("CartPole-v1", 1, 60_000, _CLASSIC, **_ENDS),
            _task("CartPole-v1", 1, 60_000, _CLASSIC, **_ENDS, absorbing=500),
        ),
        conditions=_shown((10,), ("trained", "always-0")),
        seeds=(0, 1, 2),
        evaluations=12,
        episodes=(5, 25),
    ),
    # The paper: 50,000 pairs a batch, 500 iterations of 25 million steps; here a tenth of
    # the batch and 400 iterations, and actions are clipped.  Nothing else differs.
    "hopper": Grid(
        title="Hopper from 11 trajectories",
        algorithms=(_BC, _TRPO),
        tasks=(_task("Hopper-v4", 20, 2_000_000, _HOPPER),),
        conditions=_shown((11,)),
        seeds=(0, 1, 2),
        evaluations=30,
        episodes=(10, 50),
        level=0.9,
    ),
    "cartpole-ppo": Grid(
        title="CartPole from 10 demonstrations with a PPO generator",
        algorithms=(Algorithm("cartpole-ppo", "cartpole-ppo", {}, "gail"),),
        tasks=(_task("CartPole-v0", 1, 60_000, {}, rewards=("d",)),),
        conditions=_shown((10,)),
        seeds=(0, 1, 2, 3, 4),
        evaluations=30,
        episodes=(10, 50),
        level=1.0,
        pictures=("curves", "seconds"),
    ),
}


def name_of(row):
    """What the method of a run that imitates is called, such as ``GAIL, TRPO``."""
    key = row.method, row.preset
    return NAMES.get(key, f"{row.method.upper()}, {row.preset}")


def reached(rows, level):
    """The first evaluation of a run's curve whose mean reaches a level, or None."""
    curve = sorted((r for r in rows if r.kind == TRAINING), key=lambda row: row.steps)
    return next((row for row in curve if row.mean >= level), None)


def study_of(rows):
    """The one of `STUDIES` whose rows these are; of a comparison of presets None."""
    names = {row.study for row in rows}
    if names == {None}:
        return None
    known = names <= set(STUDIES) and len(names) == 1
    if not known or not all(row.method in METHODS for row in rows):
        raise ValueError(
            f"expected the rows of one study of {sorted(STUDIES)}, each with a method of "
            f"{METHODS}, got {sorted(map(str, names))} and "
            f"{sorted({str(row.method) for row in rows})}."
        )
    if not all(row.reward in FORMS or row.method == BC for row in rows):
        forms = sorted({str(row.reward) for row in rows})
        raise ValueError(f"expected rewards of {FORMS}, got {forms}.")
    return STUDIES[names.pop()]


def level_of(row):
    """The return that a row's study wants to see reached, or None."""
    share = STUDIES[row.study].level
    if share is None:
        return None
    return row.random_mean + share * (row.expert_mean - row.random_mean)
