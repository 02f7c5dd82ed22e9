"""A photograph with its density over it, for people to look at."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

LONGEST = 1600  # pixels of the photograph's longer side in the picture, at most


def draw_overlay(pixels, density, *, title, regions=()):
    """Draw where the people are.

    Args:
      pixels: `[H, W, 3]` uint8 or [0, 1].
      density: `[H, W]` people per pixel.
      title: above the picture; says the count.
      regions: (label, corners `[N, 2]` as (x, y) pixels) pairs, drawn as outlines.

    Returns:
      The picture, a PNG file's bytes.
    """
    step = -(-max(density.shape) // LONGEST)
    shown, map_ = _reduced(pixels, step), _reduced(density, step)
    height, width = (side / 100 for side in map_.shape)  # inches
    size = (max(width, 3) + 1.6, max(height, 2) + 0.7)  # room for bar and title
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.imshow(shown if pixels.dtype != np.uint8 else shown / 255)
    scale = Normalize(0, max(float(np.percentile(map_, 99.8)), 1e-4), clip=True)
    # The photograph shows through where nobody is.
    heat = axes.imshow(
        map_, norm=scale, cmap="inferno", alpha=0.85 * np.asarray(scale(map_)) ** 0.5
    )
    for label, corners in regions:
        _outline(axes, label, (np.asarray(corners) / step) - 0.5)
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_axis_off()
    bar = figure.colorbar(
        heat, ax=axes, label="people per pixel", fraction=0.05, pad=0.02
    )
    bar.solids.set_alpha(1)
    data = io.BytesIO()
    FigureCanvasAgg(figure).print_png(data)
    return data.getvalue()


def _reduced(values, step):
    """The mean over squares of this side; what is left over at the end is dropped."""
    if step == 1:
        return values
    rows, columns = (n // step for n in values.shape[:2])
    values = values[: rows * step, : columns * step]
    squares = values.reshape(rows, step, columns, step, *values.shape[2:])
    return squares.mean(axis=(1, 3), dtype=np.float32)


def _outline(axes, label, corners):
    closed = np.concatenate([corners, corners[:1]])
    axes.plot(*closed.T, color="white", linewidth=3)
    axes.plot(*closed.T, color="tab:blue", linewidth=1.5)
    axes.annotate(
        label,
        corners[corners.sum(axis=1).argmin()],  # the corner nearest to the top left
        xytext=(3, -3),
        textcoords="offset points",
        verticalalignment="top",
        color="white",
        fontsize=9,
        bbox={"facecolor": "tab:blue", "edgecolor": "none", "pad": 2},
    )
