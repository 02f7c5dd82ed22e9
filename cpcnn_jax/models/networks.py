"""The network that a configuration describes."""

from cpcnn_jax import config
from cpcnn_jax.models import cpcnn, shared_backbone
from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.models.shared_backbone import SharedBackbone

Network = CPCNN | SharedBackbone


def build(model: config.Model) -> Network:
    """Builds the network of a configuration.

    Example:
      >>> type(build(config.Model(architecture="shared_backbone"))).__name__
      'SharedBackbone'
    """
    if model.architecture == "shared_backbone":
        return shared_backbone.build(model)
    return cpcnn.build(model)
