"""What a training starts from: drawn weights, ImageNet's, an earlier training's."""

import zlib

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from cpcnn_jax import finer, grown, released, weights


def weights_of(model, settings):
    """All weights of the four networks before training.

    Args:
      model: `CPCNN`.
      settings: `config.Experiment`.

    Returns:
      A flat dict.

    Raises:
      ValueError: the weights to start from are not there, or of other networks.
    """
    before = drawn(model, settings.seed, "weights")
    found = before
    if settings.start:
        found = _continued(settings.start, before)
    elif settings.gce.vgg16 and model.gce:
        found = weights.with_vgg16(before, settings.gce.vgg16)
    if settings.mcnn:
        scale = settings.model.density_scale
        found = found | grown.from_mcnn(before, settings.mcnn, density_scale=scale)
    return found


def drawn(network, seed, purpose, channels=3):
    """Weights of a network from the key of a purpose, as a flat dict.

    Optimising many random draws takes longer than drawing.
    """
    init = jax.jit(network.init, compiler_options={"xla_backend_optimization_level": 0})
    tree = init(key(seed, purpose), jnp.zeros((1, 64, 64, channels)))
    return flatten_dict(tree["params"], sep="/")


def key(seed, purpose):
    """The key of one purpose, from the run's seed alone."""
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(purpose.encode()))


def _continued(path, before):
    """Weights of an earlier training, if they are of these networks.

    These may have finer classes; see `finer`.
    """
    found = finer.refined(released.load(path), before)
    for name in sorted(before.keys() | found.keys()):
        want, got = (
            tree[name].shape if name in tree else "nothing" for tree in (before, found)
        )
        if want != got:
            raise ValueError(
                f"--config.start={path} is of other networks: {name} is {got} there, "
                f"{want} in this experiment"
            )
    return found
