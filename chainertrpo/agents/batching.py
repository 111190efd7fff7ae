"""From paths to the batch of an update: values, log-probabilities, advantages."""

import dataclasses
import typing

from chainertrpo._checks import at_least, one_of, whole
from chainertrpo.agents.memory import Memory
from chainertrpo.data import (
    SCALES,
    Batch,
    generalized_advantages,
    run_on,
    standardize,
)
from chainertrpo.numerics import named_params
from chainertrpo.numerics.moments import of_all_ranks
from chainertrpo.policies import parts
from chainertrpo.policies.graph import look
from chainertrpo.policies.normalizer import learn
from chainertrpo.updates import outputs, said

import chainer
import numpy

CHUNK_ROWS = 25_000


@dataclasses.dataclass(frozen=True)
class Estimation:
    """How advantages and value targets come about; ChainerRL's way by default.

    Attributes
    ----------
    advantage : str
        ``gae``, or ``return``: the discounted return itself, without the critic.
    value_target : str
        ``lambda``: A + V; ``return``: the discounted return, with V(sₙ) for the rest where
        the path was cut; ``advantage``: the advantage as the policy gets it (pg_travel's
        TNPG, where nothing uses the values); ``return_plus_advantage``: return plus
        advantage (pg_travel, by an oversight).
    standardize_by : str
        What centred advantages are divided by: ``std``, ``unbiased_std``, or
        ``unbiased_variance`` (garage).
    standardize_eps : float
        Added to it.
    pad_to : int, optional
        Advantages see an episode that reached a terminal state go on to this length in
        observations and rewards of zero (garage): its end is worth a part of V(0).  None:
        the end is worth nothing.
    normalizer_learns : str
        ``before_step``: after log π_old and V (ChainerRL 0.8: importance weights begin a
        little off 1); ``before_log_prob``: after V only (ChainerRL of 2018, Baselines);
        ``after_step``: the update sees what the actions were taken with
        (openai/imitation), and the value function is fitted under the new statistics.
    """

    advantage: str = "gae"
    value_target: str = "lambda"
    standardize_by: str = "std"
    standardize_eps: float = 1e-8
    pad_to: typing.Optional[int] = None
    normalizer_learns: str = "before_step"

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        choices = {
            "advantage": ("gae", "return"),
            "value_target": ("lambda", "return", "advantage", "return_plus_advantage"),
            "standardize_by": tuple(SCALES),
            "normalizer_learns": ("before_step", "before_log_prob", "after_step"),
        }
        for name, known in choices.items():
            one_of(name, getattr(self, name), known)
        at_least("standardize_eps", self.standardize_eps, 0)
        if self.pad_to is not None:
            whole("pad_to", self.pad_to, 1)

    @property
    def uses_returns(self):
        """Whether discounted returns are needed besides advantages."""
        return self.advantage != "gae" or self.value_target != "lambda"

    @property
    def learns_after_step(self):
        """Whether values are fitted to other observations than the policy was."""
        return self.normalizer_learns == "after_step"


class Predictions(typing.NamedTuple):
    """What policy and value function said of a batch before the update.

    Attributes
    ----------
    value : array, shape (N,)
        V(s).
    entropy : array, shape (N,)
        H(π(·|s)), nats.
    explained_variance : float
        1 − Var[target − V] / Var[target]; nan if the targets are all equal.
    """

    value: typing.Any
    entropy: typing.Any
    explained_variance: float


