"""The context of a photograph of any size: its windows scored a few at a time.

GCE's blocks and LCE's windows lie over the whole photograph, by `CPCNN.grids`. What is
kept is their scores, of which the context map of any part can be made.
"""

import functools
import itertools

import jax
import numpy as np
from PIL import Image

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.io import image as image_io
from cpcnn_jax.models import context_map as maps
from cpcnn_jax.models.gce import SIDE
from cpcnn_jax.models.params import to_variables

NETWORKS = {"global": "gce", "local": "lce"}
BATCH = {"global": 4, "local": 16}  # windows at once; fewer where LCE's are larger


def context_estimator(model):
    """The context networks as a function of a photograph's windows.

    Args:
      model: CPCNN.

    Returns:
      score(weights, image, grids, progress): a flat dict of weights, `[H, W, 3]` uint8
      or float32, the windows of `CPCNN.grids` and a function that wraps each list of
      batches, to a dict of "global" and "local" to `[n, m, K]` softmax scores.
    """

    @functools.partial(jax.jit, static_argnums=0)
    def classify(name, weights, windows):
        def network(model, windows):
            return jax.nn.softmax(getattr(model, NETWORKS[name])(windows))

        return model.apply(to_variables(weights), windows, method=network)

    def score(weights, image, grids, progress=iter):
        found = {}
        for name, (rows, columns) in grids.items():
            places, size = list(itertools.product(rows, columns)), _size(name, rows)
            batches = [places[i : i + size] for i in range(0, len(places), size)]
            scores = [
                np.asarray(classify(name, weights, _batch(name, image, batch, size)))
                for batch in progress(batches)
            ]
            scores = np.concatenate(scores)[: len(places)]
            found[name] = maps.to_grid(scores, (len(rows), len(columns)))[0]
        return found

    return score


def _size(name, rows):
    """How many windows are scored at once."""
    if name == "global":
        return BATCH[name]
    start, stop = rows[0]
    return max(1, BATCH[name] * PATCH**2 // (stop - start) ** 2)


def _batch(name, image, places, size):
    """`[size, h, w, 3]`: the windows at these places, the first again to fill up."""
    windows = [image_io.padded_window(image, *place) for place in places]
    if name == "global":
        windows = [_resized(window) for window in windows]
    return np.stack([*windows, *windows[:1] * (size - len(windows))])


def _resized(window):
    """`[224, 224, 3]`: jax.image.resize's bilinear, without a program for each size."""
    planes = [Image.fromarray(window[..., channel]) for channel in range(3)]
    small = [p.resize((SIDE, SIDE), Image.Resampling.BILINEAR) for p in planes]
    return np.stack([np.asarray(plane) for plane in small], axis=2)


def spread_scores(scores, grids, shape):
    """The context map as a function of the part that is wanted, to save memory.

    Args:
      scores: as from `context_estimator`.
      grids: as from `CPCNN.grids`.
      shape: (H, W) of the photograph in pixels, multiples of 4.

    Returns:
      context(rows, columns): (start, stop) along each axis in cells of 4 pixels, to
      `[h, w, K]` float32, the global and then the local scores.
    """
    covers = {
        name: [
            maps.coverage(*axis)
            for axis in zip(shape, spans, scores[name].shape[:2], strict=True)
        ]
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
