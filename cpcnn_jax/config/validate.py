"""What a configuration must satisfy, said in one line before anything is written."""

import functools
import math

from cpcnn_jax.config import (
    DTYPES,
    KERNELS,
    NETWORKS,
    ON_BAD,
    STAGES,
    Experiment,
    Photographs,
    WorldExpo,
)
from cpcnn_jax.config.constants import PATCH, VGG16_BLOCKS, VGG16_LAYERS

# What a value must be, the same for Python, and the fields that must be so.
_RULES = (
    (
        "a whole number of at least 1",
        lambda value: isinstance(value, int) and value >= 1,
        """crops.fraction crops.multiple crops.patches model.local_stride
        gce.batch_size lce.batch_size density.batch_size adversary.batch_size
        gce.accumulate lce.accumulate density.accumulate adversary.accumulate
        validation.every log_every save_every""",
    ),
    (
        "a whole number of at least 0",
        lambda value: isinstance(value, int) and value >= 0,
        """crops.plain crops.changed crops.changed_patches gce.steps lce.steps
        density.steps adversary.steps gce.warmup lce.warmup density.warmup
        adversary.warmup pictures workers unit""",
    ),
    (
        "a whole number of at least 2",
        lambda value: isinstance(value, int) and value >= 2,
        "model.num_classes",
    ),
    (
        f"a whole number from 0 to {len(VGG16_BLOCKS)}",
        lambda value: isinstance(value, int) and 0 <= value <= len(VGG16_BLOCKS),
        "model.lce_vgg_blocks",
    ),
    (
        f"a multiple of {PATCH} of at least {PATCH}",
        lambda value: isinstance(value, int) and value >= PATCH and not value % PATCH,
        "model.lce_side",
    ),
    (
        f"some of {', '.join(NETWORKS)}",
        lambda value: set(value) <= set(NETWORKS) and len(value) > 0,
        "taken",
    ),
    (
        "an even number of at least 2",
        lambda value: isinstance(value, int) and value >= 2 and value % 2 == 0,
        "model.transposed_kernel",
    ),
    (
        "a whole number from 0 to under 2^32",
        lambda value: isinstance(value, int) and 0 <= value < 2**32,
        "seed",
    ),
    (
        "a number above 0",
        lambda value: isinstance(value, float | int) and 0 < value < math.inf,
        """target.sigma target.metres model.vgg_width model.density_scale
        gce.learning_rate lce.learning_rate density.learning_rate density.dme_rate
        gce.vgg_rate lce.vgg_rate adversary.learning_rate
        adversary.discriminator_learning_rate adversary.discriminator_width""",
    ),
    (
        "a number of at least 0",
        lambda value: isinstance(value, float | int) and 0 <= value < math.inf,
        "crops.noise adversary.weight",
    ),
    (
        "a number of at least 1",
        lambda value: isinstance(value, float | int) and 1 <= value < math.inf,
        "crops.zoom",
    ),
    (
        "a number from 0 to under 1",
        lambda value: isinstance(value, float | int) and 0 <= value < 1,
        "crops.colour density.average adversary.discriminator_beta1",
    ),
    (
        "a whole number from 0 to 99",
        lambda value: isinstance(value, int) and 0 <= value < 100,
        "validation.share",
    ),
    (
        "one of width, share",
        lambda value: value in ("width", "share"),
        "model.classes",
    ),
    (
        f"one of {', '.join(VGG16_LAYERS)}",
        lambda value: value in VGG16_LAYERS,
        "gce.trainable_from lce.trainable_from",
    ),
    (
        "one of points, maps",
        lambda value: value in ("points", "maps"),
        "true_counts",
    ),
    (
        f"one of {', '.join(DTYPES)}",
        lambda value: value in DTYPES,
        "compute_dtype",
    ),
    (
        f"one of {', '.join(KERNELS)}",
        lambda value: value in KERNELS,
        "target.kernel",
    ),
)


