"""What a type checker makes of a program that uses the package (`make lint`); never run.

Each ignored error has to be one: mypy says so if it is not.
"""

from functools import partial

from chainertrpo import TRPO, GaussianPolicy, ValueFunction, make_agent
from chainertrpo.agents import OnPolicyAgent
from chainertrpo.experiments import (
    Env,
    eval_performance,
    make_env,
    train_agent_parallel,
    watch,
)

env: Env = make_env("Hopper", seed=0)
make_env("Hopper", seed="0")  # type: ignore[arg-type]
agent: OnPolicyAgent = make_agent(
    env.observation_space, env.action_space, "npg", seed=0
)
make_agent(env.observation_space, env.action_space)  # type: ignore[call-arg]
make = partial(make_env, "Hopper")
train_agent_parallel(agent, make, 10_000, "out", step_hooks=watch("out", 10_000))
train_agent_parallel(agent, make, "10_000", "out")  # type: ignore[arg-type]
train_agent_parallel(agent, make, 10_000, "out", eval_interva=3)  # type: ignore[call-arg]
mean: float = eval_performance(env, agent, None, 10)["mean"]
policy = GaussianPolicy(11, 3, hidden_sizes=(64, 64), log_std="shared")
GaussianPolicy("11", 3)  # type: ignore[arg-type]
trpo: OnPolicyAgent = TRPO(policy, ValueFunction(11), None, gamma=0.99)
trpo.save(3)  # type: ignore[arg-type]
