"""Agents that runs have saved, built again as config.json says."""

import glob
import os

from chainertrpo import _compat, make_agent
from chainertrpo.comparison import read_run, settings_of_run
from chainertrpo.data import BadFileError, read_json


def folder_of_agent(folder):
    """Return the agent's folder: itself, or of a run the best one or the last."""
    if not os.path.exists(os.path.join(folder, "config.json")):
        refuse_several(folder)
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


def refuse_several(folder):
    """Ask for one of the runs of a comparison or study."""
    found = sorted(glob.glob(os.path.join(glob.escape(folder), "runs", "*", "*", "*")))
    if found:
        raise FileNotFoundError(
            f"expected the folder of one run, got {folder} with {len(found)}. Give one of "
            f"them, such as {found[0]}."
        )


def config_beside(folder):
    """Read what the run of a saved agent was made with."""
    path = os.path.join(folder, os.pardir, "config.json")
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"expected the folder of a saved agent, got {folder}.")
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"expected config.json in {folder} or in the folder around it, got none. "
            "Give the folder of a run, or one of an agent in it; in a script of yours "
            "prepare_run_folder makes such a one. What agent.save wrote elsewhere, "
            "agent.load reads."
        )
    config = read_json(path)
    if isinstance(config, dict) and "changes" in config and "settings" not in config:
        settings = settings_of_run(read_run(os.path.dirname(path)))  # of a comparison
        config = {**config, "settings": settings, "agent": None}
    if not isinstance(config, dict) or not isinstance(config.get("settings"), dict):
        raise BadFileError(f"{path}: expected the settings of a run. Was it edited?")
    made = config.get("agent") or config["settings"].get("algorithm")
    return {**config, "agent": made}


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
