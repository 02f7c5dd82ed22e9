"""CP-CNN in JAX and Flax: networks, density maps, counts and scores.

Use it as `import cpcnn_jax as cp`. The networks have the names of the paper's figure.
"""

import sys
from importlib import metadata

from cpcnn_jax.data.density_classes import density_class
from cpcnn_jax.data.density_map import density_map
from cpcnn_jax.evaluation.metrics import mae, psnr, rmse, ssim
from cpcnn_jax.inference.counter import load
from cpcnn_jax.layers import arithmetic, converters
from cpcnn_jax.layers.fractionally_strided import (
    FractionallyStridedConv,
    fractionally_strided_conv,
    insert_zeros,
)
from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.models.discriminator import Discriminator
from cpcnn_jax.models.dme import DensityMapEstimator
from cpcnn_jax.models.fcnn import FusionCNN
from cpcnn_jax.models.gce import GlobalContextEstimator
from cpcnn_jax.models.lce import LocalContextEstimator
from cpcnn_jax.models.shared_backbone import SharedBackbone
from cpcnn_jax.training.losses import (
    adversarial_loss,
    discriminator_loss,
    euclidean_loss,
)

__all__ = [
    # networks
    "GlobalContextEstimator",
    "LocalContextEstimator",
    "DensityMapEstimator",
    "FusionCNN",
    "CPCNN",
    "SharedBackbone",
    "Discriminator",
    # trained counter
    "load",
    # layer
    "FractionallyStridedConv",
    "fractionally_strided_conv",
    "insert_zeros",
    # targets
    "density_map",
    "density_class",
    # losses
    "euclidean_loss",
    "adversarial_loss",
    "discriminator_loss",
    # scores
    "mae",
    "rmse",
    "psnr",
    "ssim",
]

# The rooms' modules are also importable by these names.
sys.modules[f"{__name__}.arithmetic"] = arithmetic
sys.modules[f"{__name__}.converters"] = converters

try:
    __version__ = metadata.version("cpcnn_jax")
except metadata.PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+unknown"
