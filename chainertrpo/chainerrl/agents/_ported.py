"""What an agent needs in order to stand where ChainerRL's stood."""

import os

from chainertrpo.agents import load_chainerrl

INSIDE = (
    "_update",
    "_update_if_dataset_is_ready",
    "_update_obs_normalizer",
    "_update_policy",
    "_update_vf",
    "_flush_last_episode",
    "_lossfun",
)


class Ported:
    """Reads folders that ChainerRL saved, and refuses subclasses that cannot work."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name in INSIDE:
            if name in vars(cls):
                raise TypeError(
                    f"{cls.__name__} defines {name}, which ChainerRL's agents called in "
                    "an update; here nothing would call it, and the agent would train "
                    "without it. For rewards of your own, such as GAIL's, give the agent "
                    "rewards=chainertrpo.Discriminator(...) or a function of paths "
                    "(docs/porting.md); for another step, policy_step=."
                )

    def load(self, dirname, to_act=False):
        """Read a folder of this project, or one that ChainerRL saved.

        Parameters
        ----------
        dirname : str or os.PathLike
            The folder.
        to_act : bool
            See `OnPolicyAgent.load`; a folder of ChainerRL is read whole.
        """
        names = os.listdir(dirname) if os.path.isdir(dirname) else []
        theirs = any(name.endswith(".npz") for name in names)
        if theirs and "agent.json" not in names:
            load_chainerrl(self, dirname)
        else:
            super().load(dirname, to_act)
