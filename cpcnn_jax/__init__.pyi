import cpcnn_jax.layers.arithmetic
import cpcnn_jax.layers.converters

from .data.density_classes import density_class as density_class
from .data.density_map import density_map as density_map
from .evaluation.metrics import mae as mae
from .evaluation.metrics import psnr as psnr
from .evaluation.metrics import rmse as rmse
from .evaluation.metrics import ssim as ssim
from .inference.counter import load as load
from .layers.fractionally_strided import (
    FractionallyStridedConv as FractionallyStridedConv,
)
from .layers.fractionally_strided import (
    fractionally_strided_conv as fractionally_strided_conv,
)
from .layers.fractionally_strided import insert_zeros as insert_zeros
from .models.cpcnn import CPCNN as CPCNN
from .models.discriminator import Discriminator as Discriminator
from .models.dme import DensityMapEstimator as DensityMapEstimator
from .models.fcnn import FusionCNN as FusionCNN
from .models.gce import GlobalContextEstimator as GlobalContextEstimator
from .models.lce import LocalContextEstimator as LocalContextEstimator
from .models.shared_backbone import SharedBackbone as SharedBackbone
from .training.losses import adversarial_loss as adversarial_loss
from .training.losses import discriminator_loss as discriminator_loss
from .training.losses import euclidean_loss as euclidean_loss

arithmetic = cpcnn_jax.layers.arithmetic
converters = cpcnn_jax.layers.converters
__version__: str
