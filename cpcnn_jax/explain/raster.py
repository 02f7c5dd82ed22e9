"""Drawings as PNG and GIF, painted by Pillow at a larger scale and reduced."""

import math
from collections.abc import Sequence
from typing import BinaryIO

from PIL import Image, ImageColor, ImageDraw, ImageFont

from cpcnn_jax.explain.drawing import PAPER, Drawing, Line, Point, Polygon, Shape, Text

SUPERSAMPLING = 3  # painted this many times larger for smooth edges
FRAME_DURATION = 1000  # milliseconds
DASH = 3.0  # drawing units


def paint(drawing: Drawing) -> Image.Image:
    """Paints one drawing as an RGB image with one pixel per drawing unit."""
    width, height = round(drawing.width), round(drawing.height)
    size = width * SUPERSAMPLING, height * SUPERSAMPLING
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image, "RGBA")
    for shape in drawing.shapes:
        _paint_shape(draw, shape)
    return image.reduce(SUPERSAMPLING)


def paint_sheet(drawings: Sequence[Drawing], columns: int) -> Image.Image:
    """Paints drawings of one size row by row, `columns` to a row, as an RGB image."""
    images = [paint(drawing) for drawing in drawings]
    width, height = images[0].size
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (width * columns, height * rows), PAPER)
    for index, image in enumerate(images):
        sheet.paste(image, (index % columns * width, index // columns * height))
    return sheet


def save_gif(file: BinaryIO, drawings: Sequence[Drawing]) -> None:
    """Writes an endless animation with one second per drawing."""
    # All frames share one palette. Near-white shades become white before.
    images = [paint(d).point(lambda v: 255 if v > 244 else v) for d in drawings]
    palette = images[-1].quantize(32)
    indexed = [x.quantize(palette=palette, dither=Image.Dither.NONE) for x in images]
    indexed[0].save(
        file,
        format="GIF",
        save_all=True,
        append_images=indexed[1:],
        duration=FRAME_DURATION,
        loop=0,
        optimize=False,
    )


def _paint_shape(draw: ImageDraw.ImageDraw, shape: Shape) -> None:
    match shape:
        case Polygon(points, fill, stroke, width, dashed, opacity):
            corners = [_scale_point(p) for p in points]
            if fill:
                color = ImageColor.getrgb(fill) + (round(255 * opacity),)
                draw.polygon(corners, fill=color)
            if stroke:
                for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
                    _paint_line(draw, a, b, stroke, width, dashed)
        case Line(start, end, stroke, width):
            _paint_line(draw, _scale_point(start), _scale_point(end), stroke, width)
        case Text(at, text, size, fill):
            font = ImageFont.load_default(size * SUPERSAMPLING)
            draw.text(_scale_point(at), text, fill, font, anchor="mm")


def _scale_point(point: Point) -> Point:
    return point[0] * SUPERSAMPLING, point[1] * SUPERSAMPLING


def _paint_line(draw, start, end, color, width, dashed=False) -> None:
    width = round(width * SUPERSAMPLING)
    if not dashed:
        draw.line([start, end], color, width)
        return
    # An odd number of pieces puts a dash at both ends.
    pieces = max(1, round(math.dist(start, end) / (DASH * SUPERSAMPLING))) | 1
    step = [(b - a) / pieces for a, b in zip(start, end, strict=True)]
    for n in range(0, pieces, 2):
        a = start[0] + n * step[0], start[1] + n * step[1]
        draw.line([a, (a[0] + step[0], a[1] + step[1])], color, width)
