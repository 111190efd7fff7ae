"""Record updates of openai/imitation in float64.

Python 2.7: pip install numpy==1.16.6 scipy==1.2.3 Theano==1.0.5 h5py==2.10.0;
git clone of openai/imitation at 8a2ed90; with any Python 3 that has NumPy:
python tests/parity/record_theano.py PYTHON2 PATH, where PYTHON2 is that interpreter and
PATH the clone.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy
from recording import ACTION_SIZE, FOLDER, HIDDEN, OBS_SIZE, Case, experience, write

PYTHON2, PATH = sys.argv[1:3]
COPIES = {
    "openai-imitation": {"openai/imitation": "8a2ed90"},
}
VERSIONS = "import platform, numpy, scipy, theano; print(platform.python_version(), "
VERSIONS += "numpy.__version__, scipy.__version__, str(theano.__version__))"
N_ACTIONS = 3


def network(rng, n_out, n_in=OBS_SIZE):
    """Parameters at random, none of them 0."""
    arrays, sizes = {}, (n_in, HIDDEN, HIDDEN, n_out)
    for i, (n_in, n) in enumerate(zip(sizes, sizes[1:])):
        arrays[f"mlp/{i}/W"] = rng.standard_normal((n, n_in)) / n_in**0.5
        arrays[f"mlp/{i}/b"] = 0.1 * rng.standard_normal(n)
    return arrays


def seen(x):
    """What a normaliser holds that has seen x."""
    shape = (1, -1) if x.shape[1] > 1 else -1
    mean, var = (y.reshape(shape) for y in (x.mean(0), x.var(0)))
    return {"_mean": mean, "_var": var, "count": numpy.array(len(x))}


def run(arrays):
    """What the ancestor makes of them."""
    with tempfile.TemporaryDirectory() as folder:
        given, taken = (pathlib.Path(folder, f"{x}.npz") for x in ("given", "taken"))
        numpy.savez(given, **arrays)
        # Python's loops: to compile takes longer than an update.
        flags = f"floatX=float64,device=cpu,cxx=,base_compiledir={folder}"
        places = {"HOME": folder, "THEANO_FLAGS": flags}
        script = FOLDER / "theano_updates.py"
        command = [PYTHON2, script, PATH, given, taken]
        subprocess.run(
            command, env={**os.environ, **places}, check=True, stdout=subprocess.DEVNULL
        )
        with numpy.load(taken) as found:
            return dict(found)


def expert_of(data, rng):
    """Pairs to imitate, other than those of `data`, and which of them are drawn."""
    obs = rng.normal(2, 2, (90, OBS_SIZE)).astype("f").astype("d")
    action = rng.normal(1, 1, (90, ACTION_SIZE)).astype("f").astype("d")
    drawn = rng.randint(90, size=len(data["reward"]))
    return {"expert_obs": obs, "expert_action": action, "drawn": drawn}


def record(preset, case=None, max_kl=0.01, damping=0.1, gail=None):
    """One update; with `gail`, settings of a discriminator, one of their imitator."""
    softmax = case == "softmax"
    data = experience(
        n_actions=N_ACTIONS if softmax else None, terminal=(True, True, True, True)
    )
    rng = numpy.random.RandomState(1)
    before = {
        "policy": network(rng, N_ACTIONS if softmax else ACTION_SIZE),
        "vf": network(rng, 1),
    }
    if not softmax:
        before["policy"]["log_std"] = 0.1 * rng.standard_normal(ACTION_SIZE)
    more = {}
    if preset == "openai-imitation":
        earlier = numpy.random.RandomState(2)
        more["given"] = {
            "normalizer": seen(earlier.normal(0, 3, (500, OBS_SIZE))),
            "unit": seen(earlier.normal(5, 30, 500).reshape(-1, 1)),
        }
    if gail is not None:
        more["given"]["discriminator"] = seen(
            earlier.normal(1, 3, (500, OBS_SIZE + ACTION_SIZE))
        )
        before["discriminator"] = network(rng, 1, OBS_SIZE + ACTION_SIZE)
        data.update(expert_of(data, earlier))
    arrays = {**data}
    for when, networks in (("before", before), *more.items()):
        for name, parts in networks.items():
            arrays.update({f"{when}/{name}/{k}": x for k, x in parts.items()})
    settings = {"max_kl": max_kl, "damping": damping, "n_actions": N_ACTIONS}
    if gail is not None:
        settings["gail"] = gail
    found = run({**arrays, "settings": json.dumps(settings)})
    after = {}
    for name, x in found.items():
        if name.startswith("after/"):
            _, which, key = name.split("/", 2)
            after.setdefault(which, {})[key] = x
    if case is not None:
        region, curvature = {"max_kl": max_kl}, {"damping": damping}
        changes = {"policy_step": {"region": region, "curvature": curvature}}
        n_tries, fraction = int(found["n_tries"]), float(found["fraction"])
        iterations = found.get("cg_iterations")
        moves = max_kl > 1e-20
        case = Case(case, changes, n_tries, fraction, iterations, moves)
    command = [PYTHON2, "-c", VERSIONS]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    names = ("python", "numpy", "scipy", "theano")
    versions = dict(zip(names, said.strip(" ()\n").replace("'", "").split(", ")))
    copy = {**versions, **COPIES[preset]}
    folder = FOLDER
    if gail is not None:
        data.update({name: found[name] for name in ("paid", "advantage")})
        data["gail"], folder = numpy.array(json.dumps(gail)), FOLDER / "imitation"
    write(preset, data, before, after, [], copy=copy, case=case, folder=folder, **more)


GAIL = {
    "adam_lr": 0.01,
    "adam_steps": 2,
    "ent_reg_weight": 0.001,
    "favor_zero_expert_reward": False,
}

if __name__ == "__main__":
    record("openai-imitation", gail=GAIL)
    record("openai-imitation")
    record("openai-imitation", "kl", 0.03, 1e-3)
    record("openai-imitation", "kl-twice", 1.0, 1e-4)
    record("openai-imitation", "gain", 10.0)
    record("openai-imitation", "gain-thrice", 100.0)
    record("openai-imitation", "spent", 1e-40)
    record("openai-imitation", "damped", damping=10.0)