def experiment(config):
    """Refuse a configuration with which no run can succeed.

    Args:
      config: what an experiment's `get_config` returned, with overrides.

    Raises:
      ValueError: a field that cannot be used, its value, and what it must be.

    Example:
      >>> experiment(Experiment(log_every=0))
      Traceback (most recent call last):
      ValueError: --config.log_every=0 must be a whole number of at least 1
    """
    if not isinstance(config, Experiment):
        raise ValueError(
            "--config: get_config() must return a cpcnn_jax.config.Experiment, got "
            f"{type(config).__name__}"
        )
    for words, holds, names in _RULES:
        for name in names.split():
            value = functools.reduce(getattr, name.split("."), config)
            if not holds(value):
                raise ValueError(f"--config.{name}={value} must be {words}")
    _stages(config)
    _crops(config)
    _changed_crops(config)
    _networks(config)
    _data(config)


def _stages(config):
    stages = {name: getattr(config, name) for name in STAGES}
    if not any(stage.steps for stage in stages.values()):
        raise ValueError("no stage has steps: one --config.STAGE.steps must be above 0")
    for name, stage in stages.items():
        if config.unit and stage.accumulate > 1:
            raise ValueError(
                f"--config.unit={config.unit} takes the place of "
                f"--config.{name}.accumulate={stage.accumulate}: leave one out"
            )
        if stage.steps and stage.warmup >= stage.steps:
            raise ValueError(
                f"--config.{name}.warmup={stage.warmup} must be under "
                f"--config.{name}.steps={stage.steps}"
            )


def _crops(config):
    if config.crops.plain + config.crops.changed == 0:
        raise ValueError(
            "--config.crops.plain=0 and --config.crops.changed=0 leave no crops to "
            "learn from: one must be at least 1"
        )
    for side in config.density.cells:
        if not isinstance(side, int) or side < 1 or config.crops.multiple % side:
            raise ValueError(
                f"--config.density.cells={config.density.cells} must be sides that "
                f"divide --config.crops.multiple={config.crops.multiple}"
            )


def _changed_crops(config):
    crops = config.crops
    none = not crops.changed and not crops.changed_patches
    if none and (crops.zoom > 1 or crops.colour):
        raise ValueError(
            f"--config.crops.zoom={crops.zoom} and --config.crops.colour="
            f"{crops.colour} are for changed crops and patches, and "
            "--config.crops.changed=0 and changed_patches=0 leave none: set one of "
            "them to at least 1"
        )
    if crops.zoom > 1 and config.target.kernel == "perspective":
        raise ValueError(
            f"--config.crops.zoom={crops.zoom} scales photographs, which "
            "--config.target.kernel=perspective needs as they are: leave one out"
        )


def _networks(config):
    if config.model.lce_side > PATCH and not config.model.lce_vgg_blocks:
        raise ValueError(
            f"--config.model.lce_side={config.model.lce_side} needs convolutions that "
            "keep sizes: set --config.model.lce_vgg_blocks to at least 1"
        )
    if config.model.local_stride > config.model.lce_side:
        raise ValueError(
            f"--config.model.local_stride={config.model.local_stride} leaves gaps "
            "between what the LCE looks at: it must be at most "
            f"--config.model.lce_side={config.model.lce_side}"
        )
    begun = config.model.fusion and config.model.local_context
    if config.density.expected and not begun:
        raise ValueError(
            f"--config.density.expected={config.density.expected} needs F-CNN and LCE: "
            "--config.model.fusion and --config.model.local_context"
        )


def _data(config):
    if isinstance(config.data, Photographs) and config.data.on_bad not in ON_BAD:
        raise ValueError(
            f"--config.data.on_bad={config.data.on_bad} must be one of "
            f"{', '.join(ON_BAD)}"
        )
    if config.target.kernel == "perspective" and not isinstance(config.data, WorldExpo):
        raise ValueError(
            "--config.target.kernel=perspective needs perspective maps, which of all "
            "data sets only config.WorldExpo has: use fixed or adaptive"
        )
