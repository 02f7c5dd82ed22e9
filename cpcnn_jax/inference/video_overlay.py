"""Pictures of a film that was counted: its frames with their density, and its curve."""

import io

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

LEVELS = 256  # of the colour scale
EMPTY = 1e-4  # people per pixel: the scale's top is never lower


def color_limit(density):
    """Where the colour scale of a map ends.

    Args:
      density: `[H, W]` people per pixel.

    Returns:
      People per pixel.
    """
    return max(float(np.percentile(density, 99.8)), EMPTY)


def annotate_frame(pixels, density, *, words, top, regions=()):
    """A frame with its density over it and words in its lower left corner.

    Args:
      pixels: `[H, W, 3]` uint8.
      density: `[H, W]` people per pixel.
      words: one line.
      top: people per pixel, where the colour scale ends; one for the whole film keeps
        its colours comparable.
      regions: (label, corners `[N, 2]` as (x, y) pixels) pairs, drawn as outlines.

    Returns:
      `[H, W, 3]` uint8.
    """
    share = np.clip(density / top, 0, 1)
    colours = matplotlib.colormaps["inferno"](np.arange(LEVELS), bytes=True)[:, :3]
    heat = colours[np.uint8(share * (LEVELS - 1))]
    opacity = 0.85 * np.sqrt(share)[..., None]  # the frame shows where nobody is
    image = Image.fromarray(np.uint8(pixels * (1 - opacity) + heat * opacity))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(12, image.height // 24))
    for label, corners in regions:
        outline = [tuple(corner) for corner in np.asarray(corners).tolist()]
        draw.line([*outline, outline[0]], fill="white", width=2)
        _label(draw, min(outline, key=sum), label, font, anchor="la")
    _label(draw, (0, image.height), words, font, anchor="ld")
    return np.asarray(image)


def _label(draw, place, words, font, anchor):
    left, above, right, below = draw.textbbox(place, words, font=font, anchor=anchor)
    pad = font.size // 3
    up = 2 * pad if anchor == "ld" else 0
    box = (left, above - up, right + 2 * pad, below + 2 * pad - up)
    draw.rectangle(box, fill="black")
    draw.text((place[0] + pad, place[1] + pad - up), words, "white", font, anchor)


def plot_curve(seconds, counts, smooth, *, title):
    """Draw how many people there were when.

    Args:
      seconds: `[N]`, of the frames.
      counts: `[N]` people.
      smooth: `[N]` people.
      title: above.

    Returns:
      The picture, a PNG file's bytes.
    """
    figure = Figure(figsize=(9, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.plot(seconds, counts, ".", color="0.65", markersize=4, label="each frame")
    few = ".-" if len(seconds) == 1 else "-"  # a lone point has no line
    axes.plot(seconds, smooth, few, color="tab:blue", linewidth=2, label="smoothed")
    axes.set_ylim(min(0, np.min(counts)), max(1, 1.1 * np.max(counts)))
    axes.set_xlabel("seconds")
    axes.set_ylabel("people")
    axes.set_title(title, loc="left")
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    data = io.BytesIO()
    FigureCanvasAgg(figure).print_png(data)
    return data.getvalue()
