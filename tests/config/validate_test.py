"""Validation of experiments: each rule, broken one at a time."""

import dataclasses
import functools
import re
import typing

import pytest

from cpcnn_jax import config
from cpcnn_jax.config import validate


def changed(name, value):
    """The default experiment with one field overridden."""
    experiment = config.Experiment(data=config.Folder())
    *path, last = name.split(".")
    setattr(functools.reduce(getattr, path, experiment), last, value)
    return experiment


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("density.steps", -2, "a whole number of at least 0"),
        ("lce.steps", -1, "a whole number of at least 0"),
        ("gce.steps", 2.5, "a whole number of at least 0"),
        ("gce.batch_size", 0, "a whole number of at least 1"),
        ("adversary.steps", -1, "a whole number of at least 0"),
        ("adversary.learning_rate", -1e-3, "a number above 0"),
        ("density.learning_rate", float("nan"), "a number above 0"),
        ("density.learning_rate", float("inf"), "a number above 0"),
        ("density.learning_rate", "1e-3", "a number above 0"),
        ("adversary.discriminator_beta1", 1.0, "a number from 0 to under 1"),
        ("adversary.weight", -1.0, "a number of at least 0"),
        ("density.accum_steps", 0, "a whole number of at least 1"),
        ("compute_dtype", "float16", "one of float32, bfloat16"),
        ("crops.side_divisor", 0, "a whole number of at least 1"),
        ("crops.size_multiple", 0, "a whole number of at least 1"),
        ("crops.num_plain", -1, "a whole number of at least 0"),
        ("crops.num_patches", 0, "a whole number of at least 1"),
        ("crops.fixed_side", 100, "a multiple of 64 of at least 0"),
        ("image_memory_gib", 0.0, "a number above 0 and at most 6"),
        ("image_memory_gib", 6.5, "a number above 0 and at most 6"),
        ("joint.max_gradient_norm", 0.0, "a number above 0"),
        ("crops.max_scale", 0.8, "a number of at least 1"),
        ("crops.color_jitter", 1, "a number from 0 to under 1"),
        ("density.ema_decay", 1.0, "a number from 0 to under 1"),
        ("target.sigma_mode", "adaptve", "one of fixed, adaptive, perspective"),
        ("target.sigma", 0.0, "a number above 0"),
        ("target.sigma_metres", 0.0, "a number above 0"),
        ("model.num_classes", 1, "a whole number of at least 2"),
        ("model.upsample_kernel_size", 3, "a multiple of 2 of at least 2"),
        ("model.lce_stride", 0, "a whole number from 1 to 64"),
        ("model.lce_stride", 65, "a whole number from 1 to 64"),
        ("model.density_scale", 0.0, "a number above 0"),
        ("gce.first_trainable_layer", "conv9_9", "one of conv1_1, .*, conv5_3"),
        ("count_reference", "heads", "one of points, maps"),
        ("log_every", 0, "a whole number of at least 1"),
        ("checkpoint_every", 0, "a whole number of at least 1"),
        ("num_eval_images", -1, "a whole number of at least 0"),
        ("seed", -1, "a whole number from 0 to 4294967295"),
        ("seed", 2**32, "a whole number from 0 to 4294967295"),
        (
            "model.gce_hidden_dims",
            "(1,a)",
            "a tuple, each part a whole number of at .*",
        ),
        ("model.lce_features", 8, "a tuple, each part a whole number of at least 1"),
        ("model.gce_thresholds", (2, 1), "a tuple of ascending numbers above 0"),
        ("model.lce_thresholds", (0, 1), "a tuple of ascending numbers above 0"),
        ("model.lce_thresholds", (), "a tuple of ascending numbers above 0"),
        ("model.dme_columns", ((16, 9),), "a tuple, each part a tuple of pairs: fea.*"),
        (
            "joint.cell_losses",
            (16, 0.1),
            "a tuple of pairs: a side in pixels, a whole.*",
        ),
        ("joint.cell_losses", (("a", 0.1),), "a tuple of pairs: a side in pixels, .*"),
        ("joint.cell_losses", ((16, -1),), ".* and a weight, a number of at least 0"),
        ("model.use_gce", "yes", "True or False"),
        ("init_from", 3, "a text"),
        ("data.root", None, "a text"),
        ("data", None, "one of SyntheticCrowd, .*"),
        ("gce", {}, "a GCEStage"),
    ],
)
def test_invalid_value_is_named_with_its_flag(name, value, rule):
    text = rf"^--config\.{name}={re.escape(str(value))} must be {rule}$"
    with pytest.raises(ValueError, match=text):
        validate.check_experiment(changed(name, value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((f"{stage}.steps", 0) for stage in config.STAGES["cpcnn"]),
        ("num_eval_images", 0),
        ("crops.num_plain", 0),
        ("crops.noise_amplitude", 0),
    ],
)
def test_zero_is_valid_for_some_fields(name, value):
    validate.check_experiment(changed(name, value))


