"""gym and gymnasium: which of them is here, and which of them has an environment."""

import collections
import difflib
import importlib
import importlib.util
import os
import re
import sys
import types
import warnings

from chainertrpo._extras import pip_install

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
INSTALL = {  # the name of a module in an error -> how to install it
    "ale": "pip install 'gymnasium[atari]'",
    "pygame": "pip install 'gymnasium[classic-control]'",
    "gymnasium": "pip install gymnasium",
    "gym": "pip install gym==0.26.2",
}


class BadEnvironmentError(ValueError):
    """An environment that cannot be made or used; the message says why, and the remedy."""


def import_package(name):
    """Import gym or gymnasium, or say how it is installed."""  # noqa: DOC501
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


def remedy(error, env_id=""):
    """Say what to do about an environment that cannot be made.

    Parameters
    ----------
    error : Exception
        Of making it.
    env_id : str
        Its id.

    Returns
    -------
    str
        A sentence, or nothing.
    """
    match = re.fullmatch(r"(?P<name>.+)-v(?P<version>\d+)", env_id)
    comparable = COMPARABLE.get(match["name"]) if match else None
    if comparable is not None and int(match["version"]) < comparable:
        # v2 and v3 need mujoco-py, of which no version runs today.
        return f"Use {match['name']}-v{comparable}, which needs none of that."
    module, colon, _ = env_id.partition(":")
    text = str(error).lower()
    if colon and f"no module named '{module.lower()}'" in text:
        return f"Run it in the folder of {module}.py, or install what it is part of."
    if any(word in text for word in ("egl", "osmesa", "glfw", "opengl", "display")):
        return f"Without a screen: {GL}"
    for module, extra in (("mujoco", "mujoco"), ("box2d", "box2d")):
        if module in text and not importlib.util.find_spec(_MODULES[module]):
            return f"Try: {pip_install(extra)}"
    for module, line in INSTALL.items():
        if module in text and not importlib.util.find_spec(_MODULES[module]):
            return f"Try: {line}"
    return ""


_MODULES = {
    "mujoco": "mujoco",
    "box2d": "Box2D",
    "ale": "ale_py",
    "pygame": "pygame",
    "gymnasium": "gymnasium",
    "gym": "gym",
}
GL = "export MUJOCO_GL=egl, or MUJOCO_GL=osmesa; chainertrpo doctor tries both."


def has_display():
    """Tell whether windows can be shown here; on Linux that needs a display server."""
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform != "linux" or any(map(os.environ.get, names))


def is_of_mujoco(package, env_id):
    """Tell whether gym or gymnasium has an environment that MuJoCo draws."""
    try:
        return "mujoco" in str(package.spec(env_id).entry_point)
    except Exception:  # an id that the package imports itself
        return False


def check_mujoco(package, env_id):
    """Refuse a MUJOCO_GL by which mujoco cannot even be imported."""  # noqa: DOC501
    way = os.environ.get("MUJOCO_GL")
    if not way or not is_of_mujoco(package, env_id):
        return
    if importlib.util.find_spec("mujoco") is None:
        return
    try:
        importlib.import_module("mujoco")
    except Exception as error:  # of PyOpenGL, whatever it is without its library
        raise BadEnvironmentError(
            f"expected a MUJOCO_GL that works, got {way}, with which mujoco cannot be "
            f"imported ({type(error).__name__}: {error}). Without films: unset MUJOCO_GL. "
            f"For films: {GL}"
        ) from error


def import_pygame():
    """Import pygame without its warning of how it finds its own files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("pygame")


def draw_unseen():
    """Start pygame, if it is there, where there is no display.

    Left to itself, SDL looks for one and prints an error that is none.
    """
    if importlib.util.find_spec("pygame") is None:
        return
    pygame = import_pygame()
    chosen = os.environ.get("SDL_VIDEODRIVER")
    os.environ["SDL_VIDEODRIVER"] = chosen or "dummy"
    try:
        pygame.display.init()
    finally:  # whoever asks for a window later is told that nobody would see it
        if chosen is None:
            del os.environ["SDL_VIDEODRIVER"]


def check_display(package, env_id, render_mode):
    """Refuse to render where the graphics library would end the process.

    MuJoCo's window library aborts without a display; so do its pictures, unless
    MUJOCO_GL names another way.  SDL's windows are seen by nobody then, unless
    SDL_VIDEODRIVER names what shows them.

    Parameters
    ----------
    package : module
        gym or gymnasium.
    env_id : str
        The full id.
    render_mode : str or None
        ``human``, ``rgb_array``, or none.

    Raises
    ------
    BadEnvironmentError
        There is no display; the message has the remedy.
    """
    if render_mode is None or has_display():
        return
    drawn = render_mode == "rgb_array"
    if not drawn and not os.environ.get("SDL_VIDEODRIVER"):  # "dummy" is a wish
        raise BadEnvironmentError(
            f"expected a display to show {env_id} in a window, got none (DISPLAY is not "
            "set). Write a film instead: --film demo.gif in a demo, --video replay.gif "
            f"in a replay. If it is drawn by MuJoCo, first: {GL}"
        )
    if not is_of_mujoco(package, env_id):
        draw_unseen()
        return
    if not drawn or os.environ.get("MUJOCO_GL", "").lower() not in ("egl", "osmesa"):
        raise BadEnvironmentError(
            f"expected a display to draw {env_id}, got none (DISPLAY is not set). Without "
            f"a screen: {GL}"
        )


def package_of(env):
    """Return whose class an environment is of, gym or gymnasium, or None."""
    packages = [cls.__module__.split(".")[0] for cls in type(env).__mro__]
    return next((p for p in packages if p in ("gym", "gymnasium")), None)
