"""The stages that learn maps: DME and F-CNN together, GCE and LCE frozen.

First with the Euclidean loss, then against the discriminator.

Reference: Sindagi & Patel, ICCV 2017, sections 3.4 and 4.
"""

import functools

import jax
import numpy as np
import optax

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.data import input_pipeline
from cpcnn_jax.models import flops
from cpcnn_jax.models.discriminator import Discriminator
from cpcnn_jax.training import ema, train_step
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training.init import expected_density
from cpcnn_jax.training.init import params as init_params


def density_stage(run, before):
    """DME and F-CNN with the Euclidean loss, GCE and LCE frozen."""
    settings = run.config.density
    before = _expected(run, before) if settings.fcnn_init_from_lce else before
    tx = stage_lib.scale_updates(
        stage_lib.make_adam(settings), "dme/", settings.dme_lr_multiplier
    )
    tx = ema.with_ema(tx, settings.ema_decay)
    step = train_step.density_step(
        run.model,
        tx,
        cells=settings.multiscale_loss_sizes,
        **stage_lib.step_options(run, settings),
    )
    return stage_lib.Stage(
        name="density",
        steps=settings.steps,
        state=train_step.new_state(before, tx, trains=_joint),
        step=step,
        batches=_density_batches(run, before, settings),
        result=lambda state: {**ema.ema_params(state), **state.frozen},
        photographs=run.source.names,
        flops=functools.cache(functools.partial(_map_flops, run.model)),
    )


def adversarial_stage(run, before):
    """DME and F-CNN against the discriminator, GCE and LCE frozen."""
    settings = run.config.adversary
    judge = Discriminator(settings.discriminator_width_multiplier)
    tx = stage_lib.make_adam(settings)
    judge_tx = optax.adam(
        settings.discriminator_learning_rate, b1=settings.discriminator_beta1
    )
    judge_weights = init_params.random_params(
        judge, run.config.seed, "discriminator", channels=1
    )
    state = train_step.GANState(
        train_step.new_state(before, tx, trains=_joint),
        train_step.new_state(judge_weights, judge_tx, trains=lambda name: True),
    )
    step = train_step.adversarial_step(
        run.model,
        tx,
        judge,
        judge_tx,
        weight=settings.weight,
        **stage_lib.step_options(run, settings),
    )

    @functools.cache
    def work(shape):
        layers = flops.layer_flops(judge, (*shape[:3], 1))
        judged = sum(layers.values())  # true and estimate, then through to the latter
        return _map_flops(run.model, shape) + 2 * 3 * judged + 2 * judged

    return stage_lib.Stage(
        name="adversary",
        steps=settings.steps,
        state=state,
        step=step,
        batches=_density_batches(run, before, settings),
        result=lambda rivals: stage_lib.all_params(rivals.generator),
        photographs=run.source.names,
        flops=work,
    )


def _expected(run, before):
    """F-CNN as the density that LCE expects."""
    settings = run.config
    counts = crops_lib.patch_counts(
        run.source, settings.crops, settings.seed, side=settings.model.lce_input_size
    )
    return before | expected_density.fcnn_from_lce(
        before,
        counts,
        stage_lib.fit_class_thresholds(run, counts),
        area=PATCH**2,
        density_scale=settings.model.density_scale,
    )


def _map_flops(model, shape):
    """Of a step of DME and F-CNN alone: the frozen networks were asked before."""
    layers = flops.layer_flops(model, shape)
    learning = {name: work for name, work in layers.items() if _joint(name)}
    return flops.training_flops(learning, _joint)


def _joint(name):
    return name.startswith(("dme/", "fcnn/"))


def _density_batches(run, before, settings):
    """Crops with their maps and what the networks that are frozen say of them."""
    order = {"batch_size": settings.batch_size, "seed": run.config.seed}
    crops = run.config.crops
    seen = input_pipeline.crops_used(run.source, crops, steps=settings.steps, **order)
    scores = run.crop_scores(before, seen)

    def batches(start):
        target = run.config.target
        for batch in input_pipeline.crop_batches(
            run.source, crops, target, start=start, reading=run.reading, **order
        ):
            known = [scores[tuple(numbers)] for numbers in batch["crop"].tolist()]
            yield {
                "image": batch["image"],
                "density": batch["density"],
                "crop": batch["crop"],
                "scores": jax.tree.map(lambda *of_each: np.stack(of_each), *known),
            }

    return batches
