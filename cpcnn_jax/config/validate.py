"""Validation of a configuration before anything is written."""

import functools

from cpcnn_jax.config.datasets import WorldExpo
from cpcnn_jax.config.experiment import Experiment
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
    check_fields(config)
    for check in (_stages, _crops, _augmentation, _target, _joint):
        check(config)


def check_fields(config: Experiment) -> None:
    """Refuses a configuration of which a single field breaks its rule.

    Raises:
      ValueError: as `check_experiment`.
    """
    if not isinstance(config, Experiment):
        raise ValueError(
            "--config: get_config() must return a cpcnn_jax.config.Experiment, got "
            f"{type(config).__name__}"
        )
    for name, value, text in broken_rules(config):
        raise ValueError(f"--config.{name}={value} must be {text}")


def _flag(config, name):
    """The field as it is typed: --config.NAME=VALUE."""
    return f"--config.{name}={functools.reduce(getattr, name.split('.'), config)}"


def _stages(config):
    stages = config.stages()
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


def _augmentation(config):
    crops = config.crops
    changes = ("color_jitter", "gamma_jitter", "max_blur")
    active = [name for name in changes if getattr(crops, name)]
    active += ["max_scale"] * (crops.max_scale > 1)
    if active and not crops.num_augmented:
        raise ValueError(
            f"{_flag(config, f'crops.{active[0]}')} applies to augmented crops, and "
            "--config.crops.num_augmented=0 leaves none: set it to at least 1"
        )
    if crops.max_scale > 1 and config.target.sigma_mode == "perspective":
        raise ValueError(
            f"{_flag(config, 'crops.max_scale')} scales images, and "
            "--config.target.sigma_mode=perspective needs them unscaled: leave one out"
        )


def _target(config):
    perspective = config.target.sigma_mode == "perspective"
    if perspective and not isinstance(config.data, WorldExpo):
        raise ValueError(
            "--config.target.sigma_mode=perspective needs perspective maps, which only "
            "config.WorldExpo has: use fixed or adaptive"
        )


def _joint(config):
    if config.model.architecture == "cpcnn":
        return
    side = config.crops.fixed_side
    if not side:
        raise ValueError(
            f"{_flag(config, 'model.architecture')} is trained on square crops: "
            "set --config.crops.fixed_side, for example to 384"
        )
    for cell, _ in config.joint.cell_losses if not config.joint.loss else ():
        if side % cell:
            raise ValueError(
                f"{_flag(config, 'joint.cell_losses')}: the side {cell} must divide "
                f"{_flag(config, 'crops.fixed_side')}"
            )
