"""A network of your own, or MCNN or CSRNet, in the form that the joint stage trains."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from cpcnn_jax import config
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.config.import_path import describe_failure, import_object

STRIDES = (1, 2, 4, 8, 16, 32, 64)  # pixels per cell that a network may have


class CustomNetwork(nn.Module):
    """A network that returns people per cell, with its map spread over the pixels.

    Attributes:
      network: the network, from an image `[B, H, W, 3]`, RGB in [0, 1], to people per
        cell `[B, H / s, W / s, 1]` with cells of s x s pixels. It has float32
        parameters, for images of all sizes, and no other variables.
      density_scale: factor of the density in the Euclidean loss.

    Example:
      >>> from cpcnn_jax.models.csrnet import CSRNet
      >>> model = CustomNetwork(CSRNet(width_multiplier=0.125))
      >>> init = lambda key: model.init_with_output(key, jnp.zeros((1, 64, 128, 3)))[0]
      >>> density, _ = jax.eval_shape(init, jax.random.key(0))
      >>> density.shape
      (1, 64, 128, 1)
    """

    network: nn.Module
    density_scale: float = config.Model.density_scale

    @nn.compact
    def __call__(self, image: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Estimates density.

        Args:
          image: `[B, H, W, 3]` RGB in [0, 1], sides that are multiples of the cells'.

        Returns:
          `[B, H, W, 1]` people per pixel, and an empty dict.
        """
        cells = self.network(image)
        side = image.shape[1] // cells.shape[1]
        density = cells.repeat(side, axis=1).repeat(side, axis=2)
        return density / side**2, {}


def build(model: config.Model) -> CustomNetwork:
    """Builds the network that `model.architecture` names.

    The named object is called without arguments: a class of Flax modules, or a function
    that returns a module.

    Args:
      model: the configuration of the network.

    Raises:
      ValueError: the object cannot be imported, is no network, or its map has another
        form than `CustomNetwork` describes. The text names the field.
    """
    path = model.architecture
    try:
        make = import_object(path)
    except ValueError as error:
        raise ValueError(f"{_flag(path)}: {error}") from error
    try:
        network = make()
    except Exception as error:  # of code that is not ours
        raise ValueError(f"{_flag(path)}: {describe_failure(error)}") from error
    if not isinstance(network, nn.Module):
        kind = type(network).__name__
        raise ValueError(f"{_flag(path)}: expected a flax.linen.Module, got {kind}")
    custom = CustomNetwork(network, model.density_scale)
    cell_side(custom, _flag(path))
    return custom


def cell_side(model: CustomNetwork, name: str = "the network") -> int:
    """Infers the side of the network's cells, pixels; nothing is computed.

    Args:
      model: the network.
      name: its name in errors.

    Raises:
      ValueError: the network fails or its map has another form.
    """
    image = jnp.zeros((2, PATCH, 2 * PATCH, 3))
    network = model.network.clone(parent=None, name=None)
    try:
        run = jax.eval_shape(network.init_with_output, jax.random.key(0), image)
    except Exception as error:  # of code that is not ours
        raise ValueError(f"{name}: {describe_failure(error)}") from error
    cells, variables = run
    _check_variables(variables, name)
    shape = getattr(cells, "shape", None)
    if shape not in [(2, PATCH // s, 2 * PATCH // s, 1) for s in STRIDES]:
        raise ValueError(
            f"{name}: expected people per cell [B, H / s, W / s, 1] for s of 1, 2, 4, "
            f"..., {PATCH}; an image of shape {image.shape} gave "
            f"{shape or type(cells).__name__}"
        )
    _check_other_size(network, variables, name)
    return PATCH // shape[1]


def _check_variables(variables, name):
    if others := sorted({*variables} - {"params"}):
        raise ValueError(
            f"{name} has variables of {', '.join(others)}; only parameters are "
            "trained: use for example GroupNorm in place of BatchNorm"
        )
    kinds = {str(leaf.dtype) for leaf in jax.tree.leaves(variables)}
    if not kinds:
        raise ValueError(f"{name} has no parameters to train")
    if others := sorted(kinds - {"float32"}):
        raise ValueError(
            f"{name} has parameters of {', '.join(others)}: keep them in float32; the "
            "attribute dtype of Flax's layers decides the computation"
        )


def _check_other_size(network, variables, name):
    """Applies the network as training does: to other sizes, without a random key."""
    image = jnp.zeros((1, 2 * PATCH, 3 * PATCH, 3))
    try:
        jax.eval_shape(network.apply, variables, image)
    except Exception as error:  # of code that is not ours
        raise ValueError(
            f"{name} must take images of all sizes and no random key; for an image of "
            f"shape {image.shape}: {describe_failure(error)}"
        ) from error


def _flag(path):
    return f"--config.model.architecture={path}"