def make_batch(
    paths,
    policy,
    vf,
    *,
    actor,
    normalizer,
    gamma,
    lambd,
    standardize_advantages,
    estimation,
):
    """Make the batch of an update, and let the normaliser learn from it.

    V is that of the normaliser under which the actions were taken, and so is log π_old
    unless `estimation` says otherwise; then it learns from the batch, and the update sees
    observations under the new statistics.  Rows are worked through in chunks.
    """  # noqa: DOC501

    def send(array):
        return policy.device.send(
            array.astype(dtype, copy=False) if array.dtype.kind == "f" else array
        )

    # float32, or float64 for exact comparisons
    dtype = next((p.dtype for p in vf.params() if p.array is not None), numpy.float32)
    log_prob, entropy, obs = [], [], []  # of the steps, on the device
    value, advantage, returns = [], [], []
    memory = Memory(policy, vf, paths, send)
    learns = normalizer is not None and estimation.normalizer_learns
    if learns == "before_log_prob":
        _learn(normalizer, paths)
    action = send(numpy.concatenate([path.action for path in paths]))
    mask = _masks(paths, send)
    start = 0
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        if estimation.pad_to is not None:
            v_of_zeros = _values(vf, send(numpy.zeros_like(paths[0].obs[:1])))[0]
        for group in _groups(paths):
            raw, taken = _rows(group)
            seen = send(raw if actor.normalize is None else actor.normalize(raw))
            v = _values(vf, *memory.for_values(seen, group, taken))
            seen = seen[send(taken)]
            if learns == "before_log_prob":
                seen = send(chainer.as_array(normalizer(raw[taken], update=False)))
            rows = slice(start, start + len(seen))
            start = rows.stop
            own = None if mask is None else mask[rows]
            before = said(policy, seen, own, memory=memory.of(group))
            log_prob.append(before.log_prob(action[rows]))
            entropy.append(_to_host(before.entropy()))
            if learns != "before_step":  # the update sees the same
                obs.append(seen)
            value.append(v[taken])
            ends = numpy.cumsum([len(path.obs) for path in group])
            for path, v_path in zip(group, numpy.split(v, ends[:-1])):
                steps, end = (path.reward, v_path), (path.terminal, gamma)
                if estimation.uses_returns:  # A of λ = 1 is the return minus V
                    with_return = generalized_advantages(*steps, *end, 1.0)
                    returns.append(with_return + v_path[:-1])
                if path.terminal and estimation.pad_to is not None:
                    steps = run_on(*steps, estimation.pad_to, v_of_zeros)
                found = generalized_advantages(*steps, *end, lambd)
                advantage.append(found[: len(path.reward)])
    value, advantage = numpy.concatenate(value), numpy.concatenate(advantage)
    target = advantage + value
    if estimation.uses_returns:
        returns = numpy.concatenate(returns)
        advantage = returns if estimation.advantage == "return" else advantage
        target = target if estimation.value_target == "lambda" else returns
    if standardize_advantages:
        advantage = standardize(
            advantage, estimation.standardize_eps, estimation.standardize_by
        )
    if estimation.value_target == "advantage":
        target = advantage
    elif estimation.value_target == "return_plus_advantage":
        target = target + advantage
    xp = policy.xp
    if learns == "before_step":
        _learn(normalizer, paths)
        obs = [_all_observations(paths, normalizer, send)]
    elif learns == "after_step":
        _learn(normalizer, paths)
    batch = Batch(
        _joined(xp, obs),
        action,
        _joined(xp, log_prob),
        send(advantage),
        send(target),
        send(value),
        mask,
        **memory.columns(),
    )
    variance = of_all_ranks(target).var()
    left = of_all_ranks(target - value).var()
    explained = float(1 - left / variance) if variance else numpy.nan
    return batch, Predictions(value, numpy.concatenate(entropy), explained)


def renormalized(batch, paths, normalizer, device):
    """The batch with its observations under the present statistics."""

    def send(array):
        return device.send(array.astype(batch.obs.dtype, copy=False))

    return batch._replace(obs=_all_observations(paths, normalizer, send))


def _learn(normalizer, paths):
    learn(normalizer, map(_taken, _groups(paths)))


def _groups(paths):  # a list of paths, cut where a chunk of rows is full
    group, rows = [], 0
    for path in paths:
        group.append(path)
        rows += len(path.obs)
        if rows >= CHUNK_ROWS:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _rows(group):
    """All observations, and which of them were acted on."""
    raw = numpy.concatenate([path.obs for path in group])
    taken = numpy.ones(len(raw), bool)
    taken[numpy.cumsum([len(path.obs) for path in group]) - 1] = False
    return raw, taken


def _taken(group):
    return numpy.concatenate([path.obs[:-1] for path in group])


def _all_observations(paths, normalizer, send):
    """The batch's observations, normalised into one array on the host, sent once."""
    groups = list(_groups(paths))
    if normalizer is None and len(groups) == 1:
        return send(_taken(groups[0]))
    n = sum(len(path.reward) for path in paths)
    exact = paths[0].obs.dtype == numpy.float64
    obs = numpy.empty(
        (n, *paths[0].obs.shape[1:]), numpy.float64 if exact else numpy.float32
    )
    start = 0
    for group in groups:
        rows = _taken(group)
        if normalizer is not None:
            rows = chainer.as_array(normalizer(rows, update=False))
        obs[start : start + len(rows)] = rows
        start += len(rows)
    return send(obs)


def _joined(xp, pieces):
    return pieces[0] if len(pieces) == 1 else xp.concatenate(pieces)


def _masks(paths, send):
    masks = [path.mask for path in paths]
    return None if masks[0] is None else send(numpy.concatenate(masks))


def _values(vf, obs, memory=()):
    found = parts(vf)
    if found:  # the same, on all cores
        theta = found[0].theta({k: x.array for k, x in named_params(vf).items()})
        value = vf.value(outputs(found[0], theta, obs))
    else:
        value = look(vf, obs, memory=memory)
    value = _to_host(value).reshape(-1)
    if len(value) != len(obs):
        raise ValueError(
            f"expected one value a state from vf, got {len(value)} for {len(obs)} "
            "states. Its last layer must have one output."
        )
    return value


def _to_host(x):
    return chainer.backends.cuda.to_cpu(chainer.as_array(x))
