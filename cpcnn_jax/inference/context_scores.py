"""Context of a whole image: scores of GCE's blocks and LCE's windows, in batches."""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np
from PIL import Image

from cpcnn_jax.io import image as image_io
from cpcnn_jax.models import context_map as maps
from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.models.gce import SIDE
from cpcnn_jax.models.params import to_variables

NETWORKS = {"global": "gce", "local": "lce"}
BATCH = {"global": 4, "local": 16}  # windows


def context_estimator(model: CPCNN) -> Callable[..., dict[str, np.ndarray]]:
    """Makes a function that scores the blocks and windows of an image.

    Args:
      model: the networks.

    Returns:
      score(weights, image, grids, progress=iter). It takes a flat parameter dict, an
      image `[H, W, 3]`, uint8 or float32 in [0, 1], the result of `CPCNN.grids`, and a
      function that wraps each list of batches. It returns softmax scores `[n, m, K]`
      by "global" and "local", without an omitted network.
    """

    @functools.partial(jax.jit, static_argnums=0)
    def classify(name, weights, windows):
        def network(model, windows):
            return jax.nn.softmax(getattr(model, NETWORKS[name])(windows))

        return model.apply(to_variables(weights), windows, method=network)

    def score(weights, image, grids, progress=iter):
        scores = {}
        for name, (rows, columns) in grids.items():
            places, size = list(itertools.product(rows, columns)), BATCH[name]
            batches = [places[i : i + size] for i in range(0, len(places), size)]
            parts = [
                np.asarray(classify(name, weights, _batch(name, image, batch, size)))
                for batch in progress(batches)
            ]
            values = np.concatenate(parts)[: len(places)]
            scores[name] = maps.to_grid(values, (len(rows), len(columns)))[0]
        return scores

    return score


def _batch(name, image, places, size):
    """`[size, h, w, 3]`: the windows, filled up with copies of the first."""
    windows = [image_io.padded_window(image, *place) for place in places]
    if name == "global":
        windows = [_resize_block(window) for window in windows]
    return np.stack([*windows, *windows[:1] * (size - len(windows))])


def _resize_block(block):
    """`[224, 224, 3]`: jax.image.resize's bilinear, without a program for each size."""
    planes = [Image.fromarray(block[..., channel]) for channel in range(3)]
    resized = [p.resize((SIDE, SIDE), Image.Resampling.BILINEAR) for p in planes]
    return np.stack([np.asarray(plane) for plane in resized], axis=2)


def spread_scores(
    scores: Mapping[str, np.ndarray],
    grids: Mapping[str, Sequence[Sequence[maps.Span]]],
    shape: Sequence[int],
) -> Callable[[maps.Span, maps.Span], np.ndarray]:
    """Makes a function that computes parts of the context map, to save memory.

    Args:
      scores: result of a `context_estimator`.
      grids: result of `CPCNN.grids`.
      shape: (H, W) of the image in pixels, multiples of 4.

    Returns:
      context(rows, columns). It takes (start, stop) along each axis in cells of 4
      pixels and returns `[h, w, K]` float32, the global and then the local scores.
    """
    covers = {
        name: [maps.coverage(*axis) for axis in zip(shape, spans, strict=True)]
        for name, spans in grids.items()
    }

    def context(rows, columns):
        parts = [np.zeros((rows[1] - rows[0], columns[1] - columns[0], 0), np.float32)]
        for name, (down, across) in covers.items():
            down, across = down[slice(*rows)], across[slice(*columns)]
            inner = np.tensordot(down, scores[name], 1)  # [h, m, K]
            parts.append(np.einsum("ymk,xm->yxk", inner, across, optimize=True))
        return np.concatenate(parts, axis=-1)

    return context
