"""What agents of other libraries have, and where it is here."""

import typing

LOOPS = (
    "environments are given to the loops: "
    "chainertrpo.experiments.train_agent_parallel(agent, make_env, steps, outdir)"
)
ACT = "use agent.act(obs); act_deterministically = True takes the most probable action"
SAVED = "use agent.save(folder) and agent.load(folder)"
OBSERVE = "use agent.act_and_train(obs, reward), as in ChainerRL, or one of the loops"
# Stable-Baselines3's, and PFRL's.
ELSEWHERE = {
    **dict.fromkeys(("learn", "env", "get_env", "set_env"), LOOPS),
    **dict.fromkeys(("get_parameters", "set_parameters"), SAVED),
    "predict": ACT,
    "observe": OBSERVE,
}


class Elsewhere:
    """An agent that says where the methods of others are."""

    if not typing.TYPE_CHECKING:  # a checker is to know what is missing

        def __getattr__(self, name):
            where = f": {ELSEWHERE[name]}" if name in ELSEWHERE else ""
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}{where}"
            )
