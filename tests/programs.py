"""Programs as a user starts them, but for the seconds that their imports take.

    python tests/programs.py        # what `run_program` talks to

That process has imported what the examples need, has no thread, and forks for each program:
a process of its own, with arguments, environment, working folder, streams, exit status and
end of the interpreter as `python script ...` has them.  That a program starts from nothing,
and warns of nothing on its way, is tested with `cold=True`, once for each script.
"""

import atexit
import gc
import importlib.util
import json
import os
import pathlib
import random
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import warnings

ROOT = pathlib.Path(__file__).parent.parent
WARM = (
    "chainertrpo.comparison",
    "chainertrpo.experiments",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "mujoco",
    "gymnasium.envs.mujoco" if importlib.util.find_spec("gymnasium") else "gym",
)
_servers = {}


def run_program(script, *args, path=(), cold=False, timeout=300):
    """Run ``python -W error script args``, and wait.

    Parameters
    ----------
    script : path
        Relative to the root of the repository.
    args : list
        Any objects; their strings are what the program is given.
    path : list of path
        Folders from which it may import.
    cold : bool
        Whether it imports everything itself.
    timeout : float
        Seconds; a program that takes longer is killed.

    Returns
    -------
    subprocess.CompletedProcess
        With ``stdout`` and ``stderr``.
    """
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)  # such as a stand-in's
    path = os.pathsep.join(map(str, [ROOT, *path, *filter(None, given)]))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    argv = [str(ROOT / script), *map(str, args)]
    if cold or not hasattr(os, "fork"):
        return subprocess.run(
            [sys.executable, "-W", "error", *argv],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment,
            cwd=ROOT,
        )
    with tempfile.TemporaryDirectory() as folder:
        out, err = (pathlib.Path(folder, name) for name in ("out", "err"))
        job = {"argv": argv, "env": environment, "cwd": str(ROOT)}
        job.update(out=str(out), err=str(err))
        code = _ask(job, timeout)
        return subprocess.CompletedProcess(
            argv, code, out.read_text("utf-8"), err.read_text("utf-8")
        )


def _ask(job, timeout):
    server = _servers.get(os.getpid()) or _start()
    server.stdin.write(json.dumps(job).encode() + b"\n")
    pid = int(server.stdout.readline())
    if not select.select([server.stdout], [], [], timeout)[0]:
        os.kill(pid, signal.SIGKILL)
        raise subprocess.TimeoutExpired(job["argv"], timeout)
    return int(server.stdout.readline())


def _start():
    server = _servers[os.getpid()] = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,  # or a line could be read already, and nothing left to wait for
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    atexit.register(_end, server)
    return server


def _end(server):
    server.stdin.close()
    server.wait()
    server.stdout.close()


def serve():
    """Answer each line of the standard input; return in the process of a program only."""
    jobs, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    for name in WARM:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    gc.freeze()  # or the end of each program would go through all of it
    for line in iter(jobs.readline, ""):
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            jobs.close()
            answers.close()
            return job
        print(pid, file=answers, flush=True)
        status = os.waitpid(pid, 0)[1]
        signalled = os.WIFSIGNALED(status)
        code = -os.WTERMSIG(status) if signalled else os.WEXITSTATUS(status)
        print(code, file=answers, flush=True)
    os._exit(0)


def become(job):
    """Be as a process that has just been started."""
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(job[name], os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    lines = 1 if job["env"].get("PYTHONUNBUFFERED") else -1
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", lines, closefd=False)
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", 1, closefd=False)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    sys.argv[:] = job["argv"]
    folders = job["env"]["PYTHONPATH"].split(os.pathsep)
    sys.path[:1] = [os.path.dirname(sys.argv[0]), *folders]
    sys.warnoptions[:] = ["error"]
    warnings.resetwarnings()
    warnings.simplefilter("error")
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


if __name__ == "__main__":
    become(serve())
    runpy.run_path(sys.argv[0], run_name="__main__")
