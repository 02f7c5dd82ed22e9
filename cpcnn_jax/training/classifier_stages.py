"""The stages "GCE" and "LCE": classifiers of how dense an image is, each learned alone.

Reference: Sindagi & Patel, ICCV 2017, sections 3.1, 3.2 and 4.
"""

import functools

import jax.numpy as jnp

from cpcnn_jax.config.constants import VGG16_LAYERS
from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.data import density_classes, input_pipeline
from cpcnn_jax.models import flops
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training import train_step
from cpcnn_jax.training.init import params as init_params


def gce_stage(run, before):
    """GCE on crops; only its head and the last convolutions learn."""
    return _classifier_stage(
        run,
        before,
        name="gce",
        counts_of=crops_lib.crop_counts,
        batches_of=functools.partial(
            input_pipeline.crop_batches, target=run.config.target
        ),
    )


def lce_stage(run, before):
    """LCE on patches, window by window; if it has VGG-16's, its last convolutions."""
    side = run.config.model.lce_input_size
    return _classifier_stage(
        run,
        before,
        name="lce",
        counts_of=functools.partial(crops_lib.patch_counts, side=side),
        batches_of=functools.partial(input_pipeline.patch_batches, side=side),
    )


def _classifier_stage(run, before, *, name, counts_of, batches_of):
    network, settings = getattr(run.model, name), getattr(run.config, name)
    crops, seed = run.config.crops, run.config.seed
    counts = counts_of(run.source, crops, seed=seed)
    thresholds = stage_lib.fit_class_thresholds(run, counts)
    tx = stage_lib.make_adam(settings)
    if settings.vgg_lr_multiplier != 1:
        tx = stage_lib.scale_updates(tx, "/vgg16/", settings.vgg_lr_multiplier)
    frozen = _frozen(name, settings)

    def trains(weight):
        return weight.startswith(f"{name}/") and not weight.startswith(frozen)

    def labelled(start):
        order = {"batch_size": settings.batch_size, "seed": seed, "start": start}
        for batch in batches_of(run.source, crops, reading=run.reading, **order):
            label = density_classes.density_class(batch["count"], thresholds)
            yield {"image": batch["image"], "label": label, "crop": batch["crop"]}

    step = train_step.classification_step(
        network,
        tx,
        scope=f"{name}/",
        class_weights=jnp.asarray(density_classes.class_weights(counts, thresholds)),
        key=init_params.purpose_key(seed, f"{name} dropout"),
        **stage_lib.step_options(run, settings),
    )

    @functools.cache
    def work(shape):
        layers = flops.layer_flops(network, shape)
        return flops.training_flops(layers, lambda layer: trains(f"{name}/{layer}/"))

    return stage_lib.Stage(
        name=name,
        steps=settings.steps,
        state=train_step.new_state(before, tx, trains=trains),
        step=step,
        batches=labelled,
        result=stage_lib.all_params,
        photographs=run.source.names,
        flops=work,
        maps=False,
    )


def _frozen(network, settings):
    """What the names of the convolutions begin with that stay ImageNet's."""
    first = VGG16_LAYERS.index(settings.first_trainable_layer)
    return tuple(f"{network}/vgg16/{layer}/" for layer in VGG16_LAYERS[:first])
