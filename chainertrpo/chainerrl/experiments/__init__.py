"""Loops, evaluation, hooks and folders."""

from chainertrpo.chainerrl._gone import refusals
from chainertrpo.chainerrl.experiments import evaluator, hooks
from chainertrpo.chainerrl.experiments.hooks import LinearInterpolationHook, StepHook
from chainertrpo.chainerrl.experiments.prepare_output_dir import (
    is_under_git_control,
    prepare_output_dir,
)
from chainertrpo.experiments import (
    eval_performance,
    train_agent,
    train_agent_batch,
    train_agent_batch_with_evaluation,
    train_agent_with_evaluation,
)

__getattr__ = refusals(__name__)

__all__ = [
    "LinearInterpolationHook",
    "StepHook",
    "eval_performance",
    "evaluator",
    "hooks",
    "is_under_git_control",
    "prepare_output_dir",
    "train_agent",
    "train_agent_batch",
    "train_agent_batch_with_evaluation",
    "train_agent_with_evaluation",
]
