"""What a run was made with: to go on with it, or to show what it has trained."""

import os

from chainertrpo.data import BadFileError, read_json
from chainertrpo.program.making import env_settings

MAY_CHANGE = {
    "steps",
    "demos",
    "logger_level",
    "log_interval",
    "max_load_bytes",
    "mpi",  # what is learned depends on the number of processes by rounding only
    "quiet",
    "workers",  # nothing that is learned depends on it
}


def check_given(args, saved):
    """Refuse, by name, flags that a resumed run cannot follow."""
    refused = []
    for name in sorted(args.given - MAY_CHANGE - {"resume"}):
        value, was = getattr(args, name), saved.get(name)
        same = value == was or (name == "env" and str(was).startswith(f"{value}-v"))
        if not same:
            refused.append(f"--{name.replace('_', '-')} {value} (it was {was})")
    if refused:
        raise ValueError(
            "expected no other flags than --steps and --workers with --resume, which goes "
            f"on as the run was begun, got {', '.join(refused)}. Leave them out, or "
            "begin a new run."
        )
    if "steps" in args.given and args.steps < saved.get("steps", 0):
        raise ValueError(
            f"expected --steps {saved['steps']} or more with --resume, got {args.steps}."
        )


def recall(args, presets):
    """Take what a run was made with from its config.json: all of it, to go on."""
    folder = args.resume or os.path.dirname(os.path.abspath(args.load))
    path = os.path.join(folder, "config.json")
    saved = {}
    if (args.load or args.resume) and os.path.exists(path):
        saved = read_json(path)
        check_config(path, saved)
    if args.resume:
        if not saved:
            raise FileNotFoundError(f"expected the folder of a run, got no {path}.")
        # Each worker had one environment, before these were a setting of their own.
        saved = {"num_envs": saved.get("workers"), **saved}
        check_given(args, saved)
        own = {"resume", "outdir", *(args.given & MAY_CHANGE)}
        for name in vars(args).keys() & saved.keys() - own:
            setattr(args, name, saved[name])
        if not saved.get("workers"):
            raise BadFileError(
                f"{folder}: a run with --workers 0 has no checkpoints to resume from."
            )
        if not args.workers:
            raise ValueError(
                "expected --workers 1 or more with --resume, got 0: a run without worker "
                "processes keeps no checkpoints."
            )
    # What the preset was then; its name may stand for something else by now.
    own = args.preset is None or args.resume
    args.made_with = saved if own and "settings" in saved else None
    args.env = args.env or saved.get("env", args.default_env)
    args.preset = args.preset or saved.get("preset", args.default_preset)
    del args.default_preset, args.default_env
    flags = {"hidden_sizes", "bound_mean", "scale_actions", "clip_actions"}
    flags |= {"max_episode_steps", "recurrent"}
    for name in flags & vars(args).keys():
        if getattr(args, name) is None:
            setattr(args, name, saved.get(name))
    args.env_settings = env_settings(args, presets)


def check_config(path, saved):
    """Refuse a config.json that no run can have written."""
    kinds = {"settings": dict, "env": str, "preset": str, "steps": int, "workers": int}
    kinds["num_envs"] = (int, type(None))  # None: nothing was trained
    kinds = {name: kind for name, kind in kinds.items() if isinstance(saved, dict)}
    wrong = [
        f"{name} {saved[name]!r}"[:80]
        for name, kind in kinds.items()
        if name in saved and not isinstance(saved[name], kind)
    ]
    if wrong or not kinds:
        raise BadFileError(
            f"{path}: expected the settings of a run, got {', '.join(wrong) or saved}. "
            "Was it edited?"
        )
