"""Search for settings of TRPO with Optuna (pip install optuna).

    python examples/tune_with_optuna.py --trials 20

Each trial is a run of its own.  A step hook tells Optuna the mean return on the way, and
Optuna stops the trials that are worse than the median of those before.
"""

import argparse
import collections

from chainertrpo import make_agent, settings_of
from chainertrpo.experiments import (
    eval_performance,
    make_env,
    prepare_run_folder,
    train_agent,
)

import optuna


class Pruning:
    """A step hook that reports the mean return of the last episodes, and may stop."""

    def __init__(self, trial, every):
        self.trial, self.every = trial, every
        self.returns = collections.deque(maxlen=20)

    def episode(self, t, total, length):
        """Remember a return."""
        self.returns.append(total)

    def __call__(self, env, agent, t):
        """Report, if it is time to."""
        if t % self.every or not self.returns:
            return
        self.trial.report(sum(self.returns) / len(self.returns), t)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def objective(trial, args):
    """Train with the settings of a trial; return the mean of 20 episodes."""
    settings = settings_of(
        "chainerrl-reproduction",
        agent={
            "update_interval": trial.suggest_int(
                "update_interval", 250, 2000, step=250
            ),
            "lambd": trial.suggest_float("lambd", 0.9, 1.0),
        },
        policy_step={
            "region": {"max_kl": trial.suggest_float("max_kl", 1e-3, 5e-2, log=True)}
        },
    )
    env = make_env(args.env, seed=trial.number)
    spaces = env.observation_space, env.action_space
    agent = make_agent(*spaces, settings, seed=trial.number)
    config = {"env": env.id, "settings": settings, "trial": trial.number}
    folder = prepare_run_folder(args.outdir, config, env)
    train_agent(agent, env, args.steps, folder, step_hooks=[Pruning(trial, 1000)])
    return eval_performance(env, agent, None, 20)["mean"]


def main():
    """Search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="CartPole-v1")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--outdir", default="results/optuna")
    args = parser.parse_args()
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
    )
    study.optimize(lambda trial: objective(trial, args), n_trials=args.trials)
    print(f"best    {study.best_value:.1f} by {study.best_params}")


if __name__ == "__main__":
    main()
