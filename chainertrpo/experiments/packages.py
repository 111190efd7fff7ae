"""gym and gymnasium: which of them is here, and which of them has an environment."""

import collections
import difflib
import importlib
import importlib.util
import re
import sys
import types
import warnings

# The version whose physics and observations are those of the published results.
COMPARABLE = {
    "Ant": 4,
    "HalfCheetah": 4,
    "Hopper": 4,
    "Humanoid": 4,
    "HumanoidStandup": 4,
    "InvertedDoublePendulum": 4,
    "InvertedPendulum": 4,
    "Pusher": 4,
    "Reacher": 4,
    "Swimmer": 4,
    "Walker2d": 4,
}
INSTALL = {
    "mujoco": "pip install 'chainertrpo[mujoco]'",
    "box2d": "pip install 'chainertrpo[box2d]'",
    "ale": "pip install 'gymnasium[atari]'",
    "pygame": "pip install 'gymnasium[classic-control]'",
    "gymnasium": "pip install gymnasium",
    "gym": "pip install gym==0.26.2",
}


class BadEnvironmentError(ValueError):
    """An environment that cannot be made or used; the message says why, and the remedy."""


def import_package(name):
    """Import gym or gymnasium.

    Parameters
    ----------
    name : str
        ``gym`` or ``gymnasium``.

    Returns
    -------
    module
        The package.

    Raises
    ------
    BadEnvironmentError
        It is not installed.
    """
    if importlib.util.find_spec(name) is None:
        raise BadEnvironmentError(
            f"expected the package {name}, which is not installed. {INSTALL[name]}"
        )
    if name == "gym" and "gym" not in sys.modules:
        # gym prints a notice about its successor on every import; this project chose.
        notices = types.ModuleType("gym_notices.notices")
        notices.notices = {}
        sys.modules.setdefault("gym_notices.notices", notices)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def _registered(package):
    """Ids that a package can make, by name: {"Humanoid": [2, 3, 4]}."""
    registry = package.envs.registry
    ids = registry.keys() if hasattr(registry, "keys") else registry.env_specs.keys()
    versions = collections.defaultdict(list)
    for env_id in ids:
        match = re.fullmatch(r"(?P<name>.+)-v(?P<version>\d+)", env_id)
        if match:
            versions[match["name"]].append(int(match["version"]))
    return versions


def resolve(env_id, package="auto"):
    """Find the package and the full id of an environment.

    A bare name means the newest version that is comparable with history: v4 for MuJoCo
    tasks where it exists, otherwise the newest.

    Parameters
    ----------
    env_id : str
        Such as ``Humanoid`` or ``Hopper-v4``.
    package : str
        ``gym``, ``gymnasium``, or ``auto``: gymnasium where it has the id, else gym.

    Returns
    -------
    (module, str)
        The package and the id.

    Raises
    ------
    BadEnvironmentError
        No package has the id; near names are suggested.
    """
    if package not in ("auto", "gym", "gymnasium"):
        raise BadEnvironmentError(
            f"expected the package auto, gym or gymnasium, got {package!r}."
        )
    names = ["gymnasium", "gym"] if package == "auto" else [package]
    if package == "auto":
        names = [n for n in names if importlib.util.find_spec(n)] or ["gymnasium"]
    near = set()
    for name in names:
        module = import_package(name)
        if ":" in env_id:  # "module:Id-v0": the package imports the module itself
            return module, env_id
        versions = _registered(module)
        match = re.fullmatch(r"(?P<name>.+?)(-v(?P<version>\d+))?", env_id)
        known = versions.get(match["name"] if match else "")
        if known and match["version"] is None:
            preferred = COMPARABLE.get(match["name"])
            version = preferred if preferred in known else max(known)
            return module, f"{match['name']}-v{version}"
        if known and int(match["version"]) in known:
            return module, env_id
        if known:
            near |= {f"{match['name']}-v{v}" for v in known}
        else:
            lower = {key.lower(): key for key in versions}
            wanted = match["name"].lower() if match else env_id.lower()
            found = difflib.get_close_matches(wanted, lower, n=3)
            near |= {f"{lower[f]}-v{max(versions[lower[f]])}" for f in found}
    hint = f" Did you mean {', '.join(sorted(near))}?" if near else ""
    raise BadEnvironmentError(
        f"expected an environment of {' or '.join(names)}, got {env_id!r}.{hint}"
    )


def remedy(error):
    """Say what to install, if an error names what is missing.

    Parameters
    ----------
    error : Exception
        Of making an environment.

    Returns
    -------
    str
        A sentence, or nothing.
    """
    text = str(error).lower()
    lines = [line for key, line in INSTALL.items() if key in text]
    return f"Try: {lines[0]}" if lines else ""
