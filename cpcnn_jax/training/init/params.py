"""What a training starts from: drawn weights, ImageNet's, an earlier training's."""

import zlib

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from cpcnn_jax.training.init import split_classes
from cpcnn_jax.weights import pretrained, serialization


def initial_params(model, settings):
    """All weights of the four networks before training.

    Args:
      model: `CPCNN`.
      settings: `config.Experiment`.

    Returns:
      A flat dict.

    Raises:
      ValueError: the weights to start from are not there, or of other networks.
    """
    before = random_params(model, settings.seed, "weights")
    found = before
    if settings.gce.pretrained_vgg16:
        found = serialization.insert_vgg16(found, settings.gce.pretrained_vgg16)
    if settings.init_from:
        found = found | _continued(settings, before)
    return found


def random_params(network, seed, purpose, channels=3):
    """Weights of a network from the key of a purpose, as a flat dict.

    Optimising many random draws takes longer than drawing.
    """
    init = jax.jit(network.init, compiler_options={"xla_backend_optimization_level": 0})
    tree = init(purpose_key(seed, purpose), jnp.zeros((1, 64, 64, channels)))
    return flatten_dict(tree["params"], sep="/")


def purpose_key(seed, purpose):
    """The key of one purpose, from the run's seed alone."""
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(purpose.encode()))


def _continued(settings, before):
    """Weights of an earlier training, if they are of these networks.

    Where all four are taken, these may have finer classes; see `finer`.
    """
    path, taken = (
        settings.init_from,
        tuple(f"{name}/" for name in settings.init_modules),
    )
    before = {name: x for name, x in before.items() if name.startswith(taken)}
    found = pretrained.load_params(path)
    found = {name: x for name, x in found.items() if name.startswith(taken)}
    found = split_classes.split_classes(found, before)
    for name in sorted(before.keys() | found.keys()):
        want, got = (
            tree[name].shape if name in tree else "nothing" for tree in (before, found)
        )
        if want != got:
            raise ValueError(
                f"--config.init_from={path} is of other networks: {name} is {got} "
                f"there, {want} in this experiment"
            )
    return found
