"""The discriminator's network and family, and what is reported of it."""

import typing

from chainertrpo.policies import MLP
from chainertrpo.policies.families import Bernoulli
from chainertrpo.policies.policy import Part, computes_as
from chainertrpo.policies.spectral import SpectralMLP

import numpy


class Judge(MLP):
    """l(s, a), the logit of a Bernoulli variable: 1 is the expert's."""

    family = Bernoulli(1)

    def __init__(self, sizes, *, spectral_norm=None, **settings):
        super().__init__(sizes, **settings)
        if spectral_norm is not None:
            self.network = SpectralMLP("", sizes, self.activation, spectral_norm)

    @property
    def parts(self):
        """Written out, unless a subclass computes something else."""
        if not computes_as(self, MLP, "forward", "__call__"):
            return ()
        return (Part("", self.network, self.family, {}),)


class DiscriminatorReport(typing.NamedTuple):
    """The last step of a fit, before it was taken, and the rewards of the last batch.

    Attributes
    ----------
    loss : float
        −E[log(1 − D(agent))] − E[log D(expert)], nats; log 4 where D = ½.
    accuracy_agent, accuracy_expert : float
        Share of each half that is told right, in [0, 1]; a pair with D = ½ counts half.
    mean_d_agent, mean_d_expert : float
        Mean D, in (0, 1).
    reward_mean, reward_std : float
        Of the batch that was paid last.
    """

    loss: float = numpy.nan
    accuracy_agent: float = numpy.nan
    accuracy_expert: float = numpy.nan
    mean_d_agent: float = numpy.nan
    mean_d_expert: float = numpy.nan
    reward_mean: float = numpy.nan
    reward_std: float = numpy.nan
