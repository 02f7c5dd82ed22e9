"""Context maps: where the scores of blocks and windows land on the quarter-size grid.

Both contexts are rectangular grids of windows. A window's scores are written over its
pixels, overlaps are averaged, and the map is mean-pooled by 4. All three act on rows
and columns apart, so that one matrix per axis says it all.
"""

import jax.numpy as jnp
import numpy as np

POOLING = 4  # DME's two poolings: the context maps are that much smaller


def block_spans(length, blocks):
    """(start, stop) of equal, non-overlapping blocks along one axis.

    Example:
      >>> block_spans(128, 4)
      [(0, 32), (32, 64), (64, 96), (96, 128)]
    """
    edges = [length * i // blocks for i in range(blocks + 1)]
    return list(zip(edges[:-1], edges[1:], strict=True))


def window_spans(length, *, window, stride):
    """(start, stop) of sliding windows along one axis; the last is moved inside.

    Example:
      >>> window_spans(160, window=64, stride=64)
      [(0, 64), (64, 128), (96, 160)]
    """
    starts = [*range(0, length - window, stride), length - window]
    return [(start, start + window) for start in starts]


def coverage(length, spans, number=None):
    """How much each score says about each quarter-size cell of one axis.

    Args:
      length: pixels, a multiple of 4.
      spans: (start, stop) pixel pairs that together cover the axis.
      number: of scores, a multiple of that of the spans, each of which is then in equal
        parts; None: one for each span.

    Returns:
      `[length / 4, number]` float32, rows that sum to 1.

    Example:
      >>> coverage(8, [(0, 4), (2, 8)]).tolist()
      [[0.75, 0.25], [0.0, 1.0]]
    """
    pixels = np.arange(length)[:, None]
    spans = [part for span in spans for part in _parts(span, number, len(spans))]
    starts, stops = np.array(spans).T
    inside = ((pixels >= starts[None]) & (pixels < stops[None])).astype(np.float32)
    inside /= inside.sum(axis=1, keepdims=True)
    return inside.reshape(length // POOLING, POOLING, len(spans)).mean(axis=1)


def _parts(span, number, spans):
    start, stop = span
    parts = block_spans(stop - start, (number or spans) // spans)
    return [(start + low, start + high) for low, high in parts]


def cut_windows(image, rows, columns):
    """Cut windows of one size out of images.

    Args:
      image: `[B, H, W, C]`.
      rows: n (start, stop) pairs, all of one length.
      columns: m (start, stop) pairs, all of one length.

    Returns:
      `[B * n * m, h, w, C]`, image by image, row by row.
    """
    windows = [
        image[:, top:bottom, left:right]
        for top, bottom in rows
        for left, right in columns
    ]
    return jnp.stack(windows, axis=1).reshape(-1, *windows[0].shape[1:])


def to_grid(scores, number):
    """The scores of looks at an image, each `[r, c]` windows, as one grid of windows.

    Args:
      scores: `[B * n * m, K]`, or `[B * n * m, r, c, K]`, look by look.
      number: (n, m), how many looks there are along each axis.

    Returns:
      `[B, n * r, m * c, K]`.
    """
    (n, m), (r, c) = number, scores.shape[1:-1] or (1, 1)
    apart = scores.reshape(-1, n, m, r, c, scores.shape[-1]).swapaxes(2, 3)
    return apart.reshape(-1, n * r, m * c, scores.shape[-1])


def context_map(scores, *, shape, rows, columns):
    """Write the scores of a grid of windows over the quarter-size map.

    Args:
      scores: `[B, n, m, K]`, one vector for each window.
      shape: (H, W) of the image in pixels, multiples of 4.
      rows: (start, stop) along H: the n windows', or of what is so many windows.
      columns: likewise along W.

    Returns:
      `[B, H / 4, W / 4, K]`; where windows overlap, their mean.

    Example:
      >>> scores = jnp.array([1.0, 2.0])[None, None, :, None]
      >>> halves = [(0, 4), (4, 8)]
      >>> context_map(scores, shape=(4, 8), rows=[(0, 4)], columns=halves).tolist()
      [[[[1.0], [2.0]]]]

    Reference: Sindagi & Patel, ICCV 2017, sections 3.1, 3.2 and 4. Departs from the
    paper: it does not say how overlaps and the resize by 1/4 are done; means are exact
    for constant windows.
    """
    down = coverage(shape[0], rows, scores.shape[1])
    across = coverage(shape[1], columns, scores.shape[2])
    return jnp.einsum("yn,bnmk,xm->byxk", down, scores, across)
