"""Loops and files around an agent."""

from chainertrpo.experiments.adapting import adapt
from chainertrpo.experiments.alike import RanksDifferError
from chainertrpo.experiments.batch_training import (
    train_agent_batch,
    train_agent_batch_with_evaluation,
)
from chainertrpo.experiments.collection import Collected, Collector
from chainertrpo.experiments.env_check import EnvReport, check_env
from chainertrpo.experiments.envs import Env, make_env
from chainertrpo.experiments.evaluation import (
    eval_performance,
    run_evaluation_episodes,
)
from chainertrpo.experiments.evaluator import Evaluator
from chainertrpo.experiments.hooks import (
    EpisodeLog,
    LearningCurve,
    LinearInterpolationHook,
    scheduled,
    watch,
)
from chainertrpo.experiments.imitation_curve import draw_imitation
from chainertrpo.experiments.ownership import (
    FolderHoldsRunError,
    FolderInUseError,
    owned_folder,
)
from chainertrpo.experiments.packages import BadEnvironmentError, resolve
from chainertrpo.experiments.parallel_training import train_agent_parallel
from chainertrpo.experiments.progress import Progress
from chainertrpo.experiments.run_folder import (
    describe_environment,
    draw_learning_curve,
    prepare_run_folder,
    read_table,
)
from chainertrpo.experiments.sharing import available_cores, default_num_envs
from chainertrpo.experiments.signals import Interrupted
from chainertrpo.experiments.tensorboard import TensorBoardLog
from chainertrpo.experiments.training import train_agent, train_agent_with_evaluation
from chainertrpo.experiments.vector_env import SerialVectorEnv
from chainertrpo.experiments.workers import WorkerError

__all__ = [
    "BadEnvironmentError",
    "Collected",
    "Collector",
    "Env",
    "EnvReport",
    "EpisodeLog",
    "Evaluator",
    "FolderHoldsRunError",
    "FolderInUseError",
    "Interrupted",
    "LearningCurve",
    "LinearInterpolationHook",
    "Progress",
    "RanksDifferError",
    "SerialVectorEnv",
    "TensorBoardLog",
    "WorkerError",
    "adapt",
    "available_cores",
    "check_env",
    "default_num_envs",
    "describe_environment",
    "draw_imitation",
    "draw_learning_curve",
    "eval_performance",
    "make_env",
    "owned_folder",
    "prepare_run_folder",
    "read_table",
    "resolve",
    "run_evaluation_episodes",
    "scheduled",
    "train_agent",
    "train_agent_batch",
    "train_agent_batch_with_evaluation",
    "train_agent_parallel",
    "train_agent_with_evaluation",
    "watch",
]
