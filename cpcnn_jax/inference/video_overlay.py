"""Annotated frames of a video, and the curve of its counts."""

from collections.abc import Iterable

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

from cpcnn_jax.inference import figure_text
from cpcnn_jax.inference.regions import Outline

LEVELS = 256  # of the color scale


def annotate_frame(
    pixels: np.ndarray,
    density: np.ndarray,
    *,
    text: str,
    limit: float,
    regions: Iterable[Outline] = (),
) -> np.ndarray:
    """Draws the density over a frame and a text in its lower left corner.

    Args:
      pixels: `[H, W, 3]` uint8.
      density: `[H, W]` people per pixel.
      text: one line.
      limit: people per pixel at the end of the color scale.
      regions: (label, corners `[N, 2]` as (x, y) pixels) pairs, drawn as outlines.

    Returns:
      `[H, W, 3]` uint8.
    """
    share = np.clip(density / limit, 0, 1)
    colors = matplotlib.colormaps["inferno"](np.arange(LEVELS), bytes=True)[:, :3]
    heat = colors[np.uint8(share * (LEVELS - 1))]
    opacity = 0.85 * np.sqrt(share)[..., None]  # transparent without people
    image = Image.fromarray(np.uint8(pixels * (1 - opacity) + heat * opacity))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(12, image.height // 24))
    for label, corners in regions:
        outline = [tuple(corner) for corner in np.asarray(corners).tolist()]
        draw.line([*outline, outline[0]], fill="white", width=2)
        _draw_label(draw, min(outline, key=sum), label, font, anchor="la")
    _draw_label(draw, (0, image.height), text, font, anchor="ld")
    return np.asarray(image)


def _draw_label(draw, place, text, font, anchor):
    text = figure_text.printable(text)
    left, above, right, below = draw.textbbox(place, text, font=font, anchor=anchor)
    pad = font.size // 3
    up = 2 * pad if anchor == "ld" else 0
    box = (left, above - up, right + 2 * pad, below + 2 * pad - up)
    draw.rectangle(box, fill="black")
    draw.text((place[0] + pad, place[1] + pad - up), text, "white", font, anchor)


@figure_text.plain_text()
def plot_curve(
    seconds: ArrayLike, counts: ArrayLike, smooth: ArrayLike, *, title: str
) -> bytes:
    """Plots the people in N frames, and the smoothed counts, over time.

    Returns:
      The content of a PNG file.
    """
    figure = Figure(figsize=(9, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.plot(seconds, counts, ".", color="0.65", markersize=4, label="each frame")
    style = ".-" if np.size(seconds) == 1 else "-"  # a single point has no line
    axes.plot(seconds, smooth, style, color="tab:blue", linewidth=2, label="smoothed")
    axes.set_ylim(min(0, np.min(counts)), max(1, 1.1 * np.max(counts)))
    axes.set_xlabel("seconds")
    axes.set_ylabel("people")
    axes.set_title(figure_text.printable(title), loc="left")
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    return figure_text.render_png(figure)
