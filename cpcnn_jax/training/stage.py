"""What the stages of a training are made of, whatever they learn.

GCE, then LCE, each a classifier of density (`context_stages`); then DME and F-CNN
together with both frozen, first with the Euclidean loss, then with the adversary
(`map_stages`).

Reference: Sindagi & Patel, ICCV 2017, section 4.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

from cpcnn_jax import config
from cpcnn_jax.data import density_classes, input_pipeline
from cpcnn_jax.models import cpcnn


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


class StageContext(NamedTuple):
    """What all stages share."""

    config: config.Experiment
    model: cpcnn.CPCNN
    source: Any  # the training photographs
    axis_name: str | None  # of the device strategy
    reading: input_pipeline.ReadOptions = input_pipeline.HERE
    crop_scores: Callable | None = None  # of `context_cache.make_crop_scorer`


def step_options(run, settings):
    """How a stage's step is computed, whatever it computes."""
    dtype = jnp.bfloat16 if run.config.compute_dtype == "bfloat16" else None
    return {
        "axis_name": run.axis_name,
        "dtype": dtype,
        "parts": settings.accum_steps,
        "unit": run.config.deterministic_microbatch,
    }


def all_params(state):
    """All weights, as a flat dict: those that learn and those that rest."""
    return {**state.params, **state.frozen}


def make_adam(settings):
    """Adam with a rate that warms up and then falls along a cosine to 0."""
    rate = optax.warmup_cosine_decay_schedule(
        0.0, settings.learning_rate, settings.warmup_steps, settings.steps
    )
    return optax.adam(rate)


def scale_updates(tx, part, rate):
    """Weights that have `part` in their names move `rate` times as far."""
    slow = optax.masked(
        optax.scale(rate), lambda params: {name: part in name for name in params}
    )
    return optax.chain(tx, slow)


def fit_class_thresholds(run, counts):
    """The boundaries of the density classes that the configuration asks for."""
    model = run.config.model
    return density_classes.fit_thresholds(
        counts, num_classes=model.num_classes, binning=model.class_binning
    )
