"""Demonstrations, described for a reader."""

from chainertrpo.data.demonstrations.pauses import AT_LEAST, pauses, spans
from chainertrpo.data.demonstrations.records import spaces_of

import numpy


def describe(demonstrations):
    """Say what there is in demonstrations.

    Parameters
    ----------
    demonstrations : Demonstrations
        Any.

    Returns
    -------
    str
        Lines: where from, a table of the episodes, returns, actions, warnings.
    """
    environment, episodes = demonstrations.environment, demonstrations.episodes
    returns = numpy.array(demonstrations.returns)
    versions = ", ".join(f"{k} {v}" for k, v in demonstrations.versions.items())
    lines = [
        f"environment  {environment.get('id')} of {environment.get('package')}",
        f"made by      {maker(demonstrations.made_by)}",
        f"versions     {versions or 'unknown'}",
        "episode  length    kept       return        seed  end",
    ]
    for i, e in enumerate(episodes):
        end = "terminated" if e.terminated else "time limit" if e.truncated else "cut"
        seed = "unknown" if e.seed < 0 else e.seed
        lines.append(
            f"{i:7d} {len(e.reward):7d} {int(e.kept.sum()):7d} {returns[i]:12.2f} "
            f"{seed:>11}  {end}"
        )
    lines += [
        f"in all       {len(episodes)} episodes, {sum(demonstrations.lengths)} steps, "
        f"{demonstrations.n_kept} pairs kept",
        f"return       {returns.mean():.2f} ± {returns.std():.2f} "
        f"({returns.min():.2f} … {returns.max():.2f})",
        f"actions      {_actions(demonstrations)}",
        *_habits(demonstrations),
    ]
    if demonstrations.weights() is not None:
        weights = ", ".join(f"{e.weight:g}" for e in episodes)
        lines.append(f"weights      {weights}: how much a pair of each episode counts")
    first = {}
    for i, e in enumerate(episodes):
        same = first.setdefault((e.obs.tobytes(), numpy.array(e.action).tobytes()), i)
        if same != i:
            lines.append(f"Episode {i} is the same as episode {same}.")
    if len(set(demonstrations.lengths)) > 1:
        lines.append(
            "The lengths differ: see the warning on reward forms when training."
        )
    return "\n".join(lines)


def maker(made_by):
    """Say who or what played.

    Parameters
    ----------
    made_by : dict
        Of `Demonstrations`.

    Returns
    -------
    str
        Such as ``agent (agent TRPO, preset ho2016)``.
    """
    if made_by.get("kind") == "merged":
        makers = [maker(one) for one in made_by.get("of", [])]
        return "; ".join(dict.fromkeys(makers))
    more = [
        f"{key} {value}"
        for key, value in made_by.items()
        if key != "kind" and value not in (None, False)
    ]
    kind = made_by.get("kind", "unknown")
    return f"{kind} ({', '.join(more)})" if more else str(kind)


def _habits(demonstrations):
    """What tells a person's recording from an agent's: keys held, repeats, pauses."""
    lines, episodes = [], demonstrations.episodes
    if demonstrations.has_actions:
        held = [b - a for e in episodes for a, b in spans(e.action)]
        lines.append(
            f"held         the same action for {numpy.mean(held):.1f} steps on average, "
            f"{max(held)} at most"
        )
        pairs = [
            row.tobytes() + numpy.asarray(action).tobytes()
            for e in episodes
            for row, action in zip(e.obs, e.action)
        ]
        repeats = len(pairs) - len(set(pairs))
        if repeats:
            lines.append(
                f"repeats      {repeats} of {len(pairs)} pairs were there before; they "
                "count as often as they came"
            )
    found = [[b - a for a, b in of_one] for of_one in pauses(demonstrations)]
    count, steps = sum(map(len, found)), sum(map(sum, found))
    if count:
        where = ", ".join(str(i) for i, one in enumerate(found) if one)
        lines.append(
            f"pauses       {count} of {AT_LEAST} steps or more in which nothing moves, "
            f"{steps} steps in all, in episodes {where}: --trim-pauses keeps the first "
            "step of each"
        )
    return lines


def _actions(demonstrations):
    if not demonstrations.has_actions:
        return "none recorded: observations only"
    action, space = demonstrations.pairs()[1], spaces_of(demonstrations.environment)[1]
    if not len(action):
        return "none kept"
    if not space.is_continuous:
        shares = space.action_features(action).mean(0)
        return ", ".join(f"{a}: {share:.1%}" for a, share in enumerate(shares))
    low, high = space.action_bounds
    outside = ((action < low) | (action > high)).any(1).mean()
    with numpy.printoptions(precision=3, suppress=True):
        return (
            f"mean {action.mean(0)}, std {action.std(0)}, {outside:.1%} of the pairs "
            "outside the bounds (clipped when played)"
        )
