"""One run of a grid: ``python -m chainertrpo.comparison.training FOLDER``.

It is the ordinary training loop with one worker process, so that it has checkpoints: a
killed run goes on from its newest one and ends as if it had not been killed.  A clone is a
run of no environment steps: it is fitted to the demonstrations and evaluated.
"""

import contextlib
import importlib
import logging
import os
import signal
import sys
import time

from chainertrpo.comparison.builders import build
from chainertrpo.comparison.imitation import prepare
from chainertrpo.comparison.runs import (
    ENVIRONMENT,
    FINISHED,
    STEP,
    is_finished,
    read_run,
)
from chainertrpo.comparison.table import DETERMINISTIC, FINAL
from chainertrpo.data import BadFileError, write_json
from chainertrpo.experiments import (
    BadEnvironmentError,
    EpisodeLog,
    Interrupted,
    describe_environment,
    draw_learning_curve,
    eval_performance,
    read_table,
    scheduled,
    train_agent_parallel,
)


def train(folder):
    """Train and evaluate what a folder's ``config.json`` says; go on if it was begun."""
    run = read_run(folder)
    agent, make, settings = build(folder, run)
    prepare(agent, run, make)
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
    """Train an agent and evaluate it; leave ``final.json``."""
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
        num_envs=1,  # as runs of comparisons always had, whatever their batches
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


def evaluate(agent, run, make):
    """Evaluate as in training, actions sampled, then by the most probable actions."""
    scores = {}
    for kind in (FINAL, DETERMINISTIC):
        env = make(2**31 + run.seed)
        agent.act_deterministically = kind == DETERMINISTIC
        scores[kind] = eval_performance(env, agent, None, run.final_n_runs)
        env.close()
    return scores


def main():
    """Do what the folder on the command line says, once nobody else does."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} FOLDER")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    folder = sys.argv[1]
    try:
        with _alone(folder):
            if not is_finished(folder):
                train(folder)
    except (BadFileError, BadEnvironmentError) as error:
        sys.exit(f"error: {error}")
    except Interrupted as stop:
        sys.exit(128 + stop.signal_number)


if __name__ == "__main__":
    main()
