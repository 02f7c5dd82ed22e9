"""One frame of the animation as plain shapes, in the manner of the guide's figures.

The input lies below in blue, the output above in cyan, both seen at a slant; cells of
padding and inserted zeros are dashed; four lines join the kernel's window to the
output that it makes. SVG and bitmaps are written from these shapes alone.
"""

from dataclasses import dataclass

import numpy as np

from cpcnn_jax.explain import captions
from cpcnn_jax.explain.explanation import VALUE, Explanation

Point = tuple[float, float]

PAPER, INK, FAINT = "#ffffff", "#0b3441", "#9aa7ac"
BLUE, CYAN, BRIGHT = "#4d9fdb", "#bfe6e2", "#35aba1"
WINDOW = "#24323a"
RIGHT: Point = (40.0, 17.0)  # one column to the right, in the drawing's units
DOWN: Point = (-29.0, 25.0)  # one row down
GAP = 54.0  # between the output and the input
MARGIN = 22.0
MAX_FRAMES = 100
FONT = 15.0  # of the numbers in cells


@dataclass(frozen=True)
class Polygon:
    """A closed outline; fill None leaves it open to what is behind."""

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
    """Centred text."""

    at: Point
    text: str
    size: float = FONT
    fill: str = INK


@dataclass(frozen=True)
class Drawing:
    """Shapes from back to front on a page of width x height."""

    width: float
    height: float
    shapes: tuple[Polygon | Line | Text, ...]
    title: str


def frames(e: Explanation) -> list[Drawing]:
    """Draw every step, the first output row first, from left to right.

    Args:
        e: the explanation.

    Returns:
        One drawing per output unit, all of one size.

    Raises:
        ValueError: more than 100 steps, which make no animation to look at.

    Reference: the animations of github.com/vdumoulin/conv_arithmetic, whose manner
    this follows with drawings of its own.
    """
    if e.output.size > MAX_FRAMES:
        raise ValueError(
            f"got an output of {captions.by(*e.output.shape)}, one picture for each "
            "cell: "
            f"expected at most {MAX_FRAMES}; take a smaller --input, or one --frame"
        )
    return [draw(e, row, column) for row, column in np.ndindex(e.output.shape)]


def draw(e: Explanation, row: int, column: int) -> Drawing:
    """Draw the step that makes output (row, column).

    Args:
        e: the explanation.
        row: of the output, from 0.
        column: of the output, from 0.

    Returns:
        The drawing; its title is the sum.
    """
    above, below, width, height = _page(e.output.shape, e.grid.shape)
    title = captions.output_sum(e, row, column)
    shapes = (
        *_grid(e, below),
        *_window(e, below, row, column),
        *_inputs(e, below),
        *_rays(e, above, below, row, column),
        *_output(e, above, row, column),
        Text((width / 2, height - MARGIN), _shortened(title, width), 14.0),
    )
    return Drawing(width, height, shapes, title)


def _page(output, grid) -> tuple[Point, Point, float, float]:
    """The origins of the output and of the grid, centred; the page's size."""
    depth = sum(output) + sum(grid)
    drop = GAP + 0.35 * depth * DOWN[1]
    corners = [_at((0, 0), -h / 2, -w / 2) for h, w in (output, grid)]
    corners[1] = corners[1][0], corners[1][1] + drop
    x, y = zip(
        *_tile(corners[0], 0, 0, *output), *_tile(corners[1], 0, 0, *grid), strict=True
    )
    above, below = ((a - min(x) + MARGIN, b - min(y) + MARGIN) for a, b in corners)
    return (
        above,
        below,
        max(x) - min(x) + 2 * MARGIN,
        max(y) - min(y) + 3.4 * MARGIN,
    )


def _at(origin: Point, row: float, column: float) -> Point:
    """The page position of a plane's (row, column)."""
    return (
        origin[0] + column * RIGHT[0] + row * DOWN[0],
        origin[1] + column * RIGHT[1] + row * DOWN[1],
    )


def _tile(origin, row, column, height=1, width=1) -> tuple[Point, ...]:
    """The corners of a rectangle of cells."""
    return tuple(
        _at(origin, row + r, column + c)
        for r, c in ((0, 0), (0, width), (height, width), (height, 0))
    )


def _grid(e, origin):
    """The stretched and padded input: solid blue cells, dashed empty ones."""
    for r, c in np.argwhere(e.roles != VALUE):
        yield Polygon(_tile(origin, r, c), None, FAINT, dashed=True)
    tints = captions.tints(e.grid[e.roles == VALUE])
    for (r, c), tint in zip(np.argwhere(e.roles == VALUE), tints, strict=True):
        yield Polygon(_tile(origin, r, c), _mixed(BLUE, tint))


def _inputs(e, origin):
    """The input's values."""
    for r, c in np.argwhere(e.roles == VALUE):
        yield Text(_at(origin, r + 0.5, c + 0.5), captions.short(e.grid[r, c]))


def _window(e, origin, row, column):
    """The cells under the kernel's taps, shaded."""
    for r, c in e.window(row, column):
        yield Polygon(_tile(origin, r, c), WINDOW, None, opacity=0.3)


def _rays(e, above, below, row, column):
    """Four lines from the corners of the window to those of the output's cell."""
    cells = e.window(row, column)
    (top, left), (bottom, right) = cells[0], cells[-1]
    window = _tile(below, top, left, bottom - top + 1, right - left + 1)
    for start, end in zip(window, _tile(above, row, column), strict=True):
        yield Line(start, end)


def _output(e, origin, row, column):
    """The output: values up to this step, this step's cell bright."""
    now, tints = (row, column), captions.tints(e.output)
    for cell in np.ndindex(e.output.shape):
        fill = BRIGHT if cell == now else _mixed(CYAN, tints[cell])
        yield Polygon(_tile(origin, *cell), fill, opacity=1.0 if cell == now else 0.85)
        if cell <= now:
            center = _at(origin, cell[0] + 0.5, cell[1] + 0.5)
            yield Text(center, captions.short(e.output[cell]))


def _mixed(color: str, tint: float) -> str:
    """A colour, from nearly the paper's for a tint of 0 to itself for 1."""
    share = 0.15 + 0.85 * tint
    pairs = zip(*(bytes.fromhex(c[1:]) for c in (color, PAPER)), strict=True)
    return "#" + bytes(round(a * share + b * (1 - share)) for a, b in pairs).hex()


def _shortened(title: str, width: float) -> str:
    """The sum, its middle left out where it is wider than the page."""
    room = int(width / 8)
    if len(title) <= room:
        return title
    value = title[title.rindex("=") :]
    return f"{title[: room - len(value) - 5]} ... {value}"
