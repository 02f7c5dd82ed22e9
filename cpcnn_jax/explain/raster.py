"""Drawings as PNG and GIF, painted by Pillow at a larger scale and reduced."""

import math
from collections.abc import Sequence
from typing import BinaryIO

from PIL import Image, ImageColor, ImageDraw, ImageFont

from cpcnn_jax.explain.shapes import PAPER, Drawing, Line, Point, Polygon, Shape, Text

SUPERSAMPLING = 3  # painted this many times larger for smooth edges
FRAME_DURATION = 1000  # milliseconds
DASH = 3.0  # drawing units


def paint(drawing: Drawing, scale: int = 1) -> Image.Image:
    """Paints one drawing as an RGB image with `scale` pixels per drawing unit."""
    width, height = round(drawing.width), round(drawing.height)
    large = scale * SUPERSAMPLING
    image = Image.new("RGB", (width * large, height * large), PAPER)
    draw = ImageDraw.Draw(image, "RGBA")
    for shape in drawing.shapes:
        _paint_shape(draw, shape, large)
    return image.reduce(SUPERSAMPLING)


def paint_sheet(drawings: Sequence[Drawing], columns: int) -> Image.Image:
    """Paints drawings of one size row by row, `columns` to a row, as an RGB image.

    A single drawing has two pixels per drawing unit, many have one.
    """
    scale = 2 if len(drawings) == 1 else 1
    images = [paint(drawing, scale) for drawing in drawings]
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
    palette = images[-1].quantize(128)
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


def _paint_shape(draw: ImageDraw.ImageDraw, shape: Shape, scale: int) -> None:
    match shape:
        case Polygon(points, fill, stroke, width, dashed, opacity):
            corners = [_scale_point(p, scale) for p in points]
            if fill:
                color = ImageColor.getrgb(fill) + (round(255 * opacity),)
                draw.polygon(corners, fill=color)
            if stroke:
                dash = DASH * scale if dashed else None
                for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
                    _paint_line(draw, a, b, stroke, width * scale, dash)
        case Line(start, end, stroke, width):
            ends = _scale_point(start, scale), _scale_point(end, scale)
            _paint_line(draw, *ends, stroke, width * scale)
        case Text(at, text, size, fill, anchor):
            font = ImageFont.load_default(size * scale)
            place = "lm" if anchor == "start" else "mm"
            draw.text(_scale_point(at, scale), text, fill, font, anchor=place)


def _scale_point(point: Point, scale: int) -> Point:
    return point[0] * scale, point[1] * scale


def _paint_line(draw, start, end, color, width, dash=None) -> None:
    if dash is None:
        draw.line([start, end], color, round(width))
        return
    # An odd number of pieces puts a dash at both ends.
    pieces = max(1, round(math.dist(start, end) / dash)) | 1
    step = [(b - a) / pieces for a, b in zip(start, end, strict=True)]
    for n in range(0, pieces, 2):
        a = start[0] + n * step[0], start[1] + n * step[1]
        draw.line([a, (a[0] + step[0], a[1] + step[1])], color, round(width))
