"""Records shared by all training stages.

The GCE and the LCE are trained first, each as a classifier (`classifier_stages`). Then
both are frozen, and DME and F-CNN are trained together, first with the Euclidean loss
and then against the discriminator (`density_stages`).

Reference: Sindagi & Patel, ICCV 2017, section 4.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cpcnn_jax import config
from cpcnn_jax.data import density_classes
from cpcnn_jax.data.example_order import ExampleOrder
from cpcnn_jax.data.training_images import TrainingImages
from cpcnn_jax.training.train_state import State
from cpcnn_jax.training.train_step import StepOptions


class Stage(NamedTuple):
    """One stage, ready to run."""

    name: str  # field of `config.Experiment`
    steps: int
    state: Any  # at step 0
    step: Callable  # (state, batch) -> (state, metrics)
    batch: Callable  # (data, int32 [B, 2] of `order`) -> batch, on a device
    data: Callable  # (group, cancelled) -> data of a group of images, on the host
    order: ExampleOrder
    result: Callable  # state -> flat dict of all parameters
    maps: bool = True  # whether it trains density maps, which are validated


class StageContext(NamedTuple):
    """The record that all stages of a run share."""

    config: config.Experiment
    model: Any  # of `models.networks.build`
    images: TrainingImages
    axis_name: str | None  # device axis of the strategy
    crop_scores: Callable | None = None  # of `crop_scores.make_crop_scorer`


def step_options(context: StageContext, settings: config.Stage) -> StepOptions:
    """Collects the choices of a stage's step that do not change its equation."""
    bfloat16 = context.config.compute_dtype == "bfloat16"
    return StepOptions(
        axis_name=context.axis_name,
        dtype=jnp.bfloat16 if bfloat16 else None,
        accum_steps=settings.accum_steps,
        microbatch=context.config.deterministic_microbatch,
    )


def example_order(
    context: StageContext, settings: config.Stage, windows: int
) -> ExampleOrder:
    """Makes the order of a stage's examples, of so many windows per image."""
    return ExampleOrder(
        context.images.groups,
        windows=windows,
        batch_size=settings.batch_size,
        seed=context.config.seed,
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
