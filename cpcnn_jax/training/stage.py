"""Records shared by all training stages.

The GCE and the LCE are trained first, each as a classifier (`classifier_stages`). Then
both are frozen, and DME and F-CNN are trained together, first with the Euclidean loss
and then against the discriminator (`density_stages`).

Reference: Sindagi & Patel, ICCV 2017, section 4.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cpcnn_jax import config
from cpcnn_jax.data import density_classes, input_pipeline
from cpcnn_jax.models import cpcnn
from cpcnn_jax.training.train_state import State
from cpcnn_jax.training.train_step import StepOptions


class Stage(NamedTuple):
    """One stage, ready to run."""

    name: str  # field of `config.Experiment`
    steps: int
    state: Any  # at step 0
    step: Callable  # (state, batch) -> (state, metrics)
    batches: Callable[[int], Iterator]  # first step -> endless iterator of batches
    result: Callable  # state -> flat dict of all parameters
    image_names: Sequence[str]  # of the images that a batch's "crop" numbers
    flops: Callable  # shape of a batch's images -> model FLOPs of a step
    maps: bool = True  # whether it trains density maps, which are validated


class StageContext(NamedTuple):
    """The record that all stages of a run share."""

    config: config.Experiment
    model: cpcnn.CPCNN
    source: Any  # the training images; see `cpcnn_jax.data`
    axis_name: str | None  # device axis of the strategy
    reading: input_pipeline.ReadOptions = input_pipeline.ONE_HOST
    crop_scores: Callable | None = None  # of `context_cache.make_crop_scorer`


def step_options(context: StageContext, settings: config.Stage) -> StepOptions:
    """Collects the choices of a stage's step that do not change its equation."""
    bfloat16 = context.config.compute_dtype == "bfloat16"
    return StepOptions(
        axis_name=context.axis_name,
        dtype=jnp.bfloat16 if bfloat16 else None,
        accum_steps=settings.accum_steps,
        microbatch=context.config.deterministic_microbatch,
    )


def all_params(state: State) -> dict[str, jax.Array]:
    """Joins trained and frozen parameters in one flat dict."""
    return {**state.params, **state.frozen}


def fit_class_thresholds(context: StageContext, counts: np.ndarray) -> np.ndarray:
    """Fits the boundaries of the experiment's density classes, `[K - 1]` people."""
    model = context.config.model
    return density_classes.fit_thresholds(
        counts, num_classes=model.num_classes, binning=model.class_binning
    )
