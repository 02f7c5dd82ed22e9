"""Validation of a configuration before anything is written."""

import functools

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.config.datasets import WorldExpo
from cpcnn_jax.config.experiment import STAGES, Experiment
from cpcnn_jax.config.rules import broken_rules


def check_experiment(config: Experiment) -> None:
    """Refuses a configuration with which no run can succeed.

    Args:
      config: the result of an experiment's `get_config`, with overrides.

    Raises:
      ValueError: a field breaks its rule, or two fields contradict each other. The
        text names the field, its value and the rule.

    Example:
      >>> check_experiment(Experiment(log_every=0))
      Traceback (most recent call last):
      ValueError: --config.log_every=0 must be a whole number of at least 1
    """
    if not isinstance(config, Experiment):
        raise ValueError(
            "--config: get_config() must return a cpcnn_jax.config.Experiment, got "
            f"{type(config).__name__}"
        )
    for name, value, text in broken_rules(config):
        raise ValueError(f"--config.{name}={value} must be {text}")
    for check in (_stages, _crops, _augmentation, _networks, _target):
        check(config)


def _flag(config, name):
    """The field as it is typed: --config.NAME=VALUE."""
    return f"--config.{name}={functools.reduce(getattr, name.split('.'), config)}"


def _stages(config):
    stages = {name: getattr(config, name) for name in STAGES}
    if not any(stage.steps for stage in stages.values()):
        raise ValueError("no stage has steps: one --config.STAGE.steps must be above 0")
    for name, stage in stages.items():
        if config.deterministic_microbatch and stage.accum_steps > 1:
            raise ValueError(
                f"{_flag(config, 'deterministic_microbatch')} replaces "
                f"{_flag(config, f'{name}.accum_steps')}: leave one out"
            )
        if stage.steps and stage.warmup_steps >= stage.steps:
            raise ValueError(
                f"{_flag(config, f'{name}.warmup_steps')} must be under "
                f"{_flag(config, f'{name}.steps')}"
            )


def _crops(config):
    if config.crops.num_plain + config.crops.num_augmented == 0:
        raise ValueError(
            "--config.crops.num_plain=0 and --config.crops.num_augmented=0 leave no "
            "crops to train on: one must be at least 1"
        )
    for side in config.density.multiscale_loss_sizes:
        if not isinstance(side, int) or side < 1 or config.crops.size_multiple % side:
            raise ValueError(
                f"{_flag(config, 'density.multiscale_loss_sizes')} must be sides that "
                f"divide {_flag(config, 'crops.size_multiple')}"
            )


def _augmentation(config):
    crops = config.crops
    none = not crops.num_augmented and not crops.num_augmented_patches
    if none and (crops.max_scale > 1 or crops.color_jitter):
        raise ValueError(
            f"{_flag(config, 'crops.max_scale')} and "
            f"{_flag(config, 'crops.color_jitter')} apply to augmented crops and "
            "patches, and --config.crops.num_augmented=0 and num_augmented_patches=0 "
            "leave none: set one of them to at least 1"
        )
    if crops.max_scale > 1 and config.target.sigma_mode == "perspective":
        raise ValueError(
            f"{_flag(config, 'crops.max_scale')} scales images, and "
            "--config.target.sigma_mode=perspective needs them unscaled: leave one out"
        )


def _networks(config):
    model = config.model
    if model.lce_input_size > PATCH and not model.lce_vgg_blocks:
        raise ValueError(
            f"{_flag(config, 'model.lce_input_size')} needs convolutions that keep "
            "sizes: set --config.model.lce_vgg_blocks to at least 1"
        )
    if model.lce_stride > model.lce_input_size:
        raise ValueError(
            f"{_flag(config, 'model.lce_stride')} leaves gaps between the LCE's "
            f"inputs: it must be at most {_flag(config, 'model.lce_input_size')}"
        )
    if config.density.fcnn_init_from_lce and not (model.use_fcnn and model.use_lce):
        raise ValueError(
            f"{_flag(config, 'density.fcnn_init_from_lce')} needs F-CNN and LCE: "
            "--config.model.use_fcnn and --config.model.use_lce"
        )


def _target(config):
    perspective = config.target.sigma_mode == "perspective"
    if perspective and not isinstance(config.data, WorldExpo):
        raise ValueError(
            "--config.target.sigma_mode=perspective needs perspective maps, which only "
            "config.WorldExpo has: use fixed or adaptive"
        )
