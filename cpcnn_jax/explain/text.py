"""The explanation for a terminal and for a screen reader: plain ASCII lines."""

import textwrap

import numpy as np

from cpcnn_jax.explain import captions, code_samples
from cpcnn_jax.explain.captions import number
from cpcnn_jax.explain.explanation import INSERTED, PADDING, Explanation
from cpcnn_jax.layers import arithmetic

MARKS = {INSERTED: "o", PADDING: "."}
MAX_COLUMNS = 16  # of a matrix that is printed whole


def render(e: Explanation) -> str:
    """Write the whole explanation.

    Args:
        e: the explanation.

    Returns:
        Its text; lines end in a newline.
    """
    parts = [_what(e), _grid(e), _sums(e), _three_ways(e)]
    if e.transposed:
        parts += [_phases(e)]
    parts += [_cost(e)]
    if e.transposed:
        parts += [_calls(e), _name(e)]
    return "\n\n".join([*parts, _fill(captions.CREDIT)]) + "\n"


def _what(e: Explanation) -> str:
    return "\n".join([_fill(captions.sentence(e)), *captions.formulas(e)])


def _grid(e: Explanation) -> str:
    cells = [
        [MARKS.get(role) or number(value) for role, value in zip(*row, strict=True)]
        for row in zip(e.roles, e.grid, strict=True)
    ]
    kernel = [[number(v) for v in row] for row in e.kernel]
    legend = "numbers: the input; o: an inserted zero; .: padding"
    return _section(f"The grid ({legend})", _table(cells)) + _section(
        "\n\nThe kernel, as it slides over the grid", _table(kernel)
    )


def _sums(e: Explanation) -> str:
    lines = []
    for row, column in np.ndindex(e.output.shape):
        cells = e.window(row, column)
        (top, left), (bottom, right) = cells[0], cells[-1]
        window = f"rows {top}-{bottom}, columns {left}-{right}"
        lines.append(f"{window}: {captions.output_sum(e, row, column)}")
    return _section("Every output: the kernel's window on the grid, the sum", lines)


def _three_ways(e: Explanation) -> str:
    tables = [
        _titled(title, _table([[number(v) for v in row] for row in values]))
        for title, values in [
            ("sliding window", e.output),
            ("stamps added up" if e.transposed else "products added up", e.scattered),
            ("C^T x" if e.transposed else "C x", e.multiplied),
        ]
    ]
    side_by_side = [" | ".join(line).rstrip() for line in zip(*tables, strict=True)]
    symbol, sizes = "C^T" if e.transposed else "C", captions.by(*e.matrix.shape)
    lines = [
        *side_by_side,
        f"largest difference: {number(captions.difference(e))}",
    ]
    title = "The same output three ways"
    matrix = f"\n\nThe matrix {symbol}, {sizes} (.: zero)"
    if e.matrix.shape[1] > MAX_COLUMNS:
        return _section(title, lines)
    used = e.matrix != 0
    cells = [
        [number(v) if on else "." for v, on in zip(*row, strict=True)]
        for row in zip(e.matrix, used, strict=True)
    ]
    return _section(title, lines) + _section(matrix, _table(cells))


def _phases(e: Explanation) -> str:
    rows, columns = e.layers
    lines = []
    for r, c in np.ndindex(rows.s, columns.s):
        count = len(arithmetic.taps(r, rows)) * len(arithmetic.taps(c, columns))
        lines.append(
            f"outputs ({r}, {c}) + multiples of ({rows.s}, {columns.s}): "
            f"{count} of {e.kernel.size} taps, response to ones "
            f"{number(e.response[r, c])}"
        )
    value = e.checkerboard
    verdict = "no checkerboard" if value < 1 + 1e-5 else "a checkerboard"
    ratio = number(value) if np.isfinite(value) else "infinite"
    lines.append(f"largest / smallest response: {ratio}, {verdict}")
    return _section("Phases", lines)


def _cost(e: Explanation) -> str:
    literal, useful = e.cost
    return _section(
        "Multiplications, per pair of channels",
        [
            f"literal: {literal}; with a true input value: {useful} "
            f"({100 * useful / literal:.0f} %)"
        ],
    )


def _calls(e: Explanation) -> str:
    parts = [
        f"# {library}\n{source}" for library, source in code_samples.calls(e).items()
    ]
    given = "Equivalent calls, x [B, H, W, C_in], w [k, k, C_in, C_out] as it slides"
    return _section(given, "\n".join(parts).splitlines())


def _name(e: Explanation) -> str:
    tables = [
        _titled(title, _table([[number(v) for v in row] for row in values]))
        for title, values in [("z", e.original), ("C^T (C z)", e.returned)]
    ]
    lines = [" | ".join(line).rstrip() for line in zip(*tables, strict=True)]
    return _section(
        "Why not deconvolution", [*_fill(captions.name(e)).splitlines(), *lines]
    )


def _fill(paragraph: str) -> str:
    return textwrap.fill(paragraph, width=80)


def _section(title: str, lines: list[str]) -> str:
    """A title, and the lines under it indented."""
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)])


def _table(cells: list[list[str]]) -> list[str]:
    """Columns of equal width, right-aligned."""
    width = max(len(cell) for row in cells for cell in row)
    return [" ".join(cell.rjust(width) for cell in row) for row in cells]


def _titled(title: str, lines: list[str]) -> list[str]:
    """Lines of equal length under a title."""
    width = max(len(title), *map(len, lines))
    return [line.ljust(width) for line in [title, *lines]]
