"""ChainerRL's names for its users' scripts of TRPO, PPO and GAIL.

An old script changes its imports, and nothing else::

    import chainertrpo.chainerrl as chainerrl  # before chainer
    from chainertrpo.chainerrl import gym      # gym's interface of that time

Agents, loops and normaliser are this project's, which have ChainerRL 0.8's arguments.
Links, wrappers and helpers are thin, with ChainerRL's names of parameters, so that
``agent.load`` reads folders that ChainerRL saved.  A name that is not here says where it
went (`_gone`).  docs/porting.md has the table.
"""

from chainertrpo.chainerrl import (
    agent,
    agents,
    distribution,
    env,
    envs,
    experiments,
    functions,
    gym,
    initializers,
    links,
    misc,
    optimizers,
    policies,
    policy,
    v_function,
    v_functions,
    wrappers,
)
from chainertrpo.chainerrl._gone import NotHereError, refusals

__getattr__ = refusals(__name__)

__all__ = [
    "NotHereError",
    "agent",
    "agents",
    "distribution",
    "env",
    "envs",
    "experiments",
    "functions",
    "gym",
    "initializers",
    "links",
    "misc",
    "optimizers",
    "policies",
    "policy",
    "v_function",
    "v_functions",
    "wrappers",
]
