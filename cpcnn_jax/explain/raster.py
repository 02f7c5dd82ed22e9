"""Drawings as PNG and GIF, painted by Pillow at several times the size and reduced."""

import math
from pathlib import Path

from PIL import Image, ImageColor, ImageDraw, ImageFont

from cpcnn_jax.explain.drawing import PAPER, Drawing, Line, Point, Polygon, Text

FINE = 3  # painted this many times larger, then reduced: smooth edges
FRAME = 1000  # milliseconds
DASH = 3.0


def paint(drawing: Drawing, scale: float = 1.0) -> Image.Image:
    """Paint one drawing.

    Args:
        drawing: the drawing.
        scale: pixels per unit of the drawing.

    Returns:
        An RGB image of scale times the drawing's width and height.
    """
    size = round(drawing.width * scale), round(drawing.height * scale)
    image = Image.new("RGB", (size[0] * FINE, size[1] * FINE), PAPER)
    draw = ImageDraw.Draw(image, "RGBA")
    for shape in drawing.shapes:
        _paint(draw, shape, scale * FINE)
    return image.reduce(FINE)


def sheet(drawings: list[Drawing], columns: int, scale: float = 1.0) -> Image.Image:
    """Paint drawings of one size side by side, row by row."""
    images = [paint(drawing, scale) for drawing in drawings]
    width, height = images[0].size
    rows = -(-len(images) // columns)
    page = Image.new("RGB", (width * columns, height * rows), PAPER)
    for index, image in enumerate(images):
        page.paste(image, (index % columns * width, index // columns * height))
    return page


def save_gif(path: str | Path, drawings: list[Drawing]) -> None:
    """Write an endless animation, one second per drawing.

    Args:
        path: the file to write.
        drawings: the frames.
    """
    # One palette for all; without near-white shades, or white is mapped to one.
    images = [paint(d).point(lambda v: 255 if v > 244 else v) for d in drawings]
    palette = images[-1].quantize(32)
    indexed = [x.quantize(palette=palette, dither=Image.Dither.NONE) for x in images]
    indexed[0].save(
        path,
        format="GIF",
        save_all=True,
        append_images=indexed[1:],
        duration=FRAME,
        loop=0,
        optimize=False,
    )


def _paint(draw: ImageDraw.ImageDraw, shape: Polygon | Line | Text, scale: float):
    """One shape, scale pixels per unit."""
    match shape:
        case Polygon(points, fill, stroke, width, dashed, opacity):
            corners = [_scaled(p, scale) for p in points]
            if fill:
                color = ImageColor.getrgb(fill) + (round(255 * opacity),)
                draw.polygon(corners, fill=color)
            if stroke:
                for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
                    _line(draw, a, b, stroke, width * scale, dashed, DASH * scale)
        case Line(start, end, stroke, width):
            a, b = _scaled(start, scale), _scaled(end, scale)
            _line(draw, a, b, stroke, width * scale, False, 0.0)
        case Text(at, text, size, fill):
            font = ImageFont.load_default(size * scale)
            draw.text(_scaled(at, scale), text, fill, font, anchor="mm")


def _scaled(point: Point, scale: float) -> Point:
    return point[0] * scale, point[1] * scale


def _line(draw, start, end, color, width, dashed, dash) -> None:
    """A line, or its dashes: Pillow has none."""
    if not dashed:
        draw.line([start, end], color, round(width))
        return
    pieces = max(1, round(math.dist(start, end) / dash)) | 1  # odd: dash at both ends
    step = [(b - a) / pieces for a, b in zip(start, end, strict=True)]
    for n in range(0, pieces, 2):
        a = start[0] + n * step[0], start[1] + n * step[1]
        b = a[0] + step[0], a[1] + step[1]
        draw.line([a, b], color, round(width))
