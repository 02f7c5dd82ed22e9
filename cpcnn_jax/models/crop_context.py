"""Context of training crops that lie in the corner of a canvas.

A crop is one block of the GCE. The LCE's windows are placed in the crop as in an image
of its size. The sizes are traced, so that one program serves crops of all sizes.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import lax

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.models.context_map import POOLING


def window_starts(
    length: jax.Array, canvas: int, stride: int
) -> tuple[jax.Array, jax.Array]:
    """Places the LCE's windows along one axis of a crop; the last one is moved inside.

    Args:
      length: int32, pixels of the crop, at least 64.
      canvas: pixels of the canvas.
      stride: pixels between windows.

    Returns:
      int32 `[n]` first pixels, and bool `[n]`, which windows the crop has; n suffices
      for a crop of the whole canvas.

    Example:
      >>> starts, used = window_starts(160, 256, stride=64)
      >>> starts.tolist(), used.tolist()
      ([0, 64, 96, 96], [True, True, True, False])
    """
    number = -(-(canvas - PATCH) // stride) + 1
    index = jnp.arange(number)
    starts = jnp.minimum(index * stride, length - PATCH)
    return starts, (index == 0) | ((index - 1) * stride < length - PATCH)


def cut_windows(image: jax.Array, size: jax.Array, stride: int) -> jax.Array:
    """Cuts the LCE's windows out of a crop.

    Args:
      image: `[H, W, 3]`, the canvas.
      size: int32 `[2]`, (height, width) of the crop, pixels.
      stride: pixels between windows.

    Returns:
      `[n, m, 64, 64, 3]`; windows that the crop does not have repeat the last one.
    """
    rows, columns = (
        window_starts(size[axis], image.shape[axis], stride)[0] for axis in range(2)
    )

    def window(row, column):
        return lax.dynamic_slice(image, (row, column, 0), (PATCH, PATCH, 3))

    return jax.vmap(jax.vmap(window, (None, 0)), (0, None))(rows, columns)


def crop_context_map(
    scores: Mapping[str, jax.Array],
    size: jax.Array,
    canvas: tuple[int, int],
    stride: int,
) -> jax.Array:
    """Writes the scores of a crop on the quarter-size map of its canvas.

    Args:
      scores: {"global": `[K]`, "local": `[n, m, K]`}, without omitted networks.
      size: int32 `[2]`, (height, width) of the crop, pixels.
      canvas: (H, W), pixels.
      stride: pixels between the LCE's windows.

    Returns:
      `[H / 4, W / 4, K]`, zero outside of the crop, K the sum of the networks' classes;
      inside it equals `CPCNN.spread`.
    """
    axes = list(enumerate(canvas))
    parts = [jnp.zeros((canvas[0] // POOLING, canvas[1] // POOLING, 0))]
    if "global" in scores:
        down, across = (_pool(jnp.arange(n)[:, None] < size[i]) for i, n in axes)
        parts.append(jnp.einsum("yn,xn,k->yxk", down, across, scores["global"]))
    if "local" in scores:
        down, across = (_coverage(size[i], n, stride) for i, n in axes)
        parts.append(jnp.einsum("yn,nmk,xm->yxk", down, scores["local"], across))
    return jnp.concatenate(parts, axis=-1)


def _coverage(length, canvas, stride):
    """`[canvas / 4, n]` weight of each window in each cell; rows sum to 1 or 0."""
    starts, used = window_starts(length, canvas, stride)
    pixels = jnp.arange(canvas)[:, None]
    starts, used = starts[None], used[None]
    covered = (pixels >= starts) & (pixels < starts + PATCH) & used
    total = covered.sum(axis=1, keepdims=True)
    return _pool(covered / jnp.maximum(total, 1))


def _pool(weights):
    cells = weights.reshape(-1, POOLING, weights.shape[1])
    return jnp.mean(cells, axis=1, dtype=jnp.float32)
