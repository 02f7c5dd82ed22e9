"""Initial parameters: random, ImageNet's, or those of an earlier training."""

import dataclasses
import zlib
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.traverse_util import flatten_dict

from cpcnn_jax.config import Experiment
from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.models.networks import Network, vgg16_prefixes
from cpcnn_jax.weights import pretrained, serialization
from cpcnn_jax.weights.serialization import insert_vgg16

Params = dict[str, Any]


def initial_params(model: Network, config: Experiment) -> Params:
    """Makes the parameters of the networks before training.

    Args:
      model: the networks.
      config: the experiment; its seed, `pretrained_vgg16` and `init_from` decide.

    Returns:
      A flat dict.

    Raises:
      ValueError: a weights file is missing or belongs to other networks.
    """
    drawn = random_params(model, config.seed, "weights")
    if config.init_from:
        return _fine_tuned_params(config, drawn)
    if not isinstance(model, CPCNN):
        if file := config.joint.pretrained_vgg16:
            parts = vgg16_prefixes(model)
            return insert_vgg16(drawn, file, stage="joint", prefixes=parts)
    elif file := config.gce.pretrained_vgg16:
        return insert_vgg16(drawn, file)
    return drawn


def adopt_model(config: Experiment) -> Experiment:
    """Takes the configuration of the networks from the file of `init_from`.

    Args:
      config: the experiment.

    Returns:
      The experiment with the model of the file's header; unchanged without `init_from`
      and for MCNN and CSRNet, which can only be evaluated.

    Raises:
      ValueError: the file is missing, or its header has no valid configuration.
    """
    if not config.init_from:
        return config
    file = pretrained.find_weights(config.init_from)
    if serialization.load_name(file) in serialization.BASELINES:
        return config
    return dataclasses.replace(config, model=serialization.load_model(file))


def random_params(
    network: nn.Module, seed: int, purpose: str, channels: int = 3
) -> Params:
    """Draws a network's parameters from the key of a purpose.

    Args:
      network: a Flax module of an image.
      seed: the run's seed.
      purpose: name of the use, such as "weights".
      channels: channels of the image.

    Returns:
      A flat dict.
    """
    # Optimizing the program of the many random draws takes longer than drawing.
    init = jax.jit(network.init, compiler_options={"xla_backend_optimization_level": 0})
    image = jnp.zeros((1, 64, 64, channels))
    tree = init(purpose_key(seed, purpose), image)
    return flatten_dict(tree["params"], sep="/")


def purpose_key(seed: int, purpose: str) -> jax.Array:
    """Derives the key of one purpose from the run's seed."""
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(purpose.encode()))


def _fine_tuned_params(config: Experiment, drawn: Params) -> Params:
    """Loads the parameters of `init_from`, and checks their shapes."""
    path = config.init_from
    loaded = pretrained.load_params(path)
    for name in sorted(drawn.keys() | loaded.keys()):
        want, got = (
            tree[name].shape if name in tree else "nothing" for tree in (drawn, loaded)
        )
        if want != got:
            raise ValueError(
                f"--config.init_from={path} holds other networks: {name} is {got} "
                f"there, {want} in this experiment"
            )
    return loaded
