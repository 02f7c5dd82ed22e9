"""Overlay of a density map on its image."""

from collections.abc import Iterable

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from cpcnn_jax.inference import figure_text
from cpcnn_jax.inference.regions import Outline

LONGEST = 1600  # pixels, the largest side of the image in the overlay
MIN_LIMIT = 1e-4  # people per pixel, the lowest end of a color scale


def color_limit(density: np.ndarray) -> float:
    """Computes the end of a map's color scale, the 99.8th percentile or 1e-4."""
    return max(float(np.percentile(density, 99.8)), MIN_LIMIT)


@figure_text.plain_text()
def draw_overlay(
    pixels: np.ndarray,
    density: np.ndarray,
    *,
    title: str,
    regions: Iterable[Outline] = (),
) -> bytes:
    """Draws a density map over its image.

    Args:
      pixels: `[H, W, 3]` uint8, or float32 in [0, 1].
      density: `[H, W]` people per pixel.
      title: text above the image.
      regions: (label, corners `[N, 2]` as (x, y) pixels) pairs, drawn as outlines.

    Returns:
      The content of a PNG file.
    """
    step = -(-max(density.shape) // LONGEST)
    image, density = _reduce(pixels, step), _reduce(density, step)
    height, width = (side / 100 for side in density.shape)  # inches
    size = (max(width, 3) + 1.6, max(height, 2) + 0.7)  # room for color bar and title
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.imshow(image if pixels.dtype != np.uint8 else image / 255)
    scale = Normalize(0, color_limit(density), clip=True)
    opacity = 0.85 * np.asarray(scale(density)) ** 0.5  # transparent without people
    heat = axes.imshow(density, norm=scale, cmap="inferno", alpha=opacity)
    for label, corners in regions:
        _draw_outline(axes, label, (np.asarray(corners) / step) - 0.5)
    axes.set_title(figure_text.printable(title), loc="left", fontsize=11)
    axes.set_axis_off()
    label = "people per pixel"
    bar = figure.colorbar(heat, ax=axes, label=label, fraction=0.05, pad=0.02)
    bar.solids.set_alpha(1)  # type: ignore[union-attr]
    return figure_text.render_png(figure)


def _reduce(values, step):
    """Averages squares of this side; drops a partial last row and column."""
    if step == 1:
        return values
    rows, columns = (n // step for n in values.shape[:2])
    values = values[: rows * step, : columns * step]
    squares = values.reshape(rows, step, columns, step, *values.shape[2:])
    return squares.mean(axis=(1, 3), dtype=np.float32)


def _draw_outline(axes, label, corners):
    closed = np.concatenate([corners, corners[:1]])
    axes.plot(*closed.T, color="white", linewidth=3)
    axes.plot(*closed.T, color="tab:blue", linewidth=1.5)
    axes.annotate(
        figure_text.printable(label),
        corners[corners.sum(axis=1).argmin()],  # the corner nearest to the top left
        xytext=(3, -3),
        textcoords="offset points",
        verticalalignment="top",
        color="white",
        fontsize=9,
        bbox={"facecolor": "tab:blue", "edgecolor": "none", "pad": 2},
    )
