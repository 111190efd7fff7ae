"""Agents that runs have saved, built again as config.json says."""

import os

from chainertrpo import _compat, make_agent
from chainertrpo.data import BadFileError, read_json


def folder_of_agent(folder):
    """Return the agent's folder: itself, or of a run the best one or the last."""
    if not os.path.exists(os.path.join(folder, "config.json")):
        return folder
    saved = [name for name in os.listdir(folder) if name.endswith("_finish")]
    saved.sort(key=lambda name: (len(name), name), reverse=True)
    for name in ["best", *saved, "clone"]:
        if os.path.isdir(os.path.join(folder, name)):
            return os.path.join(folder, name)
    raise FileNotFoundError(
        f"expected a saved agent in {folder}, got none: neither best nor <steps>_finish. "
        "Let the run go on until its first evaluation."
    )


def config_beside(folder):
    """Read what the run of a saved agent was made with."""
    path = os.path.join(folder, os.pardir, "config.json")
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"expected the folder of a saved agent, got {folder}.")
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"expected config.json in the folder that {folder} lies in, got none. Give "
            "the folder of a run, or one of an agent in it."
        )
    config = read_json(path)
    if not isinstance(config, dict) or not isinstance(config.get("settings"), dict):
        raise BadFileError(f"{path}: expected the settings of a run. Was it edited?")
    return config


def saved_agent(folder, env, *, gpu=-1, seed=0):
    """Build an agent and load what it acts by; return it, and config.json."""
    config = config_beside(folder)
    spaces = env.observation_space, env.action_space
    try:
        device = _compat.array_device(gpu)
        agent = make_agent(*spaces, config["settings"], device=device, seed=seed)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadFileError(
            f"{folder}: no agent can be built by the settings in config.json beside it: "
            f"{type(error).__name__}: {error}. Were they edited?"
        ) from error
    agent.load(folder, to_act=True)
    return agent, config