def test_stage_must_be_longer_than_its_warmup():
    text = r"^--config.lce.warmup_steps=1000 must be under --config.lce.steps=1000$"
    with pytest.raises(ValueError, match=text):
        validate.check_experiment(changed("lce.warmup_steps", 1000))
    skipped = config.Experiment(adversary=config.Adversary(steps=0, warmup_steps=0))
    validate.check_experiment(skipped)


def test_one_stage_must_have_steps():
    experiment = changed("gce.steps", 0)
    experiment.lce.steps = experiment.density.steps = 0
    validate.check_experiment(experiment)
    experiment.adversary.steps = 0
    with pytest.raises(ValueError, match="^no stage has steps: one --config.STAGE"):
        validate.check_experiment(experiment)


def test_deterministic_microbatch_excludes_gradient_accumulation():
    both = changed("deterministic_microbatch", 2)
    both.lce.accum_steps = 4
    text = "^--config.deterministic_microbatch=2 replaces .*lce.accum_steps=4: leave"
    with pytest.raises(ValueError, match=text):
        validate.check_experiment(both)


def test_on_invalid_is_raise_or_skip():
    for kind in typing.get_args(config.DataSet):
        if kind is not config.SyntheticCrowd:
            validate.check_experiment(config.Experiment(data=kind(on_invalid="skip")))
            text = "^--config.data.on_invalid=skp must be one of raise, skip$"
            with pytest.raises(ValueError, match=text):
                experiment = config.Experiment(data=kind(on_invalid="skp"))
                validate.check_experiment(experiment)


def test_zero_crops_raise_value_error():
    crops = config.Crops(num_plain=0, num_augmented=0)
    with pytest.raises(ValueError, match="leave no crops to train on"):
        validate.check_experiment(config.Experiment(crops=crops))


def test_perspective_sigma_needs_world_expo():
    text = "^--config.target.sigma_mode=perspective needs .* only config.WorldExpo has"
    with pytest.raises(ValueError, match=text):
        validate.check_experiment(changed("target.sigma_mode", "perspective"))
    target = config.Target(sigma_mode="perspective")
    validate.check_experiment(config.Experiment(target=target, data=config.WorldExpo()))


@pytest.mark.parametrize(
    "change",
    [{"max_scale": 1.3}, {"color_jitter": 0.2}, {"gamma_jitter": 0.5}, {"max_blur": 2}],
)
def test_changes_of_crops_need_augmented_crops(change):
    validate.check_experiment(config.Experiment(crops=config.Crops(**change)))
    text = f"^--config.crops.{[*change][0]}=.* applies to .*num_augmented=0 leaves"
    with pytest.raises(ValueError, match=text):
        validate.check_experiment(
            config.Experiment(crops=config.Crops(num_augmented=0, **change))
        )


def test_scaling_excludes_perspective_sigma():
    target = config.Target(sigma_mode="perspective")
    crops = config.Crops(max_scale=1.25)
    experiment = config.Experiment(config.WorldExpo(), target, crops)
    text = "^--config.crops.max_scale=1.25 scales images, .*: leave one out$"
    with pytest.raises(ValueError, match=text):
        validate.check_experiment(experiment)
    experiment.target.sigma_mode = "adaptive"
    validate.check_experiment(experiment)


def test_fields_of_a_data_set_of_ones_own_may_have_any_type():
    @dataclasses.dataclass
    class Own(config.Folder):
        names: list[str] = dataclasses.field(default_factory=list)
        scale: "float" = 1.0
        part: str | tuple[str, ...] = ()

    validate.check_experiment(config.Experiment(data=Own()))


def test_other_types_raise_value_error():
    with pytest.raises(ValueError, match="must return .*Experiment, got dict"):
        validate.check_experiment({})


def fields(tree, prefix=""):
    """(dotted name, value, whether it has a rule) of every field."""
    for field in dataclasses.fields(tree):
        value = getattr(tree, field.name)
        if dataclasses.is_dataclass(value):
            yield from fields(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value, "rule" in field.metadata


def test_every_number_has_a_rule():
    """The synthetic crowd checks its own numbers."""
    for name, value, has_rule in fields(config.Experiment()):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        assert has_rule or not number or name.startswith("data."), name
    assert sum(has_rule for _, _, has_rule in fields(config.Experiment())) > 50


def test_the_joint_stage_needs_crops_that_its_cells_divide():
    experiment = config.Experiment(model=config.Model("shared_backbone"))
    with pytest.raises(ValueError, match="set --config.crops.fixed_side, for exam"):
        validate.check_experiment(experiment)
    experiment.crops.fixed_side = 384
    validate.check_experiment(experiment)
    experiment.joint.cell_losses = ((16, 0.1), (100, 0.1))
    with pytest.raises(ValueError, match="the side 100 must divide --config.crops.f"):
        validate.check_experiment(experiment)
