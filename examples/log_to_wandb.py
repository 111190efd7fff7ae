"""Follow a run with Weights & Biases (pip install wandb tensorboardX).

    WANDB_MODE=offline python examples/log_to_wandb.py

It reads what `TensorBoardLog` writes: nothing here knows of it but ``sync_tensorboard``.
"""

from chainertrpo import make_agent, settings_of
from chainertrpo.experiments import (
    TensorBoardLog,
    make_env,
    prepare_run_folder,
    train_agent_with_evaluation,
    watch,
)

import wandb

STEPS = 20_000


def main():
    """Train on CartPole."""
    settings = settings_of("chainerrl-reproduction", agent={"update_interval": 1000})
    with wandb.init(project="chainertrpo", config=settings, sync_tensorboard=True):
        env = make_env("CartPole-v1", seed=0)
        config = {"env": env.id, "settings": settings}
        folder = prepare_run_folder("results/wandb", config, env)
        agent = make_agent(env.observation_space, env.action_space, settings, seed=0)
        train_agent_with_evaluation(
            agent,
            env,
            STEPS,
            eval_n_steps=None,
            eval_n_episodes=10,
            eval_interval=5000,
            outdir=folder,
            eval_env=make_env("CartPole-v1", seed=1),
            step_hooks=[*watch(folder, STEPS), TensorBoardLog(folder)],
        )


if __name__ == "__main__":
    main()
