"""Other behaviour for an environment that is there, put in its place.

Each takes an environment whose ``step`` gives four values; those of today's gym and
gymnasium become such through ``chainertrpo.chainerrl.gym.adapt``.
"""

from chainertrpo.chainerrl._gone import refusals

import numpy

__getattr__ = refusals(__name__)


def make_rendered(env, *args, **kwargs):
    """Show it after each step; what more is given goes to ``render``."""
    step = env.step

    def shown(action):
        result = step(action)
        env.render(*args, **kwargs)
        return result

    env.step = shown


def make_timestep_limited(env, timestep_limit):
    """End episodes after so many steps."""
    step, reset, taken = env.step, env.reset, [0]

    def limited(action):
        obs, reward, done, info = step(action)
        taken[0] += 1
        return obs, reward, done or taken[0] >= timestep_limit, info

    def begun():
        taken[0] = 0
        return reset()

    env.step, env.reset = limited, begun


def make_action_filtered(env, action_filter):
    """Take the step of ``action_filter(action)``."""
    step = env.step
    env.step = lambda action: step(action_filter(action))


def make_reward_filtered(env, reward_filter):
    """Pay ``reward_filter(reward)``."""
    step = env.step

    def paid(action):
        obs, reward, done, info = step(action)
        return obs, reward_filter(reward), done, info

    env.step = paid


def make_reward_clipped(env, low, high):
    """Pay rewards clipped to [low, high]."""
    make_reward_filtered(env, lambda reward: numpy.clip(reward, low, high))


def make_action_repeated(env, n_times):
    """Take each action `n_times`, or to the end of the episode; rewards add up."""
    step = env.step

    def repeated(action):
        total = 0.0
        for _ in range(n_times):
            obs, reward, done, info = step(action)
            total += reward
            if done or info.get("needs_reset", False):
                break
        return obs, total, done, info

    env.step = repeated
