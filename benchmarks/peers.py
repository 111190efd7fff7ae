"""The environments of the benchmarks: ours and one for each library compared with.

    python benchmarks/peers.py              # build those that are missing
    python benchmarks/peers.py sb3 pfrl     # only these

Each is a virtual environment of its own under benchmarks/.venvs, with pinned versions and
the same MuJoCo in all.  The other scripts build what they need, and talk to the programs
in benchmarks/workers through JSON; they themselves need nothing but Python.
"""

import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
VENVS = HERE / ".venvs"

MUJOCO = ["mujoco==2.3.3", "imageio"]
TORCH = ["torch==2.13.0"]
# Which Python, and the arguments of each `pip install`.
ENVIRONMENTS = {
    "ours": (
        "3.11",
        [["-e", str(ROOT), "gymnasium==0.29.1", *MUJOCO, "numpy==2.4.6"]],
    ),
    "sb3": (
        "3.11",
        [
            [
                *("sb3-contrib==2.9.2", "stable-baselines3==2.9.2"),
                *("gymnasium==0.29.1", *MUJOCO, *TORCH, "numpy==2.4.6"),
            ]
        ],
    ),
    "pfrl": (
        "3.11",
        [
            [
                *("pfrl==0.4.0", "gym==0.25.2", *MUJOCO, *TORCH),
                *("numpy==1.26.4", "scipy", "packaging"),  # pfrl imports packaging
            ]
        ],
    ),
    "chainerrl": (
        "3.8",
        [
            ["setuptools==59.8.0", "wheel<0.44"],
            [
                *("--no-build-isolation", "chainer==7.8.1", "chainerrl==0.8.0"),
                *("gym==0.25.2", *MUJOCO, "numpy==1.23.5", "scipy==1.10.1"),
            ],
        ],
    ),
}


def interpreter(version):
    """Find a Python: $PYTHON311, or python3.11 on the path (likewise 3.8)."""
    variable = "PYTHON" + version.replace(".", "")
    found = os.environ.get(variable) or shutil.which(f"python{version}")
    if (
        not found
        or subprocess.run([found, "--version"], capture_output=True).returncode
    ):
        sys.exit(f"error: no working python{version}; name one with {variable}=…")
    return found


def build(name):
    """Build an environment if it is missing, and return its Python."""
    version, installs = ENVIRONMENTS[name]
    python, done = VENVS / name / "bin" / "python", VENVS / name / "complete"
    if done.exists():
        return python
    print(f"building {python.parent.parent.relative_to(ROOT)}", file=sys.stderr)
    shutil.rmtree(VENVS / name, ignore_errors=True)
    subprocess.run([interpreter(version), "-m", "venv", VENVS / name], check=True)
    constraints = str(ROOT / "build-constraints.txt")
    env = {
        **os.environ,
        "PIP_BUILD_CONSTRAINT": constraints,  # new pips read this one, old ones the next
        "PIP_CONSTRAINT": "" if name == "chainerrl" else constraints,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    for arguments in installs:
        command = [python, "-m", "pip", "install", "-q", *arguments]
        subprocess.run(command, check=True, env=env)
    done.touch()
    return python


def versions(name, packages):
    """Return the Python and the packages of an environment, as text."""
    code = (
        "import platform, importlib.metadata as m, sys;"
        "print('Python', platform.python_version(), *[f', {p} {m.version(p)}' "
        "for p in sys.argv[1:]], sep=' ')"
    )
    command = [build(name), "-W", "ignore", "-c", code, *packages]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return text.strip().replace(" ,", ",")


def _command(name, worker, threads, checkout):
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if checkout != ROOT:
        env["PYTHONPATH"] = str(checkout)
    if threads:
        for library in ("OMP", "OPENBLAS", "MKL"):
            env[f"{library}_NUM_THREADS"] = str(threads)
    program = pathlib.Path(checkout) / "benchmarks" / "workers" / f"{worker}.py"
    return [build(name), "-W", "ignore", program], env


def run(name, worker, settings, threads=None, checkout=ROOT):
    """Run a program of benchmarks/workers in an environment.

    Parameters
    ----------
    name : str
        A key of `ENVIRONMENTS`.
    worker : str
        The program's name, without .py.
    settings : dict
        What it is told, as JSON.
    threads : int, optional
        Of its numeric libraries; by default what they choose.
    checkout : path, optional
        Whose chainertrpo and benchmarks/workers are run; by default this one's.

    Returns
    -------
    dict
        The JSON on the last line of its output.
    """
    command, env = _command(name, worker, threads, checkout)
    with _orphans_are_ours():
        done = subprocess.run(
            [*command, json.dumps(settings)], env=env, capture_output=True, text=True
        )
    if done.returncode:
        sys.exit(f"error: {worker} {settings} in {name} failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


@contextlib.contextmanager
def _orphans_are_ours():
    """Have what a program leaves behind, on Linux, counted as this process's children.

    Workers are forks of a server that outlives the program for a moment: without this
    their time would be nobody's, and look like another program's.
    """
    if sys.platform != "linux":
        yield
        return
    set_child_subreaper = 36  # of <linux/prctl.h>
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)
    yield
    with contextlib.suppress(ChildProcessError):
        while True:  # until nobody is left
            os.waitpid(-1, 0)


class Session:
    """A program of benchmarks/workers that stays, and measures when it is asked.

    Parameters
    ----------
    name, worker, settings, threads, checkout : as in `run`
        What runs where.
    """

    def __init__(self, name, worker, settings, threads=None, checkout=ROOT):
        command, env = _command(name, worker, threads, checkout)
        pipe = subprocess.PIPE
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (as long as it runs)
        self._process = subprocess.Popen(
            [*command, json.dumps(settings)],
            env=env,
            stdin=pipe,
            stdout=pipe,
            stderr=self._errors,
            text=True,
        )
        self.pid = self._process.pid
        self.ready = self._read()

    def ask(self, **request):
        """Have it measure; return its answer."""
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self):
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self._errors.seek(0)
        sys.exit(f"error: {self._process.args} ended:\n{self._errors.read()[-4000:]}")

    def close(self):
        """End it."""
        self._process.stdin.close()
        self._process.wait()
        self._errors.close()


def main():
    """Build environments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[[], *ENVIRONMENTS])
    for name in parser.parse_args().names or ENVIRONMENTS:
        print(name, build(name))


if __name__ == "__main__":
    main()
