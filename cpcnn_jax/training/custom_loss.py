"""A loss of density maps of your own, in place of the built-in ones."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from cpcnn_jax import config
from cpcnn_jax.config.import_path import describe_failure, import_object

Loss = Callable[[jax.Array, jax.Array], jax.Array]


def find_loss(path: str, *, stage: str) -> Loss | None:
    """Imports the loss that a stage's field names, and tests its shapes.

    Args:
      path: the field's value; "" for no loss.
      stage: name of the stage, for errors.

    Returns:
      A function (density, target) -> `[B]`, both `[B, H, W, 1]` people per pixel; None
      for no loss.

    Raises:
      ValueError: the object cannot be imported or called, or its result has another
        form. The text names the field.
    """
    if not path:
        return None
    flag = f"--config.{stage}.loss={path}"
    try:
        loss = import_object(path)
    except ValueError as error:
        raise ValueError(f"{flag}: {error}") from error
    try:
        maps = jax.ShapeDtypeStruct((2, 64, 128, 1), jnp.float32)
        result = jax.eval_shape(loss, maps, maps)
    except Exception as error:  # of code that is not ours
        raise ValueError(f"{flag}: {describe_failure(error)}") from error
    shape = getattr(result, "shape", type(result).__name__)
    if shape != (2,):
        raise ValueError(f"{flag}: expected a loss per example, [2], got {shape}")
    return loss


def check_losses(experiment: config.Experiment) -> None:
    """Tests the losses that an experiment's stages name.

    Raises:
      ValueError: of `find_loss`.
    """
    for name, stage in experiment.stages().items():
        find_loss(getattr(stage, "loss", ""), stage=name)
