import dataclasses
import functools
import typing

import pytest

from cpcnn_jax import config
from cpcnn_jax.config import validate


def changed(name, value):
    """The default experiment with one field set, as a flag would set it."""
    experiment = config.Experiment()
    *path, last = name.split(".")
    setattr(functools.reduce(getattr, path, experiment), last, value)
    return experiment


@pytest.mark.parametrize(
    ("name", "value", "words"),
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
        ("density.accumulate", 0, "a whole number of at least 1"),
        ("compute_dtype", "float16", "one of float32, bfloat16"),
        ("crops.fraction", 0, "a whole number of at least 1"),
        ("crops.multiple", 0, "a whole number of at least 1"),
        ("crops.plain", -1, "a whole number of at least 0"),
        ("crops.patches", 0, "a whole number of at least 1"),
        ("crops.zoom", 0.8, "a number of at least 1"),
        ("crops.colour", 1, "a number from 0 to under 1"),
        ("density.average", 1.0, "a number from 0 to under 1"),
        ("target.kernel", "adaptve", "one of fixed, adaptive, perspective"),
        ("target.sigma", 0.0, "a number above 0"),
        ("target.metres", 0.0, "a number above 0"),
        ("model.num_classes", 1, "a whole number of at least 2"),
        ("model.transposed_kernel", 3, "an even number of at least 2"),
        ("model.local_stride", 0, "a whole number of at least 1"),
        ("model.density_scale", 0.0, "a number above 0"),
        ("gce.trainable_from", "conv9_9", "one of conv1_1, conv1_2, .*, conv5_3"),
        ("lce.trainable_from", "fc0", "one of conv1_1, conv1_2, .*, conv5_3"),
        ("model.lce_vgg_blocks", 6, "a whole number from 0 to 5"),
        ("model.lce_side", 0, "a multiple of 64 of at least 64"),
        ("model.lce_side", 96, "a multiple of 64 of at least 64"),
        ("taken", "vgg", "some of gce, lce, dme, fcnn"),
        ("true_counts", "heads", "one of points, maps"),
        ("log_every", 0, "a whole number of at least 1"),
        ("save_every", 0, "a whole number of at least 1"),
        ("pictures", -1, "a whole number of at least 0"),
        ("seed", -1, r"a whole number from 0 to under 2\^32"),
        ("seed", 2**32, r"a whole number from 0 to under 2\^32"),
    ],
)
def test_each_value_is_refused_with_its_flag(name, value, words):
    text = rf"^--config\.{name}={value} must be {words}$"
    with pytest.raises(ValueError, match=text):
        validate.experiment(changed(name, value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((f"{stage}.steps", 0) for stage in config.STAGES),
        ("pictures", 0),
        ("crops.plain", 0),
        ("crops.noise", 0),
    ],
)
def test_nothing_is_a_value_where_it_means_something(name, value):
    validate.experiment(changed(name, value))


def test_a_stage_is_longer_than_its_warmup():
    text = r"^--config.lce.warmup=1000 must be under --config.lce.steps=1000$"
    with pytest.raises(ValueError, match=text):
        validate.experiment(changed("lce.warmup", 1000))
    none = config.Experiment(adversary=config.Adversary(steps=0, warmup=0))
    validate.experiment(none)


def test_a_training_has_a_stage():
    none = changed("gce.steps", 0)
    none.lce.steps = none.density.steps = 0
    validate.experiment(none)
    none.adversary.steps = 0
    with pytest.raises(ValueError, match="^no stage has steps: one --config.STAGE"):
        validate.experiment(none)


def test_units_and_parts_exclude_each_other():
    both = changed("unit", 2)
    both.lce.accumulate = 4
    text = "^--config.unit=2 takes the place of --config.lce.accumulate=4: leave one"
    with pytest.raises(ValueError, match=text):
        validate.experiment(both)


def test_what_to_do_with_bad_photographs_is_one_of_two():
    for kind in typing.get_args(config.DataSet):
        if kind is not config.Crowd:
            validate.experiment(config.Experiment(data=kind(on_bad="skip")))
            text = "^--config.data.on_bad=skp must be one of refuse, skip$"
            with pytest.raises(ValueError, match=text):
                validate.experiment(config.Experiment(data=kind(on_bad="skp")))


