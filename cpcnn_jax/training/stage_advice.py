"""Advice on the errors that end a stage."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from cpcnn_jax.training.checkpoint import Checkpoints
from cpcnn_jax.training.stage import Stage


@contextmanager
def advice_on_nan(checkpoints: Checkpoints) -> Iterator[None]:
    """Adds the last finite checkpoint and a remedy to an error of `NanGuard`."""
    try:
        yield
    except FloatingPointError as error:
        last = checkpoints.latest()
        kept = f"the checkpoint of step {last} is finite" if last else "none was saved"
        raise FloatingPointError(
            f"{error}; {kept}: try a lower --config.{checkpoints.stage}.learning_rate "
            "in another --workdir"
        ) from None


@contextmanager
def advice_on_memory(stage: Stage) -> Iterator[None]:
    """Names the settings that lower the memory of a device."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise ValueError(
            f"stage {stage.name}: the device is out of memory: lower "
            f"--config.{stage.name}.batch_size or --config.image_memory_gib, or raise "
            f"--config.{stage.name}.accum_steps"
        ) from None
