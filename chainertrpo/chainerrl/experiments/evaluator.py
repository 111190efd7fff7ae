"""Evaluation, by the names of ChainerRL's file."""

from chainertrpo.chainerrl._gone import refusals
from chainertrpo.experiments import (
    Evaluator,
    eval_performance,
    run_evaluation_episodes,
)

__getattr__ = refusals(__name__)

# One function evaluates in one environment and in several.
batch_run_evaluation_episodes = run_evaluation_episodes

__all__ = [
    "Evaluator",
    "batch_run_evaluation_episodes",
    "eval_performance",
    "run_evaluation_episodes",
]
