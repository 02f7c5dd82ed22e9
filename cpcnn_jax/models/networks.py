"""The network that a configuration describes."""

from cpcnn_jax import config
from cpcnn_jax.config.constants import VGG16_LAYERS
from cpcnn_jax.models import cpcnn, custom_network, shared_backbone
from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.models.custom_network import CustomNetwork
from cpcnn_jax.models.shared_backbone import SharedBackbone

Network = CPCNN | SharedBackbone | CustomNetwork


def build(model: config.Model) -> Network:
    """Builds the network of a configuration.

    Raises:
      ValueError: the architecture is an import path, and its object is no network.

    Example:
      >>> type(build(config.Model(architecture="shared_backbone"))).__name__
      'SharedBackbone'
    """
    if model.architecture == "shared_backbone":
        return shared_backbone.build(model)
    if model.architecture == "cpcnn":
        return cpcnn.build(model)
    return custom_network.build(model)


def vgg16_prefixes(network: SharedBackbone | CustomNetwork) -> tuple[str, ...]:
    """Lists prefixes of the names of VGG-16's parameters in a network.

    Example:
      >>> vgg16_prefixes(SharedBackbone())
      ('stem/', 'pyramid/')
    """
    if isinstance(network, SharedBackbone):
        return ("stem/", "pyramid/")
    return tuple(f"network/{layer}/" for layer in VGG16_LAYERS)
