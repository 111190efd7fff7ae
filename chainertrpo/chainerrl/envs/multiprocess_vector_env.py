"""Several environments, each in a process of its own."""

import contextlib
import multiprocessing
import traceback

from chainertrpo.chainerrl.env import VectorEnv
from chainertrpo.chainerrl.envs.serial_vector_env import seeds_of
from chainertrpo.experiments import WorkerError, adapt


def _work(connection, make, inherited):
    """In the child: make the environment, answer calls until there are no more."""
    for end in inherited:  # else the pipe would stay open without the parent
        end.close()
    env = None
    try:
        env = adapt(make())
        names = ("observation_space", "action_space", "spec", "max_episode_steps")
        connection.send((None, {name: getattr(env, name, None) for name in names}))
        for name, args in iter(connection.recv, None):
            connection.send((None, getattr(env, name)(*args)))
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        pass
    except BaseException:
        connection.send((traceback.format_exc(), None))
    finally:
        if hasattr(env, "close"):
            env.close()


class _Remote:
    """The environment of a child, from here."""

    def __init__(self, make, context, others):
        self._connection, theirs = context.Pipe()
        inherited = [one._connection for one in (*others, self)]
        self._process = context.Process(
            target=_work, args=(theirs, make, inherited), daemon=True
        )
        self._process.start()
        theirs.close()

    def ask(self, name, *args):
        """Have a method called."""
        with contextlib.suppress(OSError):  # `answer` says why
            self._connection.send((name, args))

    def answer(self):
        """What it gave; an error there is one here."""
        try:
            error, result = self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            error = f"the process ended with {self._process.exitcode}"
        if error is not None:
            raise WorkerError(f"an environment's process stopped:\n{error}")
        return result

    def _call(self, name, *args):
        self.ask(name, *args)
        return self.answer()

    def reset(self):
        """Start an episode there."""
        return self._call("reset")

    def step(self, action):
        """Take a step there."""
        return self._call("step", action)

    def render(self):
        """Show it there."""
        return self._call("render")

    def close(self):
        """End the process."""
        with contextlib.suppress(OSError):  # it may have ended by itself
            self._connection.send(None)
        self._connection.close()
        self._process.join()


class MultiprocessVectorEnv(VectorEnv):
    """Environments in processes of their own, stepped at the same time.

    A step waits for all of them: `chainertrpo.experiments.train_agent_parallel`, whose
    processes act by themselves, is several times faster.

    Parameters
    ----------
    env_fns : sequence of callable
        () -> environment; called in the children.

    Raises
    ------
    OSError
        The system has no ``fork``, with which the children get functions that scripts
        define inside others.
    WorkerError
        An environment failed; the message has its traceback.
    """

    def __init__(self, env_fns):
        self.envs = []
        if "fork" not in multiprocessing.get_all_start_methods():
            raise OSError(
                "expected a system with fork for MultiprocessVectorEnv, got none. Use "
                "SerialVectorEnv([make() for make in env_fns])."
            )
        context = multiprocessing.get_context("fork")
        for make in env_fns:
            self.envs.append(_Remote(make, context, self.envs))
        known = [env.answer() for env in self.envs]
        for env, its in zip(self.envs, known):
            vars(env).update(its)
        for name in ("observation_space", "action_space", "spec"):
            setattr(self, name, known[0][name])
        self.last_obs = [None] * len(self.envs)

    @property
    def num_envs(self):
        """How many."""
        return len(self.envs)

    def step(self, actions):
        """Take a step in each.

        Parameters
        ----------
        actions : sequence
            One an environment.

        Returns
        -------
        obs, rewards, dones, infos : list
            One an environment.
        """
        for env, action in zip(self.envs, actions):
            env.ask("step", action)
        results = [env.answer() for env in self.envs]
        self.last_obs, rewards, dones, infos = map(list, zip(*results))
        return list(self.last_obs), rewards, dones, infos

    def reset(self, mask=None):
        """Start new episodes.

        Parameters
        ----------
        mask : sequence of bool, optional
            True where the running episode goes on; by default nowhere.

        Returns
        -------
        list of array
            The current observations.
        """
        new = [i for i in range(self.num_envs) if mask is None or not mask[i]]
        for i in new:
            self.envs[i].ask("reset")
        for i in new:
            self.last_obs[i] = self.envs[i].answer()
        return list(self.last_obs)

    def seed(self, seeds=None):
        """Seed each by one of `seeds`, or environment i by the number + i."""
        for env, seed in zip(self.envs, seeds_of(seeds, self.num_envs)):
            env.ask("seed", seed)
        for env in self.envs:
            env.answer()

    def close(self):
        """End the processes."""
        while self.envs:
            self.envs.pop().close()

    def __del__(self):
        self.close()
