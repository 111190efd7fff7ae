"""Workers that raise, die, hang or cannot be sent: what is said, and that all end."""

import functools
import os
import signal
import time

from chainertrpo.experiments import Collector

import pytest
from collecting import (
    LONG,
    SeededPoint,
    act,
    actor_of,
    error_of,
    no_process_is_left,
    point,
    streams,
    troubled,
)
from processes import posix

pytestmark = pytest.mark.usefixtures("quick_workers")


def trouble(kind, *, timeout=30.0, num_envs=4, steps=400):
    """The error of a collection whose last environment is in trouble, within seconds."""
    at = streams(0, num_envs - 1)[1]
    make = functools.partial(troubled, trouble=kind, at=at)
    start = time.monotonic()
    with Collector(make, num_envs, 0, workers=2, timeout=timeout) as collector:
        message = error_of(collector.collect, actor_of(2), steps)
    assert time.monotonic() - start < LONG
    assert no_process_is_left()
    return message


def sixth_action():
    rng, env_seed = streams(0, 3)
    actor, env, actions = actor_of(2), point(env_seed), []
    obs = env.reset()
    for _ in range(6):
        actions.append(act(actor, obs, rng, 3, 4))
        obs = env.step(actions[-1])[0]
    return f"{actions[-1][0]:.6g}"


def test_an_environment_that_raises():
    message = trouble("raise")
    assert message.startswith("worker 1 raised in environment 3, after 5 steps, last")
    assert f"last action [{sixth_action()}]" in message
    assert f"RuntimeError: the spring broke at {sixth_action()}" in message
    assert "in get_into_trouble" in message  # the traceback


def test_an_environment_that_ends_the_process():
    assert "SystemExit: the licence has run out" in trouble("call sys.exit")


def test_an_environment_whose_own_pipe_breaks():
    message = trouble("lose the simulator")
    assert "worker 1 raised in environment 3" in message
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
    assert (
        f"died with {how} in environment 3, after 5 steps, last action [{sixth_action()}]"
        in message
    )
    if how == "signal SIGSEGV":
        assert "Segmentation fault" in message and "in get_into_trouble" in message


@posix
def test_the_action_of_a_first_step_is_told():
    assert "in environment 0, after 0 steps, last action [" in trouble(
        "die at once", num_envs=1, steps=100
    )


@posix
def test_a_worker_that_was_killed_while_it_waited():
    with Collector(point, 4, 0, workers=2) as collector:
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
    assert "has hung for 2 s in environment 3, after 5 steps, " in message
    assert f"last action [{sixth_action()}]" in message
    assert "in wait_for_ever" in message and "in get_into_trouble" in message


def test_what_is_not_finite():
    message = trouble("observe nan")
    assert "worker 1 raised" in message
    assert (
        "BadObservationError: expected finite observations, got nan in component 1"
        in (message)
    )
    assert "Traceback" not in message  # the sentence says all that helps
    message = trouble("reward nan")
    assert "expected a finite reward, got nan from environment 3" in message
    assert f"last action [{sixth_action()}]" in message


def test_a_worker_that_failed_before_it_was_asked():
    """Its error waits in the pipe, though nothing can be sent to it any more."""
    make = functools.partial(troubled, trouble="make")
    with Collector(make, 1, 0) as collector:
        collector.restart(1)
        collector._workers[0].process.join(LONG)
        message = error_of(collector.collect, actor_of(2), 20)
    assert "OSError: no such simulator" in message and no_process_is_left()


def test_an_environment_that_fails_when_it_is_seeded():
    assert "RuntimeError: expected no second seed" in trouble("seed")


def test_functions_that_cannot_be_sent():
    with pytest.raises(ValueError, match="function of a module or a functools.partial"):
        Collector(lambda seed: point(seed), 2, 0)
    assert no_process_is_left()
    with pytest.raises(ValueError, match="num_envs.*1.*got 0"):
        Collector(point, 0, 0)


def test_classes_that_cannot_be_sent():
    make = functools.partial(point, cls=type("Nowhere", (SeededPoint,), {}))
    with pytest.raises(ValueError, match="function of a module or a functools.partial"):
        Collector(make, 2, 0)
