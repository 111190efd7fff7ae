"""Images as observations: a small convolutional encoder, through Chainer's links."""

from chainertrpo._checks import one_of
from chainertrpo.policies.models import CORES, INITIALIZERS, MLP

import chainer
import chainer.functions as F
import chainer.links as L
import numpy

CHANNELS = (16, 32)  # each layer halves height and width


class ImageMLP(chainer.Chain):
    """Convolutions of 3 × 3 and stride 2, then an MLP.

    Parameters
    ----------
    sizes : sequence
        The shape of an image, (H, W, C), then hidden and output widths.
    activation, init, hidden_scale, last_scale, seed
        As in `MLP`; for the convolutions too.
    """

    def __init__(
        self,
        sizes,
        *,
        activation="tanh",
        init="orthogonal",
        hidden_scale=1.0,
        last_scale=1.0,
        seed=None,
    ):
        super().__init__()
        (height, width, channels), *rest = sizes
        if seed is not None and not hasattr(seed, "normal"):
            seed = numpy.random.RandomState(seed)
        with self.init_scope():
            self.convolutions = chainer.ChainList()
            for n_in, n_out in zip((channels, *CHANNELS), CHANNELS):
                begin = INITIALIZERS[init](hidden_scale, rng=seed)
                layer = L.Convolution2D(n_in, n_out, 3, 2, pad=1, initialW=begin)
                self.convolutions.append(layer)
                height, width = -(-height // 2), -(-width // 2)
            self.mlp = MLP(
                (height * width * CHANNELS[-1], *rest),
                activation=activation,
                init=init,
                hidden_scale=hidden_scale,
                last_scale=last_scale,
                seed=seed,
            )

    def __getitem__(self, i):
        return self.mlp[i]

    def forward(self, x):
        """Apply the layers.

        Parameters
        ----------
        x : array, shape (N, H, W, C)
            Images of bytes, brought to [0, 1] here; or numbers, as they are.

        Returns
        -------
        Variable, shape (N, sizes[-1])
            Outputs of the last, linear layer.
        """
        array = chainer.as_array(x)
        if array.dtype == numpy.uint8:
            x = array.astype(self.mlp[-1].b.dtype) * (1 / 255)
        x = F.transpose(x, (0, 3, 1, 2))
        for layer in self.convolutions:
            x = F.relu(layer(x))
        return self.mlp(F.reshape(x, (len(x), -1)))


def network_for(obs_size, widths, core=None, core_size=None, **settings):
    """Make the link between observations and outputs.

    Parameters
    ----------
    obs_size : int or tuple of int
        S, or the shape of an image, (H, W, C).
    widths : sequence of int
        Of hidden layers and outputs.
    core : str or None
        A key of `CORES`: what remembers; None: nothing.
    core_size : int, optional
        Width of the hidden state, by default 64.
    **settings
        Of `MLP`.

    Returns
    -------
    MLP, ImageMLP or RecurrentMLP
        Its item −1 is the last layer.

    Raises
    ------
    ValueError
        Another core, one for images, or a `core_size` without one.
    """
    sizes = obs_size, *widths
    if core is None and core_size is not None:
        raise ValueError(
            f"expected a core with core_size={core_size}, got None. Set core='gru', or "
            "leave core_size out."
        )
    if core is None:
        return (ImageMLP if numpy.ndim(obs_size) else MLP)(sizes, **settings)
    one_of("core", core, CORES)
    if numpy.ndim(obs_size):
        raise ValueError(
            f"expected observations in columns with core={core!r}, got images of shape "
            f"{obs_size}. Give features of them with phi, or leave the core out."
        )
    return CORES[core](
        sizes, core_size=64 if core_size is None else core_size, **settings
    )
