"""The paper's staged training: what each stage learns, from what, and with what.

GCE, then LCE, each a classifier of density; then DME and F-CNN together with both
frozen, first with the Euclidean loss, then with the adversary.

Reference: Sindagi & Patel, ICCV 2017, section 4.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from cpcnn_jax import averaged, config, density, expected, flops, initial, steps
from cpcnn_jax.data import examples, pipeline
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.discriminator import Discriminator
from cpcnn_jax.models.vgg import LAYERS


class Stage(NamedTuple):
    """One stage, ready to run."""

    name: str
    steps: int
    state: Any  # at step 0
    step: Callable  # (state, batch) -> (state, metrics)
    batches: Callable[[int], Iterator]  # first step -> endless iterator of batches
    result: Callable  # state -> flat dict of all weights
    photographs: Sequence[str]  # the names of those that a batch's "crop" numbers
    flops: Callable  # shape of a batch's images -> model FLOPs of a step
    maps: bool = True  # whether it learns maps, to look at and to validate


class Run(NamedTuple):
    """What all stages share."""

    config: config.Experiment
    model: cpcnn.CPCNN
    source: Any  # the training photographs
    axis_name: str | None  # of the device strategy
    reading: pipeline.Reading = pipeline.HERE
    crop_scores: Callable | None = None  # of `frozen.crop_scores`


def plan(run):
    """The stages that the configuration asks for, each a function of the weights."""
    asked = {
        global_stage: run.model.gce and run.config.gce.steps,
        local_stage: run.model.lce and run.config.lce.steps,
        density_stage: run.config.density.steps,
        adversarial_stage: run.config.adversary.steps,
    }
    return [stage for stage, steps in asked.items() if steps]


def global_stage(run, before):
    """GCE on crops; only its head and the last convolutions learn."""
    settings, crops, seed = run.config.gce, run.config.crops, run.config.seed
    return _classifier_stage(
        run,
        before,
        name="gce",
        settings=settings,
        counts=examples.crop_counts(run.source, crops, seed=seed),
        batches=lambda start: pipeline.crop_batches(
            run.source,
            crops,
            run.config.target,
            batch_size=settings.batch_size,
            seed=seed,
            start=start,
            reading=run.reading,
        ),
        frozen=_frozen("gce", settings),
    )


def local_stage(run, before):
    """LCE on 64x64 patches; if it has VGG-16's convolutions, the last of them."""
    settings, crops, seed = run.config.lce, run.config.crops, run.config.seed
    return _classifier_stage(
        run,
        before,
        name="lce",
        settings=settings,
        counts=examples.patch_counts(run.source, crops, seed=seed),
        batches=lambda start: pipeline.patch_batches(
            run.source,
            crops,
            batch_size=settings.batch_size,
            seed=seed,
            start=start,
            reading=run.reading,
        ),
        frozen=_frozen("lce", settings),
    )


def _frozen(network, settings):
    """What the names of the convolutions begin with that stay ImageNet's."""
    first = LAYERS.index(settings.trainable_from)
    return tuple(f"{network}/vgg16/{layer}/" for layer in LAYERS[:first])


def _classifier_stage(run, before, *, name, settings, counts, batches, frozen):
    thresholds = _thresholds(run, counts)
    if not (run.config.start and name in run.config.taken):
        before = before | _prior(before, name, counts, thresholds)
    tx = _adam(settings)
    if settings.vgg_rate != 1:
        tx = _slowed(tx, "/vgg16/", settings.vgg_rate)

    def trains(weight):
        return weight.startswith(f"{name}/") and not weight.startswith(frozen)

    def labelled(start):
        for batch in batches(start):
            label = density.density_class(batch["count"], thresholds)
            yield {"image": batch["image"], "label": label, "crop": batch["crop"]}

    network = getattr(run.model, name)
    step = steps.classification_step(
        network,
        tx,
        scope=f"{name}/",
        class_weights=jnp.asarray(density.class_weights(counts, thresholds)),
        key=initial.key(run.config.seed, f"{name} dropout"),
        **_way(run, settings),
    )

    @functools.cache
    def work(shape):
        layers = flops.of_layers(network, shape)
        return flops.of_training(layers, lambda layer: trains(f"{name}/{layer}/"))

    return Stage(
        name=name,
        steps=settings.steps,
        state=steps.new_state(before, tx, trains=trains),
        step=step,
        batches=labelled,
        result=_weights,
        photographs=run.source.names,
        flops=work,
        maps=False,
    )


