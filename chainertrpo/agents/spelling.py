"""Two spellings of one setting: ChainerRL's names, and the fields of a step."""

import dataclasses
import functools
import inspect


def exclusive_args(**spelled):
    """Refuse a call that gives a setting both by itself and within a whole.

    ``exclusive_args(policy_step=("max_kl",))`` makes ``f(max_kl=…, policy_step=…)`` a
    TypeError.
    """

    def decorate(init):
        signature = inspect.signature(init)

        @functools.wraps(init)
        def checked(self, *args, **kwargs):
            try:
                given = signature.bind(self, *args, **kwargs).arguments
            except TypeError as error:
                raise TypeError(
                    f"{type(self).__name__}: {error}. One of a preset's parts and spaces: "
                    "make_agent(observation_space, action_space, preset)."
                ) from None
            for whole, parts in spelled.items():
                both = [part for part in parts if part in given]
                if both and given.get(whole) is not None:
                    raise TypeError(
                        f"{', '.join(both)} and {whole} both say the same setting. Give "
                        f"it inside {whole}, or leave {whole} out."
                    )
            return init(self, *args, **kwargs)

        return checked

    return decorate


class Setting:
    """An attribute of an agent that is a field of its step: ``agent.clip_eps = 0.1``.

    Steps are values; assigning the attribute gives the agent another one.

    Parameters
    ----------
    field : str
        Of the step, or of one of its values: ``region.max_kl``.
    """

    def __init__(self, field):
        self.path = field.split(".")

    def __get__(self, agent, owner=None):
        """The field's value."""
        return (
            self
            if agent is None
            else functools.reduce(getattr, self.path, agent.policy_step)
        )

    def __set__(self, agent, value):
        """Give the agent a step with another value."""
        agent.policy_step = _replaced(agent.policy_step, self.path, value)


def _replaced(step, path, value):
    first, *rest = path
    if rest:
        value = _replaced(getattr(step, first), rest, value)
    return dataclasses.replace(step, **{first: value})
