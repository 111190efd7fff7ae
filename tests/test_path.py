"""From the calls of the protocol to paths."""

from chainertrpo.data import BadObservationError, PathRecorder, as_observation

import numpy as np
import pytest


def observation(episode, t):
    return np.float32([episode, t, -t])


def action(episode, t):
    return np.float32([episode + 0.5 * t])


def reward(episode, t):
    return 100 * episode + t


def step(recorder, episode, t, slot=0):
    recorder.act(as_observation(observation(episode, t)), action(episode, t), slot)
    recorder.observe(reward(episode, t), slot)


def assert_is_episode(path, episode, n, terminal, start=0):
    times = range(start, start + n)
    last = observation(episode, start + n)
    obs = [observation(episode, t) for t in times] + [last]
    assert np.array_equal(path.obs, obs)
    assert np.array_equal(path.action, [action(episode, t) for t in times])
    assert np.array_equal(path.reward, [reward(episode, t) for t in times])
    assert path.terminal is terminal
    assert {x.dtype for x in path[:3]} == {np.dtype("float32")}


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_an_episode_becomes_a_path(n, terminal):
    recorder = PathRecorder()
    for t in range(n):
        step(recorder, 3, t)
    recorder.close(observation(3, n), terminal)
    (path,) = recorder.drain()
    assert_is_episode(path, 3, n, terminal)
    assert recorder.drain() == []


def test_a_cut_continues_in_a_new_path_from_the_same_observation():
    """The batch is full in mid-episode: s₃ ends the one path and starts the next."""
    recorder = PathRecorder()
    for t in range(3):
        step(recorder, 1, t)
    recorder.close(observation(1, 3), False)
    for t in range(3, 5):
        step(recorder, 1, t)
    recorder.close(observation(1, 5), True)
    first, second = recorder.drain()
    assert_is_episode(first, 1, 3, False)
    assert_is_episode(second, 1, 2, True, start=3)
    assert np.array_equal(first.obs[-1], second.obs[0])


def test_slots_do_not_mix_and_paths_come_as_they_end():
    recorder = PathRecorder()
    lengths = {0: 5, 1: 2, 7: 4}
    for t in range(5):
        for slot, n in lengths.items():
            if t < n:
                recorder.act(observation(slot, t), action(slot, t), slot)
        for slot, n in lengths.items():
            if t < n:
                recorder.observe(reward(slot, t), slot)
            if t + 1 == n:
                recorder.close(observation(slot, n), slot == 7, slot)
    paths = recorder.drain()
    for path, slot in zip(paths, (1, 7, 0)):
        assert_is_episode(path, slot, lengths[slot], slot == 7)
    assert len(paths) == 3


def test_length_counts_complete_steps_open_and_closed():
    recorder = PathRecorder()
    assert (len(recorder), recorder.waiting()) == (0, False)
    recorder.act(observation(0, 0), action(0, 0))
    assert (len(recorder), recorder.waiting()) == (0, True)
    recorder.observe(1.0)
    assert (len(recorder), recorder.waiting()) == (1, False)
    recorder.close(observation(0, 1), True)
    step(recorder, 1, 0, slot=1)
    assert len(recorder) == 2
    recorder.drain()
    assert len(recorder) == 1
    recorder.close(observation(1, 1), True, slot=1)
    recorder.drain()
    assert len(recorder) == 0
    assert not recorder.waiting(slot=1)


def test_closing_what_has_no_step_leaves_no_path():
    recorder = PathRecorder()
    recorder.close(observation(0, 0), True)
    assert recorder.drain() == []
    assert not recorder.waiting()


def test_an_action_without_a_reward_is_an_error():
    recorder = PathRecorder()
    recorder.act(observation(0, 0), action(0, 0))
    with pytest.raises(RuntimeError, match="reward of the last action"):
        recorder.close(observation(0, 1), True)
    with pytest.raises(RuntimeError, match="reward of the last action"):
        recorder.act(observation(0, 1), action(0, 1))


def test_an_environment_may_reuse_its_arrays():
    recorder, buffer = PathRecorder(), np.zeros(3, np.float32)
    for t in range(4):
        buffer[...] = observation(2, t)
        recorder.act(as_observation(buffer), action(2, t))
        recorder.observe(reward(2, t))
    buffer[...] = observation(2, 4)
    recorder.close(as_observation(buffer), True)
    buffer[...] = np.nan
    (path,) = recorder.drain()
    assert_is_episode(path, 2, 4, True)


def test_discrete_actions_keep_their_type():
    recorder = PathRecorder()
    for t in range(3):
        recorder.act(observation(0, t), np.int32(t))
        recorder.observe(0)
    recorder.close(observation(0, 3), False)
    (path,) = recorder.drain()
    assert path.action.dtype == np.int32
    assert path.action.tolist() == [0, 1, 2]


@pytest.mark.parametrize("given", [1, 2.5, np.float64(2), np.ones(1), np.array(3, "f")])
def test_rewards_of_any_scalar_kind(given):
    recorder = PathRecorder()
    recorder.act(observation(0, 0), action(0, 0))
    recorder.observe(given)
    recorder.close(observation(0, 1), True)
    assert recorder.drain()[0].reward.tolist() == [float(np.asarray(given).item())]


# Beyond 3.4e38 a float64 is infinite as the float32 that a path holds.
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_a_bad_reward_names_its_environment_and_is_not_recorded(bad):
    recorder = PathRecorder()
    recorder.act(observation(0, 0), np.float32([0.25]), 4)
    with pytest.raises(
        BadObservationError, match=r"environment 4 after action \[0.25\]"
    ):
        recorder.observe(bad, 4)
    assert recorder.waiting(4)
    assert len(recorder) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("i", [0, 3, 5])
def test_a_bad_observation_names_its_first_component(bad, i):
    obs = np.arange(6.0)
    obs[i] = bad
    obs[5] = np.nan
    with pytest.raises(BadObservationError, match=f"in component {i} of environment 3"):
        as_observation(obs, "environment 3")
    with pytest.raises(BadObservationError, match=f"in component {i}[.]"):
        as_observation(obs.reshape(2, 3))


@pytest.mark.parametrize(
    "given", [[1, 2], (1.0, 2.0), np.array([1, 2]), np.ones(2, "f")]
)
def test_observations_become_float32_copies(given):
    x = as_observation(given)
    assert x.dtype == np.float32
    assert np.array_equal(x, given)
    assert not isinstance(given, np.ndarray) or not np.shares_memory(x, given)


def test_large_finite_observations_pass():
    """Their squared norm overflows; they do not."""
    assert (
        as_observation([1e30, -3e38, 0]).tolist()
        == np.float32([1e30, -3e38, 0]).tolist()
    )


@pytest.mark.parametrize("obs", [["1.5"], [1j], [None], np.array(["2020-01-01"], "M8")])
def test_observations_that_are_no_numbers(obs):
    with pytest.raises(BadObservationError, match="numbers as observations, got"):
        as_observation(obs)
