"""Pictures of a count: the photograph, its true density and the estimated one."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def comparison_figure(image, true, estimate, *, people, title=""):
    """Draw photograph, true map and estimated map side by side, on one colour scale.

    Args:
      image: `[H, W, 3]` uint8 or [0, 1].
      true: `[H, W]` people per pixel.
      estimate: `[H, W]` people per pixel.
      people: the true count.
      title: above all.

    Returns:
      A matplotlib Figure.
    """
    height, width = image.shape[:2]
    size = (13.5, 4.5 * height / width + 0.9)
    figure = Figure(figsize=size, layout="constrained")
    photograph, truth, guess = figure.subplots(1, 3)
    photograph.imshow(image)
    photograph.set_title(title)
    scale = {"vmin": 0, "vmax": max(np.percentile(true, 99.8), 1e-4), "cmap": "inferno"}
    truth.imshow(true, **scale)
    truth.set_title(f"true: {people:g} people")
    shown = guess.imshow(estimate, **scale)
    guess.set_title(f"estimated: {estimate.sum():.1f} people")
    for axes in (photograph, truth, guess):
        axes.set_axis_off()
    figure.colorbar(shown, ax=[truth, guess], label="people per pixel", shrink=0.85)
    return figure


def figure_pixels(figure, *, dpi=80):
    """A figure as `[H, W, 3]` uint8."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
