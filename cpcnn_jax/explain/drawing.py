"""One frame of the animation as plain shapes, in the style of the guide's figures.

The input lies below in blue and the output above in cyan; padding and inserted zeros
are dashed. Four lines connect the kernel's window with its output.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cpcnn_jax.explain import captions
from cpcnn_jax.explain.explanation import VALUE, Explanation

Point = tuple[float, float]

PAPER, INK, FAINT = "#ffffff", "#0b3441", "#9aa7ac"
BLUE, CYAN, BRIGHT = "#4d9fdb", "#bfe6e2", "#35aba1"
WINDOW = "#24323a"
RIGHT: Point = (40.0, 17.0)  # offset of one column, in drawing units
DOWN: Point = (-29.0, 25.0)  # offset of one row
GAP = 54.0  # between the output and the input
MARGIN = 22.0
MAX_FRAMES = 100
FONT = 15.0  # size of the numbers in cells


@dataclass(frozen=True)
class Polygon:
    """A closed outline; fill None is transparent."""

    points: tuple[Point, ...]
    fill: str | None = None
    stroke: str | None = INK
    width: float = 1.2
    dashed: bool = False
    opacity: float = 1.0  # of the fill


@dataclass(frozen=True)
class Line:
    """A straight line."""

    start: Point
    end: Point
    stroke: str = INK
    width: float = 1.0


@dataclass(frozen=True)
class Text:
    """Centered text."""

    at: Point
    text: str
    size: float = FONT
    fill: str = INK


Shape = Polygon | Line | Text


@dataclass(frozen=True)
class Drawing:
    """Shapes from back to front on a page of width x height drawing units."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    title: str


def draw_frames(e: Explanation) -> list[Drawing]:
    """Draws all steps in row-major order of the output, all of one size.

    Raises:
        ValueError: the output has more than MAX_FRAMES units.

    Reference: the animations of github.com/vdumoulin/conv_arithmetic, redrawn.
    """
    if e.output.size > MAX_FRAMES:
        raise ValueError(
            f"got an output of {captions.format_size(*e.output.shape)}, one image for "
            f"each cell: expected at most {MAX_FRAMES}; take a smaller --input, or one "
            "--frame"
        )
    return [draw_frame(e, row, column) for row, column in np.ndindex(e.output.shape)]


def draw_frame(e: Explanation, row: int, column: int) -> Drawing:
    """Draws the step that computes output (row, column); its title is the sum."""
    above, below, width, height = _lay_out_page(e.output.shape, e.grid.shape)
    title = captions.format_sum(e, row, column)
    shapes = (
        *_draw_grid(e, below),
        *_draw_window(e, below, row, column),
        *_draw_inputs(e, below),
        *_draw_rays(e, above, below, row, column),
        *_draw_output(e, above, row, column),
        Text((width / 2, height - MARGIN), _shorten(title, width), 14.0),
    )
    return Drawing(width, height, shapes, title)


def _lay_out_page(
    output: Sequence[int], grid: Sequence[int]
) -> tuple[Point, Point, float, float]:
    """Returns the origins of output and grid, centered, and the page size."""
    depth = sum(output) + sum(grid)
    drop = GAP + 0.35 * depth * DOWN[1]
    corners = [_project((0, 0), -h / 2, -w / 2) for h, w in (output, grid)]
    corners[1] = corners[1][0], corners[1][1] + drop
    points = _outline(corners[0], 0, 0, *output) + _outline(corners[1], 0, 0, *grid)
    x, y = zip(*points, strict=True)
    above, below = ((a - min(x) + MARGIN, b - min(y) + MARGIN) for a, b in corners)
    width, height = max(x) - min(x) + 2 * MARGIN, max(y) - min(y) + 3.4 * MARGIN
    return above, below, width, height


def _project(origin: Point, row: float, column: float) -> Point:
    """Returns the page position of (row, column) of a plane."""
    return (
        origin[0] + column * RIGHT[0] + row * DOWN[0],
        origin[1] + column * RIGHT[1] + row * DOWN[1],
    )


def _outline(origin: Point, row, column, height=1, width=1) -> tuple[Point, ...]:
    """Returns the corners of a rectangle of cells."""
    return tuple(
        _project(origin, row + r, column + c)
        for r, c in ((0, 0), (0, width), (height, width), (height, 0))
    )


def _draw_grid(e: Explanation, origin: Point) -> Iterator[Shape]:
    for r, c in np.argwhere(e.roles != VALUE):
        yield Polygon(_outline(origin, r, c), None, FAINT, dashed=True)
    tints = captions.compute_tints(e.grid[e.roles == VALUE])
    for (r, c), tint in zip(np.argwhere(e.roles == VALUE), tints.tolist(), strict=True):
        yield Polygon(_outline(origin, r, c), _mix_with_paper(BLUE, tint))


def _draw_inputs(e: Explanation, origin: Point) -> Iterator[Shape]:
    for r, c in np.argwhere(e.roles == VALUE):
        center = _project(origin, r + 0.5, c + 0.5)
        yield Text(center, captions.format_short(e.grid[r, c]))


def _draw_window(e: Explanation, origin: Point, row, column) -> Iterator[Shape]:
    for r, c in e.window(row, column):
        yield Polygon(_outline(origin, r, c), WINDOW, None, opacity=0.3)


def _draw_rays(
    e: Explanation, above: Point, below: Point, row: int, column: int
) -> Iterator[Shape]:
    """Connects the corners of the window with those of the output cell."""
    cells = e.window(row, column)
    (top, left), (bottom, right) = cells[0], cells[-1]
    window = _outline(below, top, left, bottom - top + 1, right - left + 1)
    for start, end in zip(window, _outline(above, row, column), strict=True):
        yield Line(start, end)


def _draw_output(e: Explanation, origin: Point, row, column) -> Iterator[Shape]:
    """Draws the output with the values up to the current, bright cell."""
    current, tints = (row, column), captions.compute_tints(e.output)
    for cell, value in np.ndenumerate(e.output):
        is_current = cell == current
        fill = BRIGHT if is_current else _mix_with_paper(CYAN, float(tints[cell]))
        yield Polygon(_outline(origin, *cell), fill, opacity=1 if is_current else 0.85)
        if cell <= current:
            center = _project(origin, cell[0] + 0.5, cell[1] + 0.5)
            yield Text(center, captions.format_short(value))


def _mix_with_paper(color: str, tint: float) -> str:
    """Mixes a color with the paper color; a tint of 1 gives the color itself."""
    share = 0.15 + 0.85 * tint
    pairs = zip(*(bytes.fromhex(c[1:]) for c in (color, PAPER)), strict=True)
    return "#" + bytes(round(a * share + b * (1 - share)) for a, b in pairs).hex()


def _shorten(title: str, width: float) -> str:
    """Removes the middle of a sum that is wider than the page."""
    room = int(width / 8)
    if len(title) <= room:
        return title
    value = title[title.rindex("=") :]
    return f"{title[: room - len(value) - 5]} ... {value}"
