"""One photograph through the trained networks."""

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from cpcnn_jax import steps

KEPT_SIZES = 16  # of photographs, whose compiled programs are kept


def estimator(model, *, blocks=None):
    """The networks as a function of weights and one photograph.

    Args:
      model: CPCNN.
      blocks: per side, for the global context; None: the model's. A training crop is 1.

    Returns:
      estimate(weights, image): a flat dict of weights and `[H, W, 3]`, uint8 or float
      in [0, 1], H and W at least 64, to the density `[H, W]` float32.
    """
    scores, density = scorer(model, blocks=blocks), mapper(model)
    return lambda weights, image: density(weights, image, scores(weights, image))


def scorer(model, *, blocks=None):
    """The first half of `estimator`: what GCE and LCE say of one photograph.

    Args:
      model: CPCNN.
      blocks: as in `estimator`.

    Returns:
      scores(weights, image) -> `CPCNN.scores` of it, with a B of 1.
    """

    @jax.jit
    def scores(weights, image):
        variables = steps.variables(weights)
        return model.apply(variables, image, blocks=blocks, method="scores")

    return _photograph_by_photograph(scores)


def mapper(model):
    """The second half: DME and F-CNN on one photograph and its scores.

    Args:
      model: CPCNN.

    Returns:
      density(weights, image, scores) -> `[H, W]` float32.
    """

    @jax.jit
    def density(weights, image, scores):
        variables = steps.variables(weights)
        context = model.apply(variables, scores, image, method="spread")
        return model.apply(variables, image, context=context)[0][0, ..., 0]

    run = _photograph_by_photograph(density)
    return lambda weights, image, scores: np.asarray(run(weights, image, scores))


def _photograph_by_photograph(compiled):
    """Compiled once for each size of photograph, of which the last few are kept.

    A process that keeps the programs of a hundred sizes runs out of memory maps and
    dies.
    """
    sizes = set()

    def run(weights, image, *more):
        if len(sizes | {image.shape}) > KEPT_SIZES:
            compiled.clear_cache()
            sizes.clear()
        sizes.add(image.shape)
        if image.dtype == np.uint8:
            image = image.astype(np.float32) / 255
        return compiled(weights, jnp.asarray(image)[None], *more)

    return run


def mcnn_estimator(model):
    """The baseline likewise: greyed, resized to multiples of 4, its map sized back.

    Args:
      model: MCNN.

    Returns:
      estimate(weights, image): a flat dict of weights and uint8 `[H, W, 3]`, H and W at
      least 4, to the density `[H, W]` float32.
    """

    @jax.jit
    def density(weights, grey):
        return model.apply(steps.variables(weights), grey)[0, ..., 0]

    def estimate(weights, image):
        height, width = image.shape[:2]
        size = (width // 4 * 4, height // 4 * 4)
        grey = Image.fromarray(image).convert("L")
        grey = np.asarray(grey.resize(size, Image.Resampling.BILINEAR), np.float32)
        return resize(density(weights, grey[None, ..., None]), (height, width))

    return estimate


def resize(density, shape):
    """A density map at another size and with the same sum.

    The people of a cell are spread evenly over the area that it covers.

    Args:
      density: `[h, w]` people per cell.
      shape: (H, W).

    Returns:
      `[H, W]` float32 people per pixel.

    Example:
      >>> resize(np.array([[3.0, 6.0]]), (1, 3))
      array([[2., 3., 4.]], dtype=float32)
    """
    rows, columns = map(_shares, density.shape, shape)
    return (rows @ np.asarray(density, np.float64) @ columns.T).astype(np.float32)


def _shares(cells, pixels):
    """`[pixels, cells]`: which part of each cell of a line lies in each pixel."""
    edges = np.linspace(0, cells, pixels + 1)[:, None]
    cell = np.arange(cells)
    overlap = np.minimum(edges[1:], cell + 1) - np.maximum(edges[:-1], cell)
    return np.maximum(overlap, 0)
