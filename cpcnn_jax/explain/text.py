"""The explanation as plain ASCII text, for terminals and screen readers."""

import textwrap
from collections.abc import Sequence

import numpy as np

from cpcnn_jax.explain import captions, code_samples
from cpcnn_jax.explain.captions import format_number
from cpcnn_jax.explain.explanation import INSERTED, PADDING, Explanation
from cpcnn_jax.layers import arithmetic

MARKS = {INSERTED: "o", PADDING: "."}
MAX_COLUMNS = 16  # a wider matrix is not printed


def render_text(e: Explanation) -> str:
    """Renders the whole explanation; lines end in a newline."""
    summary = [_wrap(captions.describe_layer(e)), *captions.format_formulas(e)]
    sections = ["\n".join(summary), _render_grid(e), _render_sums(e)]
    sections += [_render_three_forms(e)]
    sections += [_render_phases(e)] if e.transposed else []
    sections += [_render_cost(e)]
    if e.transposed:
        sections += [_render_calls(e), _render_deconvolution(e)]
    return "\n\n".join([*sections, _wrap(captions.CREDIT)]) + "\n"


def _render_grid(e: Explanation) -> str:
    cells = [
        [MARKS.get(role) or format_number(v) for role, v in zip(*row, strict=True)]
        for row in zip(e.roles, e.grid, strict=True)
    ]
    legend = "numbers: the input; o: an inserted zero; .: padding"
    return _indent(f"The grid ({legend})", _align(cells)) + _indent(
        "\n\nThe kernel, as it slides over the grid", _table(e.kernel)
    )


def _render_sums(e: Explanation) -> str:
    lines = []
    for row, column in np.ndindex(e.output.shape):
        cells = e.window(row, column)
        (top, left), (bottom, right) = cells[0], cells[-1]
        window = f"rows {top}-{bottom}, columns {left}-{right}"
        lines.append(f"{window}: {captions.format_sum(e, row, column)}")
    return _indent("Every output: the kernel's window on the grid, the sum", lines)


def _render_three_forms(e: Explanation) -> str:
    symbol = "C^T" if e.transposed else "C"
    lines = _side_by_side(
        {
            "sliding window": e.output,
            f"{'stamps' if e.transposed else 'products'} added up": e.scattered,
            f"{symbol} x": e.multiplied,
        }
    )
    lines += [f"largest difference: {format_number(captions.max_difference(e))}"]
    outputs = _indent("The same output three ways", lines)
    if e.matrix.shape[1] > MAX_COLUMNS:
        return outputs
    cells = [[format_number(v) if v else "." for v in row] for row in e.matrix]
    size = captions.format_size(*e.matrix.shape)
    title = f"\n\nThe matrix {symbol}, {size} (.: zero)"
    return outputs + _indent(title, _align(cells))


def _render_phases(e: Explanation) -> str:
    rows, columns = e.layers
    lines = []
    for (r, c), response in np.ndenumerate(e.response):
        count = len(arithmetic.taps(r, rows)) * len(arithmetic.taps(c, columns))
        lines.append(
            f"outputs ({r}, {c}) + multiples of ({rows.s}, {columns.s}): "
            f"{count} of {e.kernel.size} taps, response to ones "
            f"{format_number(response)}"
        )
    verdict = "no checkerboard" if e.checkerboard < 1 + 1e-5 else "a checkerboard"
    finite = np.isfinite(e.checkerboard)
    ratio = format_number(e.checkerboard) if finite else "infinite"
    lines.append(f"largest / smallest response: {ratio}, {verdict}")
    return _indent("Phases", lines)


def _render_cost(e: Explanation) -> str:
    literal, useful = e.cost
    share = f"{100 * useful / literal:.0f} %"
    line = f"literal: {literal}; with a true input value: {useful} ({share})"
    return _indent("Multiplications, per pair of channels", [line])


def _render_calls(e: Explanation) -> str:
    samples = code_samples.format_calls(e)
    parts = [f"# {library}\n{source}" for library, source in samples.items()]
    title = "Equivalent calls, x [B, H, W, C_in], w [k, k, C_in, C_out] as it slides"
    return _indent(title, "\n".join(parts).splitlines())


def _render_deconvolution(e: Explanation) -> str:
    lines = _wrap(captions.describe_deconvolution(e)).splitlines()
    lines += _side_by_side({"z": e.original, "C^T (C z)": e.returned})
    return _indent("Why not deconvolution", lines)


def _wrap(paragraph: str) -> str:
    return textwrap.fill(paragraph, width=80)


def _indent(title: str, lines: Sequence[str]) -> str:
    """Joins a title and indented lines."""
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)])


def _table(values: np.ndarray) -> list[str]:
    return _align([[format_number(v) for v in row] for row in values])


def _align(cells: Sequence[Sequence[str]]) -> list[str]:
    """Joins cells to columns of equal width, right-aligned."""
    width = max(len(cell) for row in cells for cell in row)
    return [" ".join(cell.rjust(width) for cell in row) for row in cells]


def _side_by_side(tables: dict[str, np.ndarray]) -> list[str]:
    """Joins titled tables of equal height."""
    blocks = []
    for title, values in tables.items():
        lines = [title, *_table(values)]
        width = max(map(len, lines))
        blocks.append([line.ljust(width) for line in lines])
    return [" | ".join(line).rstrip() for line in zip(*blocks, strict=True)]
