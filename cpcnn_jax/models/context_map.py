"""Context maps: scores of blocks and windows written on the quarter-size grid.

Both contexts are rectangular grids of windows. A window's scores are written over its
pixels, overlaps are averaged, and the map is mean-pooled by 4. All three steps treat
rows and columns independently, so one matrix per axis computes them.
"""

from collections.abc import Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np

POOLING = 4  # pixels per cell of a context map, from DME's two poolings

Span = tuple[int, int]  # (start, stop) along one axis, pixels
Array = TypeVar("Array", jax.Array, np.ndarray)


def block_spans(length: int, blocks: int) -> list[Span]:
    """Divides one axis into equal, non-overlapping blocks.

    Example:
      >>> block_spans(128, 4)
      [(0, 32), (32, 64), (64, 96), (96, 128)]
    """
    edges = [length * i // blocks for i in range(blocks + 1)]
    return list(zip(edges[:-1], edges[1:], strict=True))


def window_spans(length: int, *, window: int, stride: int) -> list[Span]:
    """Places sliding windows along one axis; the last one is moved inside.

    Example:
      >>> window_spans(160, window=64, stride=64)
      [(0, 64), (64, 128), (96, 160)]
    """
    starts = [*range(0, length - window, stride), length - window]
    return [(start, start + window) for start in starts]


def coverage(length: int, spans: Sequence[Span]) -> np.ndarray:
    """Computes the weight of each window in each quarter-size cell of one axis.

    Args:
      length: pixels, a multiple of 4.
      spans: windows that together cover the axis, pixels.

    Returns:
      `[length / 4, len(spans)]` float32; each row sums to 1.

    Example:
      >>> coverage(8, [(0, 4), (2, 8)]).tolist()
      [[0.75, 0.25], [0.0, 1.0]]
    """
    starts, stops = np.array(spans).T
    pixels = np.arange(length)[:, None]
    inside = ((pixels >= starts[None]) & (pixels < stops[None])).astype(np.float32)
    inside /= inside.sum(axis=1, keepdims=True)
    return inside.reshape(length // POOLING, POOLING, len(spans)).mean(axis=1)


def cut_windows(
    image: jax.Array, rows: Sequence[Span], columns: Sequence[Span]
) -> jax.Array:
    """Cuts windows of one size out of images.

    Args:
      image: `[B, H, W, C]`.
      rows: n spans along H, all of one length, pixels.
      columns: m spans along W, all of one length, pixels.

    Returns:
      `[B * n * m, h, w, C]`, image by image, row by row.
    """
    windows = [
        image[:, top:bottom, left:right]
        for top, bottom in rows
        for left, right in columns
    ]
    return jnp.stack(windows, axis=1).reshape(-1, *windows[0].shape[1:])


def to_grid(scores: Array, num_windows: Sequence[int]) -> Array:
    """Arranges the scores of windows as a grid.

    Args:
      scores: `[B * n * m, K]`, window by window.
      num_windows: (n, m), windows along each axis.

    Returns:
      `[B, n, m, K]`.
    """
    return scores.reshape(-1, *num_windows, scores.shape[-1])


def context_map(
    scores: jax.Array,
    *,
    shape: Sequence[int],
    rows: Sequence[Span],
    columns: Sequence[Span],
) -> jax.Array:
    """Writes the scores of a grid of windows over the quarter-size map.

    Args:
      scores: `[B, n, m, K]`, K scores per window.
      shape: (H, W) of the image in pixels, multiples of 4.
      rows: n spans of the windows along H, pixels.
      columns: m spans of the windows along W, pixels.

    Returns:
      `[B, H / 4, W / 4, K]`; overlapping windows are averaged.

    Example:
      >>> scores = jnp.array([1.0, 2.0])[None, None, :, None]
      >>> halves = [(0, 4), (4, 8)]
      >>> context_map(scores, shape=(4, 8), rows=[(0, 4)], columns=halves).tolist()
      [[[[1.0], [2.0]]]]

    Reference: Sindagi & Patel, ICCV 2017, sections 3.1, 3.2 and 4. Departs from the
    paper: it does not specify overlaps and the resize by 1/4. Means are exact for
    constant windows.
    """
    down, across = coverage(shape[0], rows), coverage(shape[1], columns)
    return jnp.einsum("yn,bnmk,xm->byxk", down, scores, across)


def repeat_cells(scores: jax.Array, side: int) -> jax.Array:
    """Writes the scores of adjacent windows over the cells of each window.

    Args:
      scores: `[B, n, m, K]`.
      side: cells of a window along each axis.

    Returns:
      `[B, side * n, side * m, K]`.

    Example:
      >>> repeat_cells(jnp.array([1.0, 2.0]).reshape(1, 1, 2, 1), 2)[0, ..., 0].tolist()
      [[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]
    """
    return jnp.repeat(jnp.repeat(scores, side, axis=1), side, axis=2)
