"""Parallel collection, in real processes: what is collected, what is said of a trouble.

The slower truth is `truth`: a loop in this process for every worker, one after the other.
"""

import ctypes
import functools
import multiprocessing
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import uuid

from chainertrpo import TRPO, GaussianPolicy, SoftmaxPolicy, ValueFunction
from chainertrpo.experiments import (
    Collector,
    WorkerError,
    available_cores,
    make_env,
    resolve,
)

import chainer
import numpy as np
import pytest
from test_agents import make_agent, parts
from test_envs import mujoco
from worlds import Point

HERE = pathlib.Path(__file__).parent
LONG = 60  # seconds; none of the waits below needs a tenth of it
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and prctl")


# Environments.  Workers import this module, so these are its functions and classes.


class SeededPoint(Point):
    """`Point` that can be seeded again, as an environment of a Collector has to be."""

    def seed(self, seed):
        self.rng = np.random.RandomState(seed)


class Troubled(SeededPoint):
    """A point that gets into trouble at its 6th step, or elsewhere."""

    def __init__(self, trouble, **settings):
        super().__init__(**settings)
        self.trouble, self.steps = trouble, 0
        if trouble == "make":
            raise OSError("no such simulator")
        if trouble == "hang in make":
            self.wait_for_ever()

    def seed(self, seed):
        if self.trouble == "seed":
            raise RuntimeError("expected no second seed")
        super().seed(seed)

    def step(self, action):
        self.steps += 1
        obs, reward, done, info = super().step(action)
        if self.steps == (1 if self.trouble == "die at once" else 6):
            reward = self.get_into_trouble(obs, reward, action)
        return obs, reward, done, info

    def get_into_trouble(self, obs, reward, action):
        if self.trouble == "raise":
            raise RuntimeError(f"the spring broke at {action[0]:.6g}")
        if self.trouble == "lose the simulator":
            raise BrokenPipeError("the simulator has gone")
        if self.trouble == "call sys.exit":
            sys.exit("the licence has run out")
        if self.trouble in ("be killed", "die at once"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.trouble == "call os._exit":
            os._exit(3)
        if self.trouble == "read address 0":
            ctypes.string_at(0)
        if self.trouble == "hang":
            self.wait_for_ever()
        if self.trouble == "observe nan":
            obs[1] = np.nan
        return np.nan if self.trouble == "reward nan" else reward

    def wait_for_ever(self):
        while True:
            time.sleep(1)


class Slow(SeededPoint):
    def step(self, action):
        time.sleep(0.01)
        return super().step(action)


class Dicing(SeededPoint):
    """A point that draws from the global generators, as environments do that were."""

    def _obs(self):
        noise = np.random.uniform() + random.random()  # noqa: NPY002
        return (super()._obs() + noise).astype("f")


class ForeignPolicy(GaussianPolicy):
    """A policy of somebody else; it is acted with through Chainer."""

    def forward(self, obs):
        return super().forward(2 * obs)


def point(seed, cls=SeededPoint, **settings):
    return cls(seed=seed, **settings)


def troubled(seed, trouble, at=None):
    """A point in trouble, or a sound one if this is not the seed that gets it."""
    return Troubled(trouble if at in (None, seed) else None, seed=seed)


def raw_cartpole(seed):
    """CartPole as its package makes it."""
    return resolve("CartPole-v1")[0].make("CartPole-v1", disable_env_checker=True).env


# The slower truth


def streams(seed, index, generation=0):
    """The generator of a worker's actions, and the seed of its environment."""
    sequence = np.random.SeedSequence((seed, index, generation))
    children = sequence.spawn(2)
    env_seed = int(children[1].generate_state(1)[0] >> 1)
    return np.random.default_rng(children[0]), env_seed


def truth(make, n_workers, seed, calls, generation=0):
    """What `n_workers` give in calls of (actor, steps): lists of paths, and of episodes.

    A path is (obs, action, reward, terminal); an episode (worker, step, return, length).
    """
    results = [([], []) for _ in calls]
    for index in range(n_workers):
        rng, env_seed = streams(seed, index, generation)
        env, obs = make(env_seed), None
        for (paths, episodes), (actor, n_steps) in zip(results, calls):
            share = (index + 1) * n_steps // n_workers - index * n_steps // n_workers
            start = 0
            log = []
            for step in range(share):
                if obs is None:
                    obs, total, length = actor.features(env.reset()), 0.0, 0
                action = actor.sample(obs, rng)
                after, reward, done, info = env.step(action)
                after = actor.features(after)
                log.append((obs, action, reward, after))
                total, length, obs = total + reward, length + 1, after
                end = done or info.get("needs_reset", False)
                if end:
                    episodes.append((index, step + 1, total, length))
                    obs = None
                if end or step == share - 1:
                    befores, actions, rewards, afters = zip(*log[start:])
                    paths.append(
                        (
                            np.stack([*befores, afters[-1]]),
                            np.stack(actions),
                            np.array(rewards, "f"),
                            done,
                        )
                    )
                    start = step + 1
    return results


def same(a, b):
    """Bit for bit."""
    return len(a) == len(b) and all(
        np.asarray(x).dtype == np.asarray(y).dtype
        and np.shape(x) == np.shape(y)
        and np.asarray(x).tobytes() == np.asarray(y).tobytes()
        for p, q in zip(a, b)
        for x, y in zip(p, q)
    )


def joined(paths, field):
    rows = [path[field][:-1] if field == 0 else path[field] for path in paths]
    return np.concatenate(rows)


def actor_of(obs_size, n_actions=None, n_out=1, seed=0):
    build, n = (GaussianPolicy, n_out) if n_actions is None else (SoftmaxPolicy, 2)
    policy = build(obs_size, n, (8,), seed=seed, last_scale=1.0)
    vf = ValueFunction(obs_size, (8,), seed=1)
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(vf)
    return TRPO(policy, vf, optimizer, seed=0).actor()


ENVIRONMENTS = {
    "Point": (point, (2,)),
    "Point, cut": (functools.partial(point, terminal=False, length=7), (2,)),
    "CartPole": (functools.partial(make_env, "CartPole-v1"), (4, 2)),
    "Hopper": (functools.partial(make_env, "Hopper"), (11, None, 3)),
}
NAMES = ["Point", "Point, cut", "CartPole", pytest.param("Hopper", marks=mujoco)]


# What is collected


@pytest.mark.parametrize("name", NAMES)
def test_two_runs_and_the_truth_agree_bit_for_bit(name):
    make, sizes = ENVIRONMENTS[name]
    # Another policy every call; the last call asks for fewer steps than a worker each.
    steps = (100, 41, 60, 1)
    calls = [(actor_of(*sizes, seed=i), n) for i, n in enumerate(steps)]
    results = []
    with Collector(make, 2, 3) as one, Collector(make, 2, 3) as two:
        for collector in (one, two):
            results.append([collector.collect(*call) for call in calls])
        one.restart(9)
        restarted = one.collect(*calls[0])
        one.restart(9)
        again = one.collect(*calls[0])
    expected = truth(make, 2, 3, calls)
    for a, b, (paths, episodes) in zip(*results, expected):
        assert same(a.paths, paths) and same(b.paths, paths)
        assert a.episodes == b.episodes
        ended = [(total, length) for _, _, total, length in episodes]
        assert sorted(x[1:] for x in a.episodes) == sorted(ended)
    # What was before a restart is forgotten.
    assert same(again.paths, restarted.paths)
    (fresh,) = truth(make, 2, 3, calls[:1], generation=9)
    assert same(restarted.paths, fresh[0])
    assert not same(restarted.paths, results[0][0].paths)


def test_a_collector_begun_at_a_generation_is_one_restarted_there():
    make, sizes = ENVIRONMENTS["CartPole"]
    call = (actor_of(*sizes), 150)
    with Collector(make, 2, 3, generation=700) as collector:
        collected = collector.collect(*call)
    ((paths, _),) = truth(make, 2, 3, [call], generation=700)
    assert same(collected.paths, paths)


@pytest.mark.parametrize("name", ["Point, cut", "CartPole"])
def test_episodes_go_on_across_calls(name):
    """Many short calls give the trajectory of one long one, cut in pieces."""
    make, sizes = ENVIRONMENTS[name]
    actor = actor_of(*sizes)
    with Collector(make, 1, 5) as collector:
        pieces = [collector.collect(actor, n) for n in (3, 20, 1, 50, 26)]
    ((whole, episodes),) = truth(make, 1, 5, [(actor, 100)])
    paths = [path for piece in pieces for path in piece.paths]
    for field in range(3):
        assert joined(paths, field).tobytes() == joined(whole, field).tobytes()
    assert [path.terminal for path in paths].count(True) == sum(p[3] for p in whole)
    ended = [(total, length) for _, _, total, length in episodes]
    assert [x[1:] for piece in pieces for x in piece.episodes] == ended
    # A path that the end of a call cut and the one that goes on share an observation.
    running = length = 0
    for piece, after in zip(pieces, pieces[1:]):
        length += sum(len(path.reward) for path in piece.paths)
        if length in np.cumsum([n for _, n in ended]):
            continue  # the call ended with an episode
        assert not piece.paths[-1].terminal
        assert np.array_equal(piece.paths[-1].obs[-1], after.paths[0].obs[0])
        running += 1
    assert running >= 3


def test_steps_are_shared_out_evenly():
    actor = actor_of(2)
    with Collector(point, 3, 0) as collector:
        for n in (100, 101, 2):
            collected = collector.collect(actor, n)
            ((paths, episodes),) = truth(point, 3, 0, [(actor, n)])
            assert sum(len(path.reward) for path in collected.paths) == n
            assert len(collected.episodes) == len(episodes)
            collector.restart(0)
            assert same(collected.paths, paths)


def test_the_step_at_which_an_episode_ended():
    """Workers' steps in turn: worker i's k-th is step (k − 1) W + i + 1 of the call."""
    actor = actor_of(2)
    with Collector(point, 3, 0) as collector:
        for n in (90, 100, 3):
            collected = collector.collect(actor, n)
            ((_, episodes),) = truth(point, 3, 0, [(actor, n)])
            collector.restart(0)
            steps = [step for step, _, _ in collected.episodes]
            expected = [min((k - 1) * 3 + i + 1, n) for i, k, _, _ in episodes]
            assert steps == sorted(expected)
            assert not steps or (steps[0] >= 1 and steps[-1] <= n)


def test_seeds_and_numbers_of_workers_differ():
    actor = actor_of(2)
    with Collector(point, 2, 0) as a, Collector(point, 2, 1) as b:
        one, other = a.collect(actor, 60), b.collect(actor, 60)
    assert not same(one.paths, other.paths)
    # So do the workers of one collector.
    assert not np.array_equal(one.paths[0].action, one.paths[3].action)


def test_paths_make_an_update():
    agent = make_agent(update_interval=100)
    with Collector(point, 2, 0) as collector:
        agent.update(collector.collect(agent.actor(), 100).paths)
    assert agent.last_step.accepted


def test_environments_and_policies_that_draw_from_the_global_generators():
    """No generator is left to chance: np.random's and random's are seeded too."""
    _, vf, optimizer = parts()
    policy = ForeignPolicy(2, 1, (8,), last_scale=1.0, seed=0)
    foreign = TRPO(policy, vf, optimizer, seed=0).actor()
    make = functools.partial(point, cls=Dicing)
    with Collector(make, 1, 0) as a, Collector(make, 1, 0) as b:
        first = a.collect(foreign, 30)
        a.restart(4)
        b.collect(actor_of(2), 10)
        b.restart(4)
        after = a.collect(foreign, 30), b.collect(foreign, 30)
    with Collector(make, 1, 0) as c:
        assert same(c.collect(foreign, 30).paths, first.paths)
    assert same(after[0].paths, after[1].paths)


def test_an_environment_as_its_package_makes_it():
    actor = actor_of(4, 2)
    make = ENVIRONMENTS["CartPole"][0]
    with Collector(raw_cartpole, 1, 0) as collector:
        collected = collector.collect(actor, 60)
        collector.restart(8)
        restarted = collector.collect(actor, 60)
    ((paths, _),) = truth(make, 1, 0, [(actor, 60)])
    assert same(collected.paths, paths)
    ((paths, _),) = truth(make, 1, 0, [(actor, 60)], generation=8)
    assert same(restarted.paths, paths)


# Troubles


def no_process_is_left():
    return not [p for p in multiprocessing.active_children() if p.is_alive()]


def error_of(function, *args):
    """The message of a WorkerError, or None; the error and its frames are let go."""
    try:
        function(*args)
    except WorkerError as error:
        return str(error)
    return None


def trouble(kind, *, timeout=30.0, n_workers=2, steps=200):
    """The error of a collection whose last worker is in trouble, within seconds."""
    at = streams(0, n_workers - 1)[1]
    make = functools.partial(troubled, trouble=kind, at=at)
    start = time.monotonic()
    with Collector(make, n_workers, 0, timeout=timeout) as collector:
        message = error_of(collector.collect, actor_of(2), steps)
    assert time.monotonic() - start < LONG
    assert no_process_is_left()
    return message


def sixth_action():
    rng, env_seed = streams(0, 1)
    actor, env, actions = actor_of(2), point(env_seed), []
    obs = env.reset()
    for _ in range(6):
        actions.append(actor.sample(obs, rng))
        obs = env.step(actions[-1])[0]
    return f"{actions[-1][0]:.6g}"


def test_an_environment_that_raises():
    message = trouble("raise")
    assert message.startswith("worker 1 raised in its environment, after 5 steps, last")
    assert f"last action [{sixth_action()}]" in message
    assert f"RuntimeError: the spring broke at {sixth_action()}" in message
    assert "in get_into_trouble" in message  # the traceback


def test_an_environment_that_ends_the_process():
    assert "SystemExit: the licence has run out" in trouble("call sys.exit")


def test_an_environment_whose_own_pipe_breaks():
    message = trouble("lose the simulator")
    assert "worker 1 raised" in message
    assert "BrokenPipeError: the simulator has gone" in message


@posix
@pytest.mark.parametrize(
    "kind, how",
    [
        ("be killed", "signal SIGKILL"),
        ("call os._exit", "code 3"),
        ("read address 0", "signal SIGSEGV"),
    ],
)
def test_a_worker_that_dies(kind, how):
    message = trouble(kind)
    assert message.startswith("worker 1 (process ")
    assert f"died with {how}, after 5 steps, last action [{sixth_action()}]" in message
    if how == "signal SIGSEGV":
        assert "Segmentation fault" in message and "in get_into_trouble" in message


@posix
def test_the_action_of_a_first_step_is_told():
    assert "after 0 steps, last action [" in trouble("die at once", n_workers=1)


@posix
def test_a_worker_that_was_killed_while_it_waited():
    with Collector(point, 2, 0) as collector:
        actor = actor_of(2)
        collector.collect(actor, 20)
        process = collector._workers[0].process
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        message = error_of(collector.collect, actor, 20)
    assert message.startswith(f"worker 0 (process {process.pid}) died with signal SIGK")
    assert "after 10 steps, last action" in message
    assert no_process_is_left()


def test_after_an_error_a_collector_is_closed():
    """The other workers' paths are on their way, and belong to nothing any more."""
    make = functools.partial(troubled, trouble="raise", at=streams(0, 1)[1])
    with Collector(make, 2, 0) as collector:
        assert "spring" in error_of(collector.collect, actor_of(2), 200)
        assert no_process_is_left()
        with pytest.raises(ValueError, match="closed"):
            collector.collect(actor_of(2), 20)


@posix
def test_a_worker_that_hangs():
    message = trouble("hang", timeout=2.0)
    assert message.startswith("worker 1 (process ")
    assert "has hung for 2 s, after 5 steps, " in message
    assert f"last action [{sixth_action()}]" in message
    assert "in wait_for_ever" in message and "in get_into_trouble" in message


def test_what_is_not_finite():
    message = trouble("observe nan")
    assert "worker 1 raised" in message
    assert (
        "BadObservationError: expected finite observations, got nan in component 1"
        in (message)
    )
    message = trouble("reward nan")
    assert "BadObservationError: expected a finite reward, got nan" in message
    assert f"last action [{sixth_action()}]" in message


@pytest.mark.parametrize(
    "kind, error",
    [
        ("make", "OSError: no such simulator"),
        ("seed", "RuntimeError: expected no second seed"),
    ],
)
def test_a_worker_that_failed_before_it_was_asked(kind, error):
    """Its error waits in the pipe, though nothing can be sent to it any more."""
    make = functools.partial(troubled, trouble=kind)
    with Collector(make, 1, 0) as collector:
        collector.restart(1)
        collector._workers[0].process.join(LONG)
        assert error in error_of(collector.collect, actor_of(2), 20)
    assert no_process_is_left()


def test_functions_that_cannot_be_sent():
    with pytest.raises(ValueError, match="function of a module or a functools.partial"):
        Collector(lambda seed: point(seed), 2, 0)
    assert no_process_is_left()
    with pytest.raises(ValueError, match="n_workers >= 1, got 0"):
        Collector(point, 0, 0)


def test_classes_that_cannot_be_sent():
    make = functools.partial(point, cls=type("Nowhere", (SeededPoint,), {}))
    with pytest.raises(ValueError, match="function of a module or a functools.partial"):
        Collector(make, 2, 0)


# Stopping and closing


def test_a_collection_can_be_stopped():
    make = functools.partial(point, cls=Slow)
    asked = []

    def stop():
        asked.append(len(asked))
        return len(asked) == 2

    start = time.monotonic()
    with Collector(make, 2, 0) as collector:
        pids = [worker.process.pid for worker in collector._workers]
        assert collector.collect(actor_of(2), 100_000, stop=stop) is None
    assert time.monotonic() - start < LONG
    assert len(pids) == 2 and no_process_is_left()


def test_after_a_stop_nothing_stale_is_collected():
    actor = actor_of(2)
    with Collector(point, 1, 0) as collector:
        assert collector.collect(actor, 5000, stop=lambda: True) is None
        try:
            collected = collector.collect(actor, 10)
        except ValueError as error:
            assert "closed" in str(error)
        else:
            assert sum(len(path.reward) for path in collected.paths) == 10


def test_a_worker_that_hangs_while_it_starts_can_be_stopped():
    """Whatever the size of what is sent to it: here 1.4 MB."""
    policy = GaussianPolicy(2, 1, (600, 600), seed=0)
    actor = TRPO(policy, *parts()[1:], seed=0).actor()
    collector = Collector(functools.partial(troubled, trouble="hang in make"), 1, 0)
    results = []

    def collect():
        try:
            results.append(collector.collect(actor, 10, stop=lambda: True))
        except WorkerError as error:
            results.append(str(error))

    process = collector._workers[0].process
    thread = threading.Thread(target=collect)
    thread.start()
    thread.join(4)
    process.kill()
    thread.join(LONG)
    collector.close()
    assert results == [None]


def test_a_closed_collector_says_so():
    collector = Collector(point, 1, 0)
    collector.close()
    collector.close()
    for use in (
        lambda: collector.collect(actor_of(2), 10),
        lambda: collector.restart(1),
    ):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_close_is_at_once_and_leaves_nothing():
    collector = Collector(functools.partial(troubled, trouble="hang in make"), 2, 0)
    pids = [worker.process.pid for worker in collector._workers]
    assert all(map(exists, pids))
    start = time.monotonic()
    collector.close()
    collector.close()
    assert time.monotonic() - start < LONG
    assert not any(map(exists, pids)) and no_process_is_left()


def exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_environment_variables_stay_as_they_were(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    with Collector(point, 1, 0):
        assert dict(os.environ) == before
    assert available_cores() >= 1


# The parent's end.  A process of its own, marked in its environment as are all that it
# starts; whoever still has the mark afterwards is an orphan.

MARK = "CHAINERTRPO_TEST_MARK"


class Marked:
    """A process in a session of its own, running a function of a module of these tests.

    Parameters
    ----------
    call : str
        Such as ``test_collection.hold()``.
    temporary : path, optional
        TMPDIR.
    argv : list of str, optional
        A program instead.
    """

    def __init__(self, call, temporary=None, argv=None):
        module = call.split(".")[0]
        # Whoever starts the tests in the background may have them ignore Ctrl-C.
        code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
        code += f"; import chainertrpo, {module}; {call}"
        self.mark = uuid.uuid4().hex
        environment = {**os.environ, MARK: self.mark, "PYTHONPATH": str(HERE.parent)}
        if temporary is not None:
            environment["TMPDIR"] = str(temporary)
        self.process = subprocess.Popen(
            argv or [sys.executable, "-u", "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=HERE,
            env=environment,
            start_new_session=True,
        )

    def wait_for(self, line):
        """Read up to a line that begins like this."""
        seen = []
        for text in self.process.stdout:
            seen.append(text)
            if text.startswith(line):
                return
        raise AssertionError("".join(seen))

    def end(self):
        """The exit status and the rest of the output."""
        output, _ = self.process.communicate(timeout=LONG / 2)
        return self.process.returncode, output

    def alive(self):
        """Which processes have the mark; zombies have no environment any more."""
        wanted, found = f"{MARK}={self.mark}".encode(), []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                environment = pathlib.Path("/proc", pid, "environ").read_bytes()
            except OSError:
                continue
            if wanted in environment.split(b"\0"):
                found.append(int(pid))
        return found

    def nothing_is_left(self, seconds=20):
        """Whether all end by themselves, in about the time that imports take."""
        end = time.monotonic() + seconds
        while self.alive() and time.monotonic() < end:
            time.sleep(0.05)
        return not self.alive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.alive():
            os.kill(pid, signal.SIGKILL)
        self.process.stdout.close()
        self.process.wait()


def hold():
    """Collect for ever."""
    with Collector(functools.partial(point, cls=Slow), 2, 0) as collector:
        print("started", flush=True)
        actor = actor_of(2)
        collector.collect(actor, 2)
        print("collecting", flush=True)
        collector.collect(actor, 10**6)


@linux
@pytest.mark.parametrize("moment", ["started", "collecting"])
def test_a_killed_parent_leaves_no_orphan(moment):
    with Marked("test_collection.hold()") as marked:
        marked.wait_for(moment)
        assert len(marked.alive()) >= 3
        marked.process.kill()
        marked.process.wait()
        assert marked.nothing_is_left()


@linux
def test_a_killed_parent_leaves_no_file(tmp_path):
    with Marked("test_collection.hold()", temporary=tmp_path) as marked:
        marked.wait_for("collecting")
        marked.process.kill()
        marked.process.wait()
        assert marked.nothing_is_left()
    assert not list(tmp_path.glob("*worker*"))


@linux
def test_ctrl_c_in_a_terminal_leaves_no_process():
    """SIGINT goes to all processes of the group; the workers leave it to the parent."""
    with Marked("test_collection.hold()") as marked:
        marked.wait_for("collecting")
        os.killpg(marked.process.pid, signal.SIGINT)
        code, output = marked.end()
        assert code in (-signal.SIGINT, 130), output
        assert output.count("KeyboardInterrupt") == 1, output
        assert marked.nothing_is_left()


def start_under_ctrl_c():
    """Begin with nothing of multiprocessing running, as a program does."""
    with Collector(point, 2, 0) as collector:
        for _ in range(10):
            for worker in collector._workers:
                os.kill(worker.process.pid, signal.SIGINT)
            time.sleep(0.05)
        print(f"error: {error_of(collector.collect, actor_of(2), 20)}")


@linux
def test_ctrl_c_while_workers_start():
    with Marked("test_collection.start_under_ctrl_c()") as marked:
        code, output = marked.end()
        assert (code, output) == (0, "error: None\n")
        assert marked.nothing_is_left()


def test_a_thread_that_began_a_collector_may_end():
    made = []

    def begin():
        made.append(Collector(point, 1, 0))
        made[0].collect(actor_of(2), 20)

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    with made[0] as collector:
        time.sleep(0.2)
        assert error_of(collector.collect, actor_of(2), 20) is None


def hold_from_a_thread():
    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()


@linux
def test_a_killed_parent_leaves_no_orphan_of_a_thread():
    with Marked("test_collection.hold_from_a_thread()") as marked:
        marked.wait_for("collecting")
        marked.process.kill()
        marked.process.wait()
        assert marked.nothing_is_left()


def forget():
    """End without closing."""
    collector = Collector(point, 2, 0)
    collector.collect(actor_of(2), 20)
    print("collected")


@linux
def test_a_program_that_forgets_to_close_ends():
    with Marked("test_collection.forget()") as marked:
        code, output = marked.end()
        assert (code, output) == (0, "collected\n")
        assert marked.nothing_is_left()
