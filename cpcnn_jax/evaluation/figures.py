"""Figures of a count: the image, its true density and the predicted density."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cpcnn_jax.inference import color_scale, drawn_text, figure_text


@figure_text.plain_text()
def comparison_figure(
    image: np.ndarray,
    true: np.ndarray,
    predicted: np.ndarray,
    *,
    people: float,
    title: str = "",
) -> Figure:
    """Draws an image `[H, W, 3]` and its density maps `[H, W]` on one color scale.

    The maps are people per pixel; `people` is the true count. The scale ends at the
    densest places of the true map, and never so low that an empty image has colors.
    """
    height, width = image.shape[:2]
    size = (13.5, 4.5 * height / width + 0.9)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, 3)
    area = color_scale.AREA
    scale = {"vmin": 0, "vmax": color_scale.scale_end(true), "cmap": "inferno"}
    panels[0].imshow(image)
    panels[1].imshow(area * true, **scale)
    colors = panels[2].imshow(area * predicted, **scale)
    predicted_title = f"predicted: {predicted.sum():.1f} people"
    titles = (title, f"true: {people:g} people", predicted_title)
    for axes, text in zip(panels, titles, strict=True):
        axes.set_title(drawn_text.printable(text))
        axes.set_axis_off()
    label = "people per 100x100 pixels"
    figure.colorbar(colors, ax=panels[1:], label=label, shrink=0.85)
    return figure


@figure_text.plain_text()
def figure_pixels(figure: Figure) -> np.ndarray:
    """Renders a figure with 80 pixels per inch as `[H, W, 3]` uint8."""
    figure.set_dpi(80)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
