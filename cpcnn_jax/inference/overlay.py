"""Overlay of a density map on its image, with a legend below."""

import io
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from cpcnn_jax.inference import color_scale
from cpcnn_jax.inference.drawn_text import (
    Box,
    Font,
    draw_label,
    label_size,
    load_font,
    place_labels,
    printable,
)
from cpcnn_jax.inference.regions import Outline

MIN_WIDTH = 320  # pixels, room for the legend below a narrow image
PAPER, INK = "#15171c", "#f2f2ef"
_ROWS = 64  # of an image that are blended at once, to save memory


def draw_overlay(
    pixels: np.ndarray,
    density: np.ndarray,
    *,
    title: str,
    note: str = "",
    regions: Iterable[Outline] = (),
    points: np.ndarray | None = None,
) -> Image.Image:
    """Draws a density map over its image, at the image's resolution.

    Args:
      pixels: `[H, W, 3]` uint8, or float32 in [0, 1].
      density: `[H, W]` people per pixel.
      title: first line of the legend.
      note: last line of the legend, such as the name of the weights.
      regions: (label, corners `[N, 2]` as (x, y) pixels) pairs, drawn as outlines.
      points: `[N, 2]` (x, y) pixels of heads, drawn as rings.

    Returns:
      An RGB image: the overlay in its upper left corner, and the legend below it. A
      label that finds no place in the overlay is a line of the legend.
    """
    height, width = density.shape
    end = color_scale.scale_end(density)
    font = load_font(font_size(width, height))
    regions = [(printable(label), corners) for label, corners in regions]
    places = place_regions(regions, (width, height), font)
    homeless = [
        label
        for (label, _), place in zip(regions, places, strict=True)
        if place is None
    ]
    lines = [printable(title), *homeless, printable(note)]
    legend = _draw_legend(lines, end, max(width, MIN_WIDTH), font)
    picture = Image.new("RGB", (legend.width, height + legend.height), PAPER)
    for top in range(0, height, _ROWS):
        rows = slice(top, top + _ROWS)
        strip = color_scale.blend(pixels[rows], density[rows], end)
        picture.paste(Image.fromarray(strip), (0, top))
    if points is not None:
        _draw_points(picture, points)
    draw_regions(picture, regions, places, font)
    picture.paste(legend, (0, height))
    return picture


def encode_png(picture: Image.Image) -> bytes:
    """Encodes a picture as the content of a PNG file."""
    data = io.BytesIO()
    picture.save(data, "png")
    return data.getvalue()


def font_size(width: int, height: int) -> int:
    """Chooses the height of letters in a picture of this size, pixels."""
    return max(12, min(width // 50, height // 20))


def place_regions(
    regions: Sequence[Outline],
    size: tuple[int, int],
    font: Font,
    taken: Sequence[Box] = (),
) -> list[tuple[float, float] | None]:
    """Places the labels of regions, each near its corner nearest to the top left."""
    corners = [corners[corners.sum(axis=1).argmin()] for _, corners in regions]
    sizes = [label_size(label, font) for label, _ in regions]
    wanted = [(float(x), float(y)) for x, y in corners]
    return place_labels(wanted, sizes, size, taken)


def draw_regions(
    picture: Image.Image,
    regions: Sequence[Outline],
    places: Sequence[tuple[float, float] | None],
    font: Font,
) -> None:
    """Draws the outlines of regions, and then their labels at their places."""
    draw, line = ImageDraw.Draw(picture), max(2, max(picture.size) // 500)
    for _, corners in regions:
        outline = [tuple(corner) for corner in np.asarray(corners).tolist()]
        outline += outline[:2]  # joins the last edge to the first one
        draw.line(outline, fill="black", width=2 * line, joint="curve")
        draw.line(outline, fill="white", width=line, joint="curve")
    for (label, _), place in zip(regions, places, strict=True):
        if place is not None:
            draw_label(draw, place, label, font)


def _draw_points(picture, points):
    """Draws a ring around each head."""
    draw, radius = ImageDraw.Draw(picture), max(3, max(picture.size) // 400)
    for x, y in points.tolist():
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(box, outline="#4ee2ec", width=max(1, radius // 3))


def _draw_legend(lines, end, width, font):
    """Draws lines of text, with the color scale below the first one."""
    row = round(1.4 * label_size("", font)[1])
    margin, count = row // 3, len([line for line in lines if line]) + 1
    legend = Image.new("RGB", (width, count * row + 2 * margin), PAPER)
    draw = ImageDraw.Draw(legend)
    first, *others = [_shorten(line, font, width - 2 * margin) for line in lines]
    draw.text((margin, margin), first, INK, font, anchor="la")
    _draw_scale(legend, (margin, margin + row), end, font)
    for number, line in enumerate(filter(None, others), start=2):
        draw.text((margin, margin + number * row), line, INK, font, anchor="la")
    return legend


def _draw_scale(legend, place, end, font):
    left, top = place
    text = f"{end:g} people per 100x100 pixels"
    height = round(label_size("", font)[1])
    room = legend.width - 3 * left - label_size(f"0  {text}", font)[0]
    bar = color_scale.color_table().astype(np.uint8)[None].repeat(height, axis=0)
    size = (int(max(8, min(room, legend.width / 3))), height)
    draw = ImageDraw.Draw(legend)
    draw.text((left, top), "0", INK, font, anchor="la")
    left += round(label_size("0", font)[0])
    legend.paste(Image.fromarray(bar).resize(size), (left, top))
    draw.text((left + size[0] + height // 3, top), text, INK, font, anchor="la")


def _shorten(text, font, width):
    """Cuts the end of a line that is too long."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text}..."
