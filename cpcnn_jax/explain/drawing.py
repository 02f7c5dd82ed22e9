"""One frame of the animation as plain shapes, in the style of the guide's figures.

The input lies below in blue and the output above in cyan. Cells of padding are dashed
and empty, inserted zeros are hatched. Lines connect the kernel's window with its
output. A panel beside them names the parts.
"""

from collections.abc import Iterator

import numpy as np

from cpcnn_jax.explain import captions
from cpcnn_jax.explain.explanation import INSERTED, PADDING, VALUE, Explanation
from cpcnn_jax.explain.panel import draw_panel, measure_panel
from cpcnn_jax.explain.shapes import (
    BLUE,
    BRIGHT,
    CYAN,
    INK,
    PAPER,
    WINDOW,
    Drawing,
    Line,
    Plane,
    Point,
    Polygon,
    Shape,
    Text,
)

TILTED: tuple[Point, Point] = ((40.0, 17.0), (-29.0, 25.0))  # of a column, of a row
FLAT: tuple[Point, Point] = ((48.0, 0.0), (0.0, 48.0))  # for one dimension
GAP = 54.0  # between the output and the input
MARGIN = 22.0
MAX_FRAMES = 100


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


def find_typical_step(e: Explanation) -> tuple[int, int]:
    """Finds the first output (row, column) with the most products of input values."""
    cells = list(np.ndindex(e.output.shape))
    return max(cells, key=lambda cell: len(e.terms(*cell)))


def draw_frame(e: Explanation, row: int, column: int) -> Drawing:
    """Draws the step that computes output (row, column); its title is the sum."""
    above, below, planes = _lay_out_planes(e)
    panel = measure_panel(e)
    width = planes[0] + 2 * MARGIN + panel[0]
    height = max(planes[1], panel[1] + MARGIN)
    title = captions.format_sum(e, row, column)
    shapes = (
        *_draw_grid(e, below),
        *_draw_window(e, below, row, column),
        *_draw_inputs(e, below),
        *_draw_rays(e, above, below, row, column),
        *_draw_output(e, above, row, column),
        *draw_panel(e, (row, column), (planes[0] + MARGIN, MARGIN)),
        Text((width / 2, height + MARGIN), _shorten(title, width), 15.0),
    )
    return Drawing(width, height + 2 * MARGIN, shapes, title)


def _lay_out_planes(e: Explanation) -> tuple[Plane, Plane, Point]:
    """Returns the planes of output and grid, centered, and the size they take."""
    right, down = FLAT if e.one_dimensional else TILTED
    output, grid = e.output.shape, e.grid.shape
    drop = GAP + down[1] * (1 if e.one_dimensional else 0.35 * sum(output + grid))
    corners = [
        Plane((0, 0), right, down).point(-h / 2, -w / 2) for h, w in (output, grid)
    ]
    corners[1] = corners[1][0], corners[1][1] + drop
    points = [
        *Plane(corners[0], right, down).outline(0, 0, *output),
        *Plane(corners[1], right, down).outline(0, 0, *grid),
    ]
    if e.one_dimensional:  # the factors stand below the grid
        points.append((points[-1][0], points[-1][1] + down[1]))
    x, y = zip(*points, strict=True)
    origins = [(a - min(x) + MARGIN, b - min(y) + MARGIN) for a, b in corners]
    above, below = (Plane(origin, right, down) for origin in origins)
    return above, below, (max(x) - min(x) + 2 * MARGIN, max(y) - min(y) + 2 * MARGIN)


def _draw_grid(e: Explanation, plane: Plane) -> Iterator[Shape]:
    for cell in np.argwhere(e.roles == PADDING):
        yield plane.draw_padding(*cell)
    for cell in np.argwhere(e.roles == INSERTED):
        yield from plane.draw_inserted(*cell)
    tints = captions.compute_tints(e.grid[e.roles == VALUE])
    for cell, tint in zip(np.argwhere(e.roles == VALUE), tints.tolist(), strict=True):
        yield Polygon(plane.outline(*cell), _mix_with_paper(BLUE, tint))


def _draw_inputs(e: Explanation, plane: Plane) -> Iterator[Shape]:
    for r, c in np.argwhere(e.roles == VALUE):
        center = plane.point(r + 0.5, c + 0.5)
        yield Text(center, captions.format_short(e.grid[r, c]))


def _draw_window(e: Explanation, plane: Plane, row, column) -> Iterator[Shape]:
    for (r, c), value in zip(e.window(row, column), e.kernel.flat, strict=True):
        yield Polygon(plane.outline(r, c), WINDOW, INK, 2.4, opacity=0.22)
        if e.one_dimensional:
            text = f"x {captions.format_short(float(value))}"
            yield Text(plane.point(r + 1.4, c + 0.5), text, 13.0)


def _draw_rays(
    e: Explanation, above: Plane, below: Plane, row: int, column: int
) -> Iterator[Shape]:
    """Connects the corners of the window with those of the output cell."""
    cells = e.window(row, column)
    (top, left), (bottom, right) = cells[0], cells[-1]
    window = below.outline(top, left, bottom - top + 1, right - left + 1)
    ends = above.outline(row, column)
    if e.one_dimensional:  # the upper corners with the lower ones
        window, ends = window[:2], (ends[3], ends[2])
    for start, end in zip(window, ends, strict=True):
        yield Line(start, end)


def _draw_output(e: Explanation, plane: Plane, row, column) -> Iterator[Shape]:
    """Draws the output with the values up to the current, dark cell."""
    current, tints = (row, column), captions.compute_tints(e.output)
    for cell, value in np.ndenumerate(e.output):
        is_current = cell == current
        fill = BRIGHT if is_current else _mix_with_paper(CYAN, float(tints[cell]))
        stroke = 2.4 if is_current else 1.2
        yield Polygon(plane.outline(*cell), fill, width=stroke, opacity=0.9)
        if cell <= current:
            center = plane.point(cell[0] + 0.5, cell[1] + 0.5)
            text = captions.format_short(value)
            yield Text(center, text, fill=PAPER if is_current else INK)


def _mix_with_paper(color: str, tint: float) -> str:
    """Mixes a color with the paper color; a tint of 1 gives the color itself."""
    share = 0.15 + 0.85 * tint
    pairs = zip(*(bytes.fromhex(c[1:]) for c in (color, PAPER)), strict=True)
    return "#" + bytes(round(a * share + b * (1 - share)) for a, b in pairs).hex()


def _shorten(title: str, width: float) -> str:
    """Removes the middle of a sum that is wider than the page."""
    room = int(width / 8.5)
    if len(title) <= room:
        return title
    value = title[title.rindex("=") :]
    return f"{title[: room - len(value) - 5]} ... {value}"