def _prior(before, name, counts, thresholds):
    """The last layer as it says how frequent each class is, of any image.

    Drawn weights say of every patch that it may be of the fullest class, and a rare
    class takes long to learn that it is rare: until then the expected count is far too
    large. Departs from the paper, which says nothing of it.
    """
    kernel, bias = (f"{name}/head/logits/{part}" for part in ("kernel", "bias"))
    share = density.class_shares(counts, thresholds)
    return {kernel: jnp.zeros_like(before[kernel]), bias: jnp.log(share)}


def _thresholds(run, counts):
    model = run.config.model
    return density.fit_thresholds(
        counts, num_classes=model.num_classes, classes=model.classes
    )


def _expected(run, before):
    """F-CNN as the density that LCE expects."""
    counts = examples.patch_counts(run.source, run.config.crops, run.config.seed)
    return before | expected.fusion(
        before,
        counts,
        _thresholds(run, counts),
        area=examples.PATCH**2,
        density_scale=run.config.model.density_scale,
    )


def density_stage(run, before):
    """DME and F-CNN with the Euclidean loss, GCE and LCE frozen."""
    settings = run.config.density
    before = _expected(run, before) if settings.expected else before
    tx = _slowed(_adam(settings), "dme/", settings.dme_rate)
    tx = averaged.kept(tx, settings.average)
    step = steps.density_step(
        run.model, tx, cells=settings.cells, **_way(run, settings)
    )
    return Stage(
        name="density",
        steps=settings.steps,
        state=steps.new_state(before, tx, trains=_joint),
        step=step,
        batches=_density_batches(run, before, settings),
        result=lambda state: {**averaged.of(state), **state.frozen},
        photographs=run.source.names,
        flops=functools.cache(functools.partial(_map_flops, run.model)),
    )


def adversarial_stage(run, before):
    """DME and F-CNN against the discriminator, GCE and LCE frozen."""
    settings = run.config.adversary
    judge = Discriminator(settings.discriminator_width)
    tx = _adam(settings)
    judge_tx = optax.adam(
        settings.discriminator_learning_rate, b1=settings.discriminator_beta1
    )
    judge_weights = initial.drawn(judge, run.config.seed, "discriminator", channels=1)
    state = steps.Rivals(
        steps.new_state(before, tx, trains=_joint),
        steps.new_state(judge_weights, judge_tx, trains=lambda name: True),
    )
    step = steps.adversarial_step(
        run.model, tx, judge, judge_tx, weight=settings.weight, **_way(run, settings)
    )

    @functools.cache
    def work(shape):
        layers = flops.of_layers(judge, (*shape[:3], 1))
        judged = sum(layers.values())  # true and estimate, then through to the latter
        return _map_flops(run.model, shape) + 2 * 3 * judged + 2 * judged

    return Stage(
        name="adversary",
        steps=settings.steps,
        state=state,
        step=step,
        batches=_density_batches(run, before, settings),
        result=lambda rivals: _weights(rivals.generator),
        photographs=run.source.names,
        flops=work,
    )


def _way(run, settings):
    """How a stage's step is computed, whatever it computes."""
    dtype = jnp.bfloat16 if run.config.compute_dtype == "bfloat16" else None
    return {
        "axis_name": run.axis_name,
        "dtype": dtype,
        "parts": settings.accumulate,
        "unit": run.config.unit,
    }


def _map_flops(model, shape):
    """Of a step of DME and F-CNN alone: the frozen networks were asked before."""
    layers = flops.of_layers(model, shape)
    learning = {name: work for name, work in layers.items() if _joint(name)}
    return flops.of_training(learning, _joint)


def _joint(name):
    return name.startswith(("dme/", "fcnn/"))


def _weights(state):
    return {**state.params, **state.frozen}


def _adam(settings):
    rate = optax.warmup_cosine_decay_schedule(
        0.0, settings.learning_rate, settings.warmup, settings.steps
    )
    return optax.adam(rate)


def _slowed(tx, part, rate):
    """Weights that have `part` in their names move `rate` times as far."""
    slow = optax.masked(
        optax.scale(rate), lambda params: {name: part in name for name in params}
    )
    return optax.chain(tx, slow)


def _density_batches(run, before, settings):
    """Crops with their maps and what the networks that are frozen say of them."""
    order = {"batch_size": settings.batch_size, "seed": run.config.seed}
    crops = run.config.crops
    seen = pipeline.crops_until(run.source, crops, steps=settings.steps, **order)
    scores = run.crop_scores(before, seen)

    def batches(start):
        target = run.config.target
        for batch in pipeline.crop_batches(
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
