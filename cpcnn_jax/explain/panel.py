"""The panel beside a drawing: names of its parts, the kernel, the layer's numbers."""

from collections.abc import Iterator

import numpy as np

from cpcnn_jax.explain import captions
from cpcnn_jax.explain.explanation import INSERTED, PADDING, Explanation
from cpcnn_jax.explain.shapes import (
    BLUE,
    BRIGHT,
    CYAN,
    FONT,
    INK,
    PAPER,
    WINDOW,
    Plane,
    Point,
    Polygon,
    Shape,
    Text,
)

SWATCH = 20.0  # side of a cell of the legend, drawing units
LINE = 28.0  # height of a line of the legend
CELL: Point = (38.0, 28.0)  # width and height of a cell of the kernel
MIN_WIDTH = 185.0
HEAD = 26.0  # height of a title


def measure_panel(e: Explanation) -> Point:
    """Computes the width and height of the panel, drawing units."""
    rows, columns = e.kernel.shape
    lines = len(_list_parts(e)) * LINE + len(_describe_numbers(e)) * HEAD
    return max(MIN_WIDTH, columns * CELL[0]), lines + 2 * HEAD + rows * CELL[1]


def draw_panel(e: Explanation, cell: tuple[int, int], origin: Point) -> Iterator[Shape]:
    """Draws the panel of the step that computes one output cell.

    Args:
        e: the explanation.
        cell: (row, column) of the output.
        origin: the top left corner of the panel, drawing units.
    """
    x, y = origin
    for part in _list_parts(e):
        yield from _draw_swatch(part, (x, y))
        at = (x + SWATCH + 12, y + SWATCH / 2)
        yield Text(at, part, FONT, anchor="start")
        y += LINE
    yield from _draw_kernel(e, cell, (x, y + HEAD))
    y += 2 * HEAD + e.kernel.shape[0] * CELL[1]
    for line in _describe_numbers(e):
        yield Text((x, y + HEAD / 2), line, FONT, anchor="start")
        y += HEAD


def _list_parts(e: Explanation) -> list[str]:
    """Lists the names of the parts that the drawing has."""
    zeros = {"inserted zero": INSERTED, "padding": PADDING}
    present = [name for name, role in zeros.items() if (e.roles == role).any()]
    return ["input", *present, "kernel on the grid", "output", "output of this step"]


def _draw_swatch(part: str, origin: Point) -> Iterator[Shape]:
    plane = Plane(origin, (SWATCH, 0), (0, SWATCH))
    outline = plane.outline(0, 0)
    match part:
        case "input":
            yield Polygon(outline, BLUE)
        case "inserted zero":
            yield from plane.draw_inserted(0, 0)
        case "padding":
            yield plane.draw_padding(0, 0)
        case "kernel on the grid":
            yield Polygon(outline, WINDOW, INK, 2.4, opacity=0.22)
        case "output":
            yield Polygon(outline, CYAN)
        case _:
            yield Polygon(outline, BRIGHT, INK, 2.4)


def _draw_kernel(e: Explanation, cell: tuple[int, int], origin: Point):
    """Draws the kernel's numbers; those that meet an input value are blue."""
    yield Text(
        (origin[0], origin[1] - 8), "kernel (shaded: on an input)", 13.0, anchor="start"
    )
    plane = Plane((origin[0], origin[1] + 6), (CELL[0], 0), (0, CELL[1]))
    used = {tap for tap, _ in e.terms(*cell)}
    for tap, value in np.ndenumerate(e.kernel):
        yield Polygon(plane.outline(*tap), BLUE if tap in used else PAPER)
        text = captions.format_short(float(value))
        center = plane.point(tap[0] + 0.5, tap[1] + 0.5)
        yield Text(center, text, FONT if len(text) < 5 else 0.8 * FONT)


def _describe_numbers(e: Explanation) -> list[str]:
    """Formats the numbers of the layer, such as k = 3."""
    rows, columns = e.layers
    axes = [columns] if e.one_dimensional else [rows, columns]
    sizes = e.x.shape[-len(axes) :]
    numbers = {"i": sizes, "k": [z.k for z in axes], "s": [z.s for z in axes]}
    numbers["p"] = [z.pads[0] if z.pads[0] == z.pads[1] else z.pads for z in axes]
    numbers |= {"a": [z.a for z in axes]} if e.transposed else {}
    numbers["d"] = [z.d for z in axes]
    parts = [f"{name} = {_format_axes(values)}" for name, values in numbers.items()]
    return ["   ".join(parts[:3]), "   ".join(parts[3:])]


def _format_axes(values) -> str:
    texts = [":".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in values]
    return texts[0] if len(set(texts)) == 1 else "x".join(texts)
