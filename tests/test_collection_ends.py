"""Collections that are stopped and closed, and what the end of a program leaves."""

import functools
import multiprocessing
import os
import signal
import threading
import time

from chainertrpo import TRPO, GaussianPolicy
from chainertrpo.experiments import Collector, WorkerError, available_cores

import pytest
from collecting import (
    LONG,
    Slow,
    actor_of,
    error_of,
    no_process_is_left,
    point,
    troubled,
)
from processes import Marked, linux
from test_agents import parts

pytestmark = pytest.mark.usefixtures("quick_workers")


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


class SlowToSend:
    def __reduce__(self):
        time.sleep(0.5)
        return str, ()


def test_what_is_being_sent_ends_before_its_pipe_does():
    """Its file descriptor may be another file's next, the next collector's for example."""
    before, closed = set(threading.enumerate()), []
    with Collector(point, 2, 0) as collector:
        for worker in collector._workers:
            end_of(worker, closed)
        collector.begin(SlowToSend(), 10)
    assert closed == [True, True] and set(threading.enumerate()) <= before


def end_of(worker, closed):
    """Note at the end of a worker's pipe whether nobody writes any more."""
    close = worker.connection.close

    def noted():
        closed.append(not worker._sender.is_alive())
        close()

    worker.connection.close = noted


class Forking(Slow):
    """A point with a process of its own, which inherits all that its own does."""

    def __init__(self, **settings):
        super().__init__(**settings)
        if os.fork() == 0:
            os.closerange(0, 3)  # the test's output can end before it does
            time.sleep(10)
            os._exit(0)


@linux
def test_closing_does_not_wait_for_what_environments_started():
    """Their processes hold the pipe, in which there is no room for a second message."""
    policy = GaussianPolicy(2, 1, (600, 600), seed=0)
    actor = TRPO(policy, *parts()[1:], seed=0).actor()  # 1.4 MB
    before = set(threading.enumerate())
    with Collector(functools.partial(point, cls=Forking), 1, 0) as collector:
        collector.collect(actor, 1)
        for _ in range(2):
            collector.begin(actor, 100_000)
        time.sleep(0.2)
        start = time.monotonic()
    assert time.monotonic() - start < 5
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_start_that_breaks_off_leaves_nothing(monkeypatch, error):
    """The second of three workers has just started, or has not; so Ctrl-C can come."""
    base = multiprocessing.process.BaseProcess
    started, start = [], base.start

    def breaking(process):
        started.append(process)
        start(process)
        if len(started) == 2:
            raise error

    monkeypatch.setattr(base, "start", breaking)
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else ValueError):
        Collector(point, 3, 0)
    assert len(started) == 2 and no_process_is_left()
    assert set(threading.enumerate()) <= before


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


# The parent's end


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
    with Marked("test_collection_ends.hold()") as marked:
        marked.wait_for(moment)
        assert len(marked.alive()) >= 3
        marked.process.kill()
        marked.process.wait()
        assert marked.nothing_is_left()


@linux
def test_a_killed_parent_leaves_no_file(tmp_path):
    with Marked("test_collection_ends.hold()", temporary=tmp_path) as marked:
        marked.wait_for("collecting")
        marked.process.kill()
        marked.process.wait()
        assert marked.nothing_is_left()
    assert not list(tmp_path.glob("*worker*"))


@linux
def test_ctrl_c_in_a_terminal_leaves_no_process():
    """SIGINT goes to all processes of the group; the workers leave it to the parent."""
    with Marked("test_collection_ends.hold()") as marked:
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
    with Marked("test_collection_ends.start_under_ctrl_c()") as marked:
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
    with Marked("test_collection_ends.hold_from_a_thread()") as marked:
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
    with Marked("test_collection_ends.forget()") as marked:
        code, output = marked.end()
        assert (code, output) == (0, "collected\n")
        assert marked.nothing_is_left()
