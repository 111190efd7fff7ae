"""One run of a comparison: ``python -m chainertrpo.comparison.training FOLDER``.

It is the ordinary training loop with one worker process, so that it has checkpoints: a
killed run goes on from its newest one and ends as if it had not been killed.
"""

import contextlib
import dataclasses
import functools
import importlib
import logging
import os
import signal
import sys
import time

from chainertrpo.agents import make_agent, settings_of
from chainertrpo.comparison.folders import ENVIRONMENT, FINISHED, STEP, is_finished
from chainertrpo.comparison.runs import read_run
from chainertrpo.comparison.table import DETERMINISTIC, FINAL
from chainertrpo.data import write_json
from chainertrpo.experiments import (
    EpisodeLog,
    Interrupted,
    describe_environment,
    draw_learning_curve,
    eval_performance,
    make_env,
    read_table,
    scheduled,
    train_agent_parallel,
)


def train(folder):
    """Train and evaluate what a folder's ``config.json`` says; go on if it was begun.

    Parameters
    ----------
    folder : str
        Of `make_plan`, not finished.
    """
    run = read_run(folder)
    settings = settings_of(run.preset, **run.changes)
    make = functools.partial(make_env, run.env, **settings.get("env", {}))
    agent = build(run, settings, make())
    learn(folder, run, agent, make, scheduled(settings, run.steps))


@contextlib.contextmanager
def _alone(folder):
    """Wait for the process of a killed comparison that is still ending there."""
    if os.name != "posix":
        yield
        return
    fcntl = importlib.import_module("fcntl")
    with open(os.path.join(folder, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def learn(folder, run, agent, make, step_hooks=()):
    """Train an agent and evaluate it; leave ``final.json``.

    Parameters
    ----------
    folder : str
        The run's.
    run : NamedTuple
        With ``seed``, ``steps``, ``eval_interval``, ``eval_n_runs``, ``final_n_runs``.
    agent : OnPolicyAgent
        As it begins.
    make : callable
        Seed -> environment; workers call it too.
    step_hooks : sequence of callable
        As in `train_agent_parallel`.
    """
    # Seeds for evaluation are far from those of training, as in ChainerRL's examples.
    eval_env = make(2**32 - 1 - run.seed)
    write_json(os.path.join(folder, ENVIRONMENT), describe_environment())
    log = EpisodeLog(folder, resume=True)
    parent = os.getppid()

    def note_step(env, agent, t):
        if os.getppid() != parent:  # the comparison was killed: nobody waits for this
            raise Interrupted(signal.SIGTERM)
        path = os.path.join(folder, STEP)
        with open(f"{path}.new", "w") as file:
            file.write(str(t))
        os.replace(f"{path}.new", path)  # a reader sees the old or the new

    began = time.time()
    train_agent_parallel(
        agent,
        make,
        run.steps,
        folder,
        workers=1,
        seed=run.seed,
        eval_env=eval_env,
        eval_n_steps=None,
        eval_n_episodes=run.eval_n_runs,
        eval_interval=run.eval_interval,
        resume=True,
        step_hooks=[note_step, *step_hooks],
        episode_hooks=[log],
    )
    log.close()
    eval_env.close()
    elapsed = read_table(os.path.join(folder, "scores.txt"))["elapsed"]
    seconds = float(elapsed[-1]) if len(elapsed) else time.time() - began
    final = {"elapsed": seconds, **evaluate(agent, run, make)}
    write_json(os.path.join(folder, FINISHED), final)
    draw_learning_curve(folder)


def build(run, settings, env):
    """Build a run's agent.

    Parameters
    ----------
    run : Run
        What to build.
    settings : dict
        Of its preset, with its changes.
    env : Env
        For its spaces.

    Returns
    -------
    OnPolicyAgent
        With Gauss–Newton products where its preset says double backprop: they are equal
        to rounding, and several times faster.
    """
    space = env.observation_space, env.action_space
    return fast(make_agent(*space, settings, seed=run.seed))


def fast(agent):
    """Take Gauss–Newton products where double backprop was asked for: they are equal.

    Parameters
    ----------
    agent : OnPolicyAgent
        Changed in place.

    Returns
    -------
    OnPolicyAgent
        `agent`.
    """
    if getattr(agent.improve, "curvature", None) == "hessian":
        agent.improve = dataclasses.replace(agent.improve, curvature="gauss_newton")
    return agent


def evaluate(agent, run, make):
    """Evaluate the final agent, sampling as in training, then by the most probable actions.

    Parameters
    ----------
    agent : OnPolicyAgent
        Trained.
    run : NamedTuple
        With ``seed`` and ``final_n_runs``.
    make : callable
        Seed -> environment.

    Returns
    -------
    dict of str to dict
        By kind, from `eval_performance`.
    """
    scores = {}
    for kind in (FINAL, DETERMINISTIC):
        env = make(2**31 + run.seed)
        agent.act_deterministically = kind == DETERMINISTIC
        scores[kind] = eval_performance(env, agent, None, run.final_n_runs)
        env.close()
    return scores


def main(train):
    """Do what the folder on the command line says, once nobody else does.

    Parameters
    ----------
    train : callable
        Given the folder, if it is not finished.
    """
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} FOLDER")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    folder = sys.argv[1]
    try:
        with _alone(folder):
            if not is_finished(folder):
                train(folder)
    except Interrupted as stop:
        sys.exit(128 + stop.signal_number)


if __name__ == "__main__":
    main(train)
