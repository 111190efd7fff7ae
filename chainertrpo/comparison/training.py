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
from chainertrpo.comparison.runs import FINISHED, STEP, is_finished, read_run
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

ENVIRONMENT = "environment.json"


def train(folder):
    """Train and evaluate what a folder's ``config.json`` says; go on if it was begun.

    Parameters
    ----------
    folder : str
        Of `make_plan`.
    """
    with _alone(folder):
        if not is_finished(folder):
            _train(folder, read_run(folder))


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


def _train(folder, run):
    # Seeds for evaluation are far from those of training, as in ChainerRL's examples.
    eval_env = make_env(run.env, 2**32 - 1 - run.seed)
    settings = settings_of(run.preset, **run.changes)
    agent = build(run, settings, eval_env)
    write_json(os.path.join(folder, ENVIRONMENT), describe_environment())
    log = EpisodeLog(folder, resume=True)
    parent = os.getppid()

    def note_step(env, agent, t):
        if os.getppid() != parent:  # the comparison was killed: nobody waits for this
            raise Interrupted(signal.SIGTERM)
        with open(os.path.join(folder, STEP), "w") as file:
            file.write(str(t))

    began = time.time()
    train_agent_parallel(
        agent,
        functools.partial(make_env, run.env),
        run.steps,
        folder,
        workers=1,
        seed=run.seed,
        eval_env=eval_env,
        eval_n_steps=None,
        eval_n_episodes=run.eval_n_runs,
        eval_interval=run.eval_interval,
        resume=True,
        step_hooks=[note_step, *scheduled(settings, run.steps)],
        episode_hooks=[log],
    )
    log.close()
    elapsed = read_table(os.path.join(folder, "scores.txt"))["elapsed"]
    seconds = float(elapsed[-1]) if len(elapsed) else time.time() - began
    final = {"elapsed": seconds, **evaluate(agent, run)}
    write_json(os.path.join(folder, FINISHED), final)
    eval_env.close()
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
    agent = make_agent(env.observation_space, env.action_space, settings, seed=run.seed)
    if getattr(agent.improve, "curvature", None) == "hessian":
        agent.improve = dataclasses.replace(agent.improve, curvature="gauss_newton")
    return agent


def evaluate(agent, run):
    """Evaluate the final agent, sampling as in training, then by the most probable actions.

    Parameters
    ----------
    agent : OnPolicyAgent
        Trained.
    run : Run
        What was trained.

    Returns
    -------
    dict of str to dict
        By kind, from `eval_performance`.
    """
    scores = {}
    for kind in (FINAL, DETERMINISTIC):
        env = make_env(run.env, 2**31 + run.seed)
        agent.act_deterministically = kind == DETERMINISTIC
        scores[kind] = eval_performance(env, agent, None, run.final_n_runs)
        env.close()
    return scores


def main():
    """Train the folder on the command line."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.executable} -m chainertrpo.comparison.training FOLDER")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    try:
        train(sys.argv[1])
    except Interrupted as stop:
        sys.exit(128 + stop.signal_number)


if __name__ == "__main__":
    main()
