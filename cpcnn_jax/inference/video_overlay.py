"""Annotated frames of a video, and the curve of its counts."""

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

from cpcnn_jax.inference import color_scale, figure_text, overlay
from cpcnn_jax.inference.drawn_text import (
    draw_label,
    label_size,
    load_font,
    printable,
)
from cpcnn_jax.inference.regions import Outline


def annotate_frame(
    pixels: np.ndarray,
    density: np.ndarray,
    *,
    text: str,
    end: float,
    regions: Iterable[Outline] = (),
) -> np.ndarray:
    """Draws the density over a frame and a text in its lower left corner.

    Args:
      pixels: `[H, W, 3]` uint8.
      density: `[H, W]` people per pixel.
      text: one line.
      end: people per 100x100 pixels at the end of the color scale.
      regions: (label, corners `[N, 2]` as (x, y) pixels) pairs, drawn as outlines.

    Returns:
      `[H, W, 3]` uint8.
    """
    height, width = density.shape
    font = load_font(overlay.font_size(width, height))
    picture = Image.fromarray(color_scale.blend(pixels, density, end))
    text = printable(text)
    text_width, text_height = label_size(text, font)
    corner = (0, height - text_height)
    regions = [(printable(label), corners) for label, corners in regions]
    taken = [(*corner, text_width, height)]
    places = overlay.place_regions(regions, (width, height), font, taken)
    overlay.draw_regions(picture, regions, places, font)
    draw_label(ImageDraw.Draw(picture), corner, text, font)
    return np.asarray(picture)


@figure_text.plain_text()
def plot_curve(
    seconds: ArrayLike, counts: ArrayLike, smooth: ArrayLike, *, title: str
) -> bytes:
    """Plots the people in N frames, and the smoothed counts, over time.

    Returns:
      The content of a PNG file.
    """
    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.plot(seconds, counts, ".", color="0.65", markersize=4, label="each frame")
    style = ".-" if np.size(seconds) == 1 else "-"  # a single point has no line
    axes.plot(seconds, smooth, style, color="tab:blue", linewidth=2, label="smoothed")
    peak = int(np.argmax(counts))
    place = np.ravel(seconds)[peak], np.ravel(counts)[peak]
    axes.plot(*place, "o", color="tab:red", markersize=6, label="peak")
    mean = float(np.mean(np.asarray(counts, np.float64)))
    axes.axhline(mean, color="0.5", linestyle="--", label="mean")
    axes.set_ylim(min(0, np.min(counts)), max(1, 1.1 * np.max(counts)))
    axes.set_xlabel("seconds")
    axes.set_ylabel("people")
    axes.set_title(printable(title), loc="left")
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure_text.render_png(figure)