def test_no_crops_at_all():
    crops = config.Crops(plain=0, changed=0)
    with pytest.raises(ValueError, match="leave no crops to learn from"):
        validate.experiment(config.Experiment(crops=crops))


def test_perspective_needs_a_data_set_that_has_it():
    text = "^--config.target.kernel=perspective needs .* only config.WorldExpo has"
    with pytest.raises(ValueError, match=text):
        validate.experiment(changed("target.kernel", "perspective"))
    target = config.Target(kernel="perspective")
    validate.experiment(config.Experiment(target=target, data=config.WorldExpo()))


@pytest.mark.parametrize("change", [{"zoom": 1.3}, {"colour": 0.2}])
def test_only_changed_crops_and_patches_are_zoomed_and_recoloured(change):
    validate.experiment(config.Experiment(crops=config.Crops(**change)))
    patches = config.Crops(changed=0, changed_patches=1, **change)
    validate.experiment(config.Experiment(crops=patches))
    text = "^--config.crops.zoom=.* and .*colour=.* --config.crops.changed=0 and "
    with pytest.raises(ValueError, match=text):
        validate.experiment(config.Experiment(crops=config.Crops(changed=0, **change)))


def test_zoomed_photographs_have_no_perspective_map():
    target = config.Target(kernel="perspective")
    crops = config.Crops(zoom=1.25)
    experiment = config.Experiment(config.WorldExpo(), target, crops)
    text = "^--config.crops.zoom=1.25 scales photographs, .*: leave one out$"
    with pytest.raises(ValueError, match=text):
        validate.experiment(experiment)
    experiment.target.kernel = "adaptive"
    validate.experiment(experiment)


@pytest.mark.parametrize("cells", [(24,), (8, 0), (8, -8), (8, 2.0)])
def test_cells_divide_every_crop(cells):
    validate.experiment(changed("density.cells", (1, 8, 64)))
    text = r"^--config.density.cells=\(.*\) must be sides that divide .*multiple=64$"
    with pytest.raises(ValueError, match=text):
        validate.experiment(changed("density.cells", cells))


@pytest.mark.parametrize(
    "model",
    [{"fusion": False}, {"local_context": False}],
    ids=str,
)
def test_only_f_cnn_with_lce_begins_as_what_that_expects(model):
    experiment = config.Experiment(density=config.DensityStage(expected=True))
    validate.experiment(experiment)
    experiment.model = config.Model(**model)
    with pytest.raises(ValueError, match="^--config.density.expected=True needs F-CNN"):
        validate.experiment(experiment)


def test_only_convolutions_that_keep_sizes_see_what_is_around():
    experiment = config.Experiment(model=config.Model(lce_side=256))
    text = "^--config.model.lce_side=256 needs convolutions that keep sizes: set --conf"
    with pytest.raises(ValueError, match=text):
        validate.experiment(experiment)
    experiment.model.lce_vgg_blocks = 4
    validate.experiment(experiment)


@pytest.mark.parametrize(("side", "stride"), [(64, 65), (256, 300)])
def test_the_lce_looks_everywhere(side, stride):
    model = config.Model(lce_vgg_blocks=4, lce_side=side, local_stride=side)
    experiment = config.Experiment(model=model)
    validate.experiment(experiment)
    model.local_stride = stride
    text = f"^--config.model.local_stride={stride} leaves gaps .*model.lce_side={side}$"
    with pytest.raises(ValueError, match=text):
        validate.experiment(experiment)


def test_what_is_no_experiment():
    with pytest.raises(ValueError, match="must return .*Experiment, got dict"):
        validate.experiment({})


def test_every_number_of_the_tree_has_a_rule():
    """A new field is either checked or listed here with the place that checks it."""
    elsewhere = {
        "data.num_train",  # the generated crowd refuses its own
        "data.num_test",
        "data.height",
        "data.width",
        "data.max_heads",
        "data.seed",
    }
    ruled = {name for _, _, names in validate._RULES for name in names.split()}
    numbers = {
        name
        for name, value in leaves(dataclasses.asdict(config.Experiment()))
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    assert numbers - elsewhere == ruled - {
        "compute_dtype",
        "gce.trainable_from",
        "lce.trainable_from",
        "model.classes",
        "taken",
        "target.kernel",
        "true_counts",
    }


def leaves(tree, prefix=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
