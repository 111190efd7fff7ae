"""GAIL's discriminator: its fit, and paths -> paths with its opinion as reward."""

from __future__ import annotations

import typing

from chainertrpo import ranks
from chainertrpo._checks import at_least, positive, whole, widths
from chainertrpo._renamed import renamed_function
from chainertrpo.data import check_environment
from chainertrpo.numerics import named_params
from chainertrpo.numerics.moments import of_all_ranks
from chainertrpo.updates.judge import DiscriminatorReport, Judge
from chainertrpo.updates.linearized import outputs
from chainertrpo.updates.minibatch import descend
from chainertrpo.updates.pairs import PairEncoder
from chainertrpo.updates.reward_forms import reward_of, warn_of_termination_bias

import chainer
import numpy


def _right(logit):
    return numpy.heaviside(logit, 0.5)  # a guess is right on half


class Discriminator:
    """D(s, a) = σ(l(s, a)) tells an expert's pairs from an agent's, and pays by it.

    Each call fits l by Adam on

        −E_π[log(1 − D)] − E_E[log D] − c H̄(D) + w E[(‖∇l(x̂)‖ − 1)²]

    with as many expert pairs as agent pairs and H̄ the mean Bernoulli entropy (Ho and
    Ermon 2016, arXiv:1606.03476; the penalty of Gulrajani et al. 2017, arXiv:1704.00028,
    at points x̂ between the two), and then gives each step a reward.  The environment's
    reward is not used.

    It is given to an agent as ``rewards``; the agent saves it with itself.

    Parameters
    ----------
    demonstrations : Demonstrations
        Of the expert; their kept pairs count, each as much as its episode's weight.
    hidden_sizes : sequence of int
        Of the MLP.
    activation : str
        ``tanh`` or ``relu``.
    reward : str
        ``gail``, ``logd``, ``airl`` or ``d``; see `reward_of`.
    learning_rate : float
        Adam's.
    steps : int
        Steps of Adam a fit.
    batch_size : int, optional
        Agent pairs a step; by default all.
    entropy_coef : float
        c ≥ 0, on the Bernoulli entropy of D.
    gradient_penalty : float
        w ≥ 0; 0 takes no second derivatives.
    spectral_norm : float, optional
        Weights whose largest singular value is greater are scaled down to it
        (`SpectralMLP`); 1 is usual.
    normalize : str
        ``running`` moments of both halves, ``observations`` (running, and actions as they
        are), ``demonstrations`` or ``none``: see `PairEncoder`.
    fit_every : int
        Fit in every so many calls (1: each).
    fit_first : bool
        Fit before paying, as the paper's algorithm 1; False: after.
    absorbing_horizon : int, optional
        H.  A terminal state is followed by absorbing ones up to step H, which D judges
        too and whose discounted rewards are added to the last one (Kostrikov et al.
        2019, arXiv:1809.02925), so that ending has no price of its own.  A piece of an
        episode is taken for the whole of it.
    gamma : float
        Discount of the absorbing rewards; the agent's.
    last_scale : float
        Factor of the last layer's initial weights; 0 makes D = ½ at first.
    sees : str, optional
        ``actions``: D(s, a); ``next_observations``: D(s, s'), which needs no actions of the
        expert (Torabi et al. 2018, arXiv:1807.06158).  By default what there is.
    seed : int
        Of weights and sampled pairs.
    """

    def __init__(
        self,
        demonstrations: typing.Any,
        *,
        hidden_sizes: typing.Sequence[int] = (100, 100),
        activation: str = "tanh",
        reward: str = "gail",
        learning_rate: float = 1e-2,
        steps: int = 1,
        batch_size: int | None = None,
        entropy_coef: float = 1e-3,
        gradient_penalty: float = 0.0,
        spectral_norm: float | None = None,
        normalize: str = "running",
        fit_every: int = 1,
        fit_first: bool = True,
        absorbing_horizon: int | None = None,
        gamma: float = 0.99,
        last_scale: float = 0.0,
        sees: str | None = None,
        seed: int = 0,
    ) -> None:
        reward_of(0.0, reward)
        for name, value in (
            ("steps", steps),
            ("fit_every", fit_every),
            ("batch_size", batch_size),
            ("absorbing_horizon", absorbing_horizon),
        ):
            if value is not None:
                whole(name, value, 1)
        at_least("learning_rate", learning_rate, 0)
        at_least("entropy_coef", entropy_coef, 0)
        at_least("gradient_penalty", gradient_penalty, 0)
        if spectral_norm is not None:
            positive("spectral_norm", spectral_norm)
        self.demonstrations, self.reward, self.gamma = demonstrations, reward, gamma
        self.steps, self.batch_size = steps, batch_size
        self.entropy_coef, self.gradient_penalty = entropy_coef, gradient_penalty
        self.fit_every, self.fit_first = fit_every, fit_first
        self.absorbing_horizon = absorbing_horizon
        self.encode = PairEncoder(
            demonstrations, normalize, bool(absorbing_horizon), sees
        )
        self._expert = self.encode.expert_rows(demonstrations)
        self._expert_weights = demonstrations.weights()
        self._expert_absorbing = self._expert_absorbing_rows()
        self.link = Judge(
            (self.encode.size, *widths("hidden_sizes", hidden_sizes), 1),
            activation=activation,
            last_scale=last_scale,
            spectral_norm=spectral_norm,
            seed=seed,
        )
        self.optimizer = chainer.optimizers.Adam(alpha=learning_rate).setup(self.link)
        self._rng = numpy.random.default_rng([seed, 1])
        self._n_calls = 0
        self._warned = False
        self.last_report = DiscriminatorReport()

    def __call__(self, paths):
        """Fit, and pay.

        Parameters
        ----------
        paths : list of Path
            Of the agent.

        Returns
        -------
        list of Path
            The same steps with the discriminator's rewards.
        """
        self._warn(paths)
        self._n_calls += 1
        fit = self._n_calls % self.fit_every == 0
        if fit and self.fit_first:
            self.fit(paths)
        relabelled = self.relabel(paths)
        if fit and not self.fit_first:
            self.fit(paths)
        reward = numpy.concatenate([path.reward for path in relabelled])
        self.last_report = self.last_report._replace(
            reward_mean=float(of_all_ranks(reward).mean()),
            reward_std=float(of_all_ranks(reward).std()),
        )
        return relabelled

    def logits(self, obs, then):
        """The logit l(s, a), or l(s, s'), of pairs.

        Parameters
        ----------
        obs : array, shape (N, S)
            Raw observations.
        then : array, shape (N, A) or (N,); or (N, S)
            Actions; or what was observed next.

        Returns
        -------
        array, shape (N,), float32, on the host
            Positive where the pair looks like the expert's.
        """
        return self._logits(self.encode(obs, then))

    def relabel(self, paths):
        """Replace the rewards of paths by the discriminator's, without a fit.

        Parameters
        ----------
        paths : list of Path
            Of the agent.

        Returns
        -------
        list of Path
            New ones; `paths` are as they were.
        """
        rows = [self.encode.rows_of(paths)]
        if self.absorbing_horizon:
            rows.append(self.encode.absorbing_row())
        logit = self._logits(numpy.concatenate(rows))
        paid = reward_of(logit, self.reward).astype(logit.dtype)
        ends = numpy.cumsum([len(path.reward) for path in paths])
        relabelled = []
        for path, reward in zip(paths, numpy.split(paid, ends)):
            left = self._absorbing_steps(len(path.reward), path.terminal)
            if left:
                after = sum(self.gamma ** (k + 1) for k in range(left))
                reward[-1] += paid[-1] * after
            relabelled.append(path._replace(reward=reward))
        return relabelled

    pay = renamed_function("pay", relabel)

    def fit(self, paths):
        """Take `steps` steps of Adam on the agent's paths and the demonstrations.

        Parameters
        ----------
        paths : list of Path
            Of the agent.

        Returns
        -------
        DiscriminatorReport
            Also kept as `last_report`.

        Raises
        ------
        FloatingPointError
            The loss is not finite; the weights are those of the step before.
        """
        agent = self.encode.rows_of(paths)
        left = sum(self._absorbing_steps(len(p.reward), p.terminal) for p in paths)
        # Of all ranks, which draw alike and take what belongs to their rows.
        first, n = ranks.place(len(agent))
        mass = numpy.array([ranks.sum(left) / n, self._expert_absorbing])
        ours = slice(first, first + len(agent))
        drawn = self._drawn(n)[ours]
        self.encode.learn(numpy.concatenate([agent, self._expert[drawn]]))
        for _ in range(self.steps):
            rows, chosen, size = agent, ours, n
            if self.batch_size is not None and self.batch_size < n:
                size = self.batch_size
                order = self._rng.permutation(n)[:size] - first
                chosen = (order >= 0) & (order < len(agent))
                rows = agent[order[chosen]]
            drawn = self._drawn(size)[chosen]
            report = self._step(rows, self._expert[drawn], mass, size, chosen)
        self.last_report = self.last_report._replace(**report)
        return self.last_report

    def _drawn(self, size):
        """Which expert pairs stand beside as many of the agent's."""
        n, weights = len(self._expert), self._expert_weights
        if weights is None:
            return self._rng.integers(n, size=size)
        return self._rng.choice(n, size, p=weights / n)

    def _step(self, agent, expert, mass, of_all=None, chosen=slice(None)):
        """One step of Adam; what it saw.  These are the `chosen` pairs of `of_all`."""
        n, send = len(agent), self.link.device.send
        of_all = of_all or n
        absorbing = self.encode.absorbing_row()
        rows = numpy.concatenate([agent, expert, absorbing, absorbing])
        x = send(self.encode.normalized(rows))
        # One row stands for all absorbing states of a half: mass of them a pair.
        weight = numpy.empty(2 * n + 2, x.dtype)
        weight[:n], weight[n : 2 * n] = 1 / (of_all * (1 + mass))
        weight[2 * n :] = mass / (1 + mass) if ranks.rank() == 0 else 0
        label = numpy.zeros((2 * n + 2, 1), x.dtype)
        label[n : 2 * n], label[-1] = 1, 1
        weight, label = send(weight), send(label)
        between = None
        if self.gradient_penalty:
            u = self._rng.random((of_all, 1))[chosen].astype(numpy.float32)
            u = send(u)
            between = u * x[n : 2 * n] + (1 - u) * x[:n]
        seen = {}

        def loss(heads, _):
            (judge, *_) = heads
            judge.at(x)
            seen["logit"], log_prob = judge.m, judge.log_prob(label)
            cross = -(weight * log_prob).sum()
            self._check_finite(cross)
            judge.pull(
                label,
                by_log_prob=-weight,
                by_entropy=weight * (-0.5 * self.entropy_coef)
                if self.entropy_coef
                else 0,
            )
            if between is not None:
                self._check_finite(
                    judge.penalize(between, self.gradient_penalty, of_all)
                )
            return (cross,)

        ((cross,),) = descend(self.link, self.optimizer, [None], loss)
        logit = chainer.backends.cuda.to_cpu(seen["logit"])[:, 0].astype(numpy.float64)
        d = reward_of(logit, "d")
        agent, expert = slice(0, n), slice(n, 2 * n)

        def mean(x):
            return float(ranks.sum(x.sum()) / of_all)

        return {
            "loss": cross,
            "accuracy_agent": mean(_right(-logit[agent])),
            "accuracy_expert": mean(_right(logit[expert])),
            "mean_d_agent": mean(d[agent]),
            "mean_d_expert": mean(d[expert]),
        }

    def _check_finite(self, loss):
        if not numpy.isfinite(float(loss)):
            raise FloatingPointError(
                f"expected a finite loss of the discriminator, got {float(loss)}. Lower "
                "its learning rate."
            )

    def _absorbing_steps(self, length, terminal):
        if not self.absorbing_horizon or not terminal:
            return 0
        return max(self.absorbing_horizon - length, 0)

    def _expert_absorbing_rows(self):
        """Absorbing steps a pair; those of subsampled episodes are as rare as pairs."""
        demos = self.demonstrations
        left = sum(
            self._absorbing_steps(len(e.reward), e.terminated)
            * e.kept.mean()
            * e.weight
            for e in demos.episodes
        )
        return left / sum(e.kept.sum() * e.weight for e in demos.episodes)

    def _logits(self, rows):
        x = self.link.device.send(self.encode.normalized(rows))
        if self.link.parts:
            theta = {name: p.array for name, p in named_params(self.link).items()}
            out = outputs(self.link.parts[0], theta, x)
        else:
            with chainer.no_backprop_mode():
                out = self.link(x).array
        return chainer.backends.cuda.to_cpu(out)[:, 0]

    # Around it

    def check(self, environment):
        """Refuse to imitate in another environment than the expert's.

        Parameters
        ----------
        environment : dict
            Of `environment_header`.
        """
        check_environment(self.demonstrations, environment)

    def _warn(self, paths):
        if self._warned or self.absorbing_horizon:
            return
        seen = []
        if any(path.terminal for path in paths):
            seen.append("the agent's episodes end at different lengths")
        demos = self.demonstrations
        if len(set(demos.lengths)) > 1 and any(e.terminated for e in demos.episodes):
            low, high = min(demos.lengths), max(demos.lengths)
            seen.append(f"the expert's have {low} to {high} steps")
        if seen:
            self._warned = True
            warn_of_termination_bias(self.reward, " and ".join(seen))

    def summary(self):
        """One line on how the two halves are told apart.

        Returns
        -------
        str
            Accuracy, mean D and reward of the last fit.
        """
        r = self.last_report
        return (
            f"discriminator: right on {r.accuracy_agent:.0%} of the agent's pairs and "
            f"{r.accuracy_expert:.0%} of the expert's; mean D {r.mean_d_agent:.3f} and "
            f"{r.mean_d_expert:.3f}; reward {r.reward_mean:.3f} ± {r.reward_std:.3f}"
        )

    # What an agent saves of its rewards

    def saved(self):
        """Return links and optimiser by name, for the agent's files.

        Returns
        -------
        dict
            For `save_objects`.
        """
        return {
            "discriminator": self.link,
            "discriminator_optimizer": self.optimizer,
            "discriminator_normalizer": self.encode.normalizer,
        }

    def get_statistics(self) -> list[tuple[str, float]]:
        """Return the last report.

        Returns
        -------
        list of (str, float)
            Names begin with ``discriminator_``.
        """
        return [
            (f"discriminator_{k}", v) for k, v in self.last_report._asdict().items()
        ]

    def get_state(self):
        """Return what goes on beside the files, as JSON.

        Returns
        -------
        dict
            For `set_state`.
        """
        return {
            "rng": self._rng.bit_generator.state,
            "n_calls": self._n_calls,
            "warned": self._warned,
            "report": self.last_report._asdict(),
        }

    def set_state(self, state):
        """Go on from a state.

        Parameters
        ----------
        state : dict
            Of `get_state`.
        """
        self._rng.bit_generator.state = state["rng"]
        self._n_calls, self._warned = state["n_calls"], state["warned"]
        self.last_report = DiscriminatorReport(**state["report"])
