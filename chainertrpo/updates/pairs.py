"""What a discriminator sees of a step, as a row of its network's input."""

from chainertrpo._checks import one_of
from chainertrpo.data.demonstrations import spaces_of
from chainertrpo.policies.normalizer import EmpiricalNormalization, learn

import numpy

SEES = ("actions", "next_observations")
NORMALIZE = ("running", "observations", "demonstrations", "none")


class PairEncoder:
    """(s, a) or (s, s') -> row: both in turn, and whether the state is absorbing.

    Rows are normalised by running moments of agent and expert, by those of the
    demonstrations, or not at all; or, as by Baselines and Stable Baselines, by running
    moments of the observations only, with variances of 0.01 or more.

    Choices are one-hot; the last column is there only with `absorbing`, and the
    row of absorbing states has 1 there and 0 elsewhere, before and after normalisation
    (Kostrikov et al. 2019, arXiv:1809.02925, section 4.2).
    """

    def __init__(self, demonstrations, normalize="running", absorbing=False, sees=None):
        one_of("normalize", normalize, NORMALIZE)
        one_of("sees", sees, (None, *SEES))
        self.sees = sees or SEES[not demonstrations.has_actions]
        self.normalize, self.absorbing = normalize, absorbing
        seen, self._actions = spaces_of(demonstrations.environment)
        if seen.is_image:
            raise ValueError(
                f"expected vectors as observations of a discriminator, got images "
                f"{seen.shape}, whose network takes rows. Wrap the environment so that it "
                "gives features of them; clones (imitate, clone_expert) take images."
            )
        self._n_seen = seen.size * (1 if self.sees == "actions" else 2)
        expert = self.expert_rows(demonstrations)
        self.size = expert.shape[1]
        how = {"eps": 1e-6, "clip_threshold": 10}
        if normalize == "observations":
            how = {"eps": 0.0, "floor": 1e-2}
        self.normalizer = EmpiricalNormalization(self.size, **how)
        if normalize != "none":
            self.normalizer.experience(expert)

    def expert_rows(self, demonstrations):
        """Encode what is kept of demonstrations."""
        if self.sees == "actions":
            return self(*demonstrations.pairs())
        kept = numpy.concatenate([e.kept for e in demonstrations.episodes])
        return self.rows_of(demonstrations.paths())[kept]

    def rows_of(self, paths):
        """Encode all steps of paths."""
        obs = numpy.concatenate([path.obs[:-1] for path in paths])
        if self.sees == "actions":
            return self(obs, numpy.concatenate([path.action for path in paths]))
        return self(obs, numpy.concatenate([path.obs[1:] for path in paths]))

    def __call__(self, obs, then):
        """Encode observations, and the actions or observations that followed."""
        if self.sees == "actions":
            then = self._actions.action_features(then)
        parts = [obs, then]
        if self.absorbing:
            parts.append(numpy.zeros((len(obs), 1), numpy.float32))
        return numpy.concatenate(parts, axis=1)

    def absorbing_row(self):
        """The row of absorbing states."""
        row = numpy.zeros((1, self.size), numpy.float32)
        row[0, -1] = 1
        return row

    def learn(self, rows):
        """Let running moments take more rows in, those of all ranks."""
        if self.normalize in ("running", "observations"):
            learn(self.normalizer, [rows])

    def normalized(self, rows):
        """Normalise rows."""
        if self.normalize == "none":
            return rows
        normal = self.normalizer(rows, update=False)
        if self.normalize == "observations":
            normal[:, self._n_seen :] = rows[:, self._n_seen :]
        if self.absorbing:
            normal[:, -1] = rows[:, -1]
            normal[rows[:, -1] == 1, :-1] = 0
        return normal
