"""An imitation study as folders: one a run, planned, recorded and collected."""

import itertools
import math
import os
import typing

from chainertrpo.comparison.experts import record, recording, scores_of
from chainertrpo.comparison.folders import claim, evaluations, read_as, versions_of
from chainertrpo.comparison.imitation import BC, NONE, TRAINED, ImitationRun
from chainertrpo.comparison.imitation_studies import CLONE_EPOCHS, STUDIES


class ImitationRow(typing.NamedTuple):
    """One evaluation, with all that it is compared by.

    Attributes
    ----------
    study, version, env, method, preset, reward, expert : str
        As in `ImitationRun`; `version` as in `Row`.
    fixed_horizon : int or None
        Likewise.
    trajectories, every, seed : int
        Likewise.
    kind, steps, elapsed, n, mean, stdev, median, max, min
        As in `Evaluation`.
    expert_mean, random_mean : float
        Mean returns of the trained expert and of a random player.
    """

    study: str
    version: str
    env: str
    method: str
    preset: str
    reward: str
    expert: str
    fixed_horizon: typing.Optional[int]
    trajectories: int
    every: int
    seed: int
    kind: str
    steps: int
    elapsed: float
    n: int
    mean: float
    stdev: float
    median: float
    max: float
    min: float
    expert_mean: float
    random_mean: float

    @property
    def normalized(self):
        """(x − random) / (expert − random): 0 is a random player, 1 the expert."""
        return (self.mean - self.random_mean) / (self.expert_mean - self.random_mean)


def environments(name):
    """Which environments a study needs experts of.

    Parameters
    ----------
    name : str
        A key of `STUDIES`.

    Returns
    -------
    list of str
        Their ids.

    Raises
    ------
    ValueError
        No such study.
    """
    if name not in STUDIES:
        raise ValueError(f"expected a study of {sorted(STUDIES)}, got {name!r}.")
    return list(dict.fromkeys(setting.env for setting in STUDIES[name].settings))


def plan_study(outdir, name, experts, seeds=None, steps=None):
    """Write the folders of all runs that are not there yet.

    Parameters
    ----------
    outdir : str
        The study's folder.
    name : str
        A key of `STUDIES`.
    experts : str
        Of `plan_experts`.
    seeds : sequence of int, optional
        Instead of the study's.
    steps : int, optional
        Instead of the study's, for GAIL runs.

    Returns
    -------
    list of str
        The folders, seed by seed, so that every cell has its first seeds early.
    """
    study = STUDIES[name]
    cells = list(
        itertools.product(
            study.seeds if seeds is None else seeds,
            study.settings,
            study.trajectories,
            study.methods,
            study.experts,
        )
    )
    folders = []
    for seed, setting, n, (method, preset), expert in cells:
        horizon = setting.horizon
        played_by = (
            TRAINED if expert == NONE else expert
        )  # by none: only for its spaces
        file = recording(os.path.join(experts, setting.env), played_by, horizon)
        n_steps = 0 if method == BC else steps or setting.steps
        for reward in setting.rewards:
            ends = f"fixed{horizon}" if horizon else "natural"
            words = (method, preset, reward, expert, ends, f"{n}x{setting.every}")
            path = os.path.join(
                outdir, "runs", setting.env, "-".join(words), f"seed{seed}"
            )
            run = ImitationRun(
                name,
                setting.env,
                method,
                preset,
                reward,
                expert,
                horizon,
                n,
                setting.every,
                seed,
                n_steps,
                CLONE_EPOCHS if method == BC else setting.clone_epochs,
                setting.changes.get(preset, {}),
                os.path.relpath(file, path),
                max(1, math.ceil(n_steps / study.evaluations)),
                *study.episodes,
            )
            folders.append(claim(path, run, method.upper()))
    return folders


def record_for(name, experts):
    """Record what the runs of a study will read.

    Parameters
    ----------
    name : str
        A key of `STUDIES`.
    experts : str
        Of `plan_experts`; all are trained.
    """
    study = STUDIES[name]
    for setting in study.settings:
        folder = os.path.join(experts, setting.env)
        scores_of(folder)
        for kind in {TRAINED, *study.experts} - {NONE}:
            record(folder, kind, setting.horizon)


def imitation_rows(folder):
    """Collect the evaluations of a run, finished or not.

    Parameters
    ----------
    folder : str
        Of `plan_study`.

    Returns
    -------
    list of ImitationRow
        In the order of their steps.
    """
    run = read_as(ImitationRun, folder)
    found = evaluations(folder, run)
    if not found:
        return []
    file = os.path.normpath(os.path.join(folder, run.demonstrations))
    scores = scores_of(os.path.dirname(file))
    ends = (scores["trained"]["mean"], scores["random"]["mean"])
    head = (run.study, versions_of(folder), *run[1:10])
    return [ImitationRow(*head, *evaluation, *ends) for evaluation in found]
