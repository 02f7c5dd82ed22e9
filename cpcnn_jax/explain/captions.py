"""Texts and formulas of an explanation, shared by all output formats."""

import re

import numpy as np

from cpcnn_jax.explain.explanation import Explanation, grid_padding
from cpcnn_jax.layers import arithmetic
from cpcnn_jax.layers.arithmetic import Layer

CREDIT = (
    "After V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep "
    "learning, arXiv:1603.07285 (github.com/vdumoulin/conv_arithmetic, MIT)."
)

# Output size by the guide's relationship number, in the guide's letters.
FORMULAS = {
    1: "(i - k) + 1",
    2: "(i - k) + 2p + 1",
    3: "i",
    4: "i + (k - 1)",
    5: "floor((i - k) / s) + 1",
    6: "floor((i + 2p - k) / s) + 1",
    8: "i + (k - 1)",
    9: "i + (k - 1) - 2p",
    10: "i",
    11: "i - (k - 1)",
    12: "s(i - 1) + k",
    13: "s(i - 1) + k - 2p",
    14: "s(i - 1) + a + k - 2p",
    15: "floor((i + 2p - k - (k - 1)(d - 1)) / s) + 1",
}


def format_number(value: float) -> str:
    """Formats a value with at most three significant digits.

    Example:
        >>> format_number(5.0), format_number(1 / 3)
        ('5', '0.333')
    """
    value = value + 0.0  # turns -0 into 0
    size = abs(value)
    if float(value).is_integer() or size >= 999.5:
        return f"{value:.0f}"
    return f"{value:.3g}" if size >= 1e-4 else f"{value:.0e}"


def format_short(value: float) -> str:
    """Formats a value for a small cell, with two decimals below 1.

    Example:
        >>> format_short(80.0), format_short(-0.0612), format_short(12.345)
        ('80', '-0.06', '12.3')
    """
    if value.is_integer() or abs(value) >= 1:
        return format_number(value)
    return f"{round(value, 2) + 0.0:.2f}"


def format_size(rows: int, columns: int) -> str:
    """Formats a size per axis, such as 3x5."""
    return f"{rows}x{columns}"


def compute_tints(values: np.ndarray) -> np.ndarray:
    """Computes the color strength of each value, 0 to 1; whole numbers all have 1."""
    span = np.ptp(values)
    if span == 0 or np.all(values == np.round(values)):
        return np.ones_like(values)
    return (values - values.min()) / span


def describe_layer(e: Explanation) -> str:
    """Describes the layer in one sentence."""
    if e.one_dimensional:
        return _describe_line(e)
    rows, columns = e.layers
    size_in, size_out = format_size(*e.x.shape), format_size(*e.output.shape)
    kernel = f"a {format_size(*e.kernel.shape)} kernel"
    if rows.d > 1 or columns.d > 1:
        kernel += f" dilated by {_format_pair(rows.d, columns.d)}"
    if not e.transposed:
        return (
            f"A convolution pads the input by {_describe_padding(e)} and slides "
            f"{kernel} over the result with stride {_format_pair(rows.s, columns.s)}: "
            f"{size_in} in, {size_out} out."
        )
    stretched = map(arithmetic.stretched_size, e.x.shape, (rows.s, columns.s))
    zeros = _format_pair(rows.s - 1, columns.s - 1)
    return (
        f"A fractionally-strided (transposed) convolution inserts {zeros} "
        f"{'zero' if zeros == '1' else 'zeros'} between neighboring rows and columns "
        f"({size_in} becomes {format_size(*stretched)}), pads the result by "
        f"{_describe_padding(e)}, and slides {kernel} over it with stride 1: "
        f"{size_in} in, {size_out} out."
    )


def _describe_line(e: Explanation) -> str:
    """Describes a layer of one dimension in one sentence."""
    z = e.layers[1]
    low, high = grid_padding(z)
    pads = f"{low} on both sides" if low == high else f"{low} left, {high} right"
    pads += " (negative: cropped)" * (low != high and min(low, high) < 0)
    kernel = f"a kernel of size {z.k}" + f" dilated by {z.d}" * (z.d > 1)
    sizes = f"{e.x.shape[1]} in, {e.output.shape[1]} out."
    if not e.transposed:
        return (
            f"A convolution pads the input by {pads} and slides {kernel} over the "
            f"result with stride {z.s}: {sizes}"
        )
    return (
        f"A fractionally-strided (transposed) convolution inserts {z.s - 1} "
        f"{'zero' if z.s == 2 else 'zeros'} between neighboring units "
        f"({e.x.shape[1]} becomes {arithmetic.stretched_size(e.x.shape[1], z.s)}), "
        f"pads the result by {pads}, and slides {kernel} over it with stride 1: {sizes}"
    )


def _format_pair(rows: int, columns: int) -> str:
    """Formats one number if both axes agree."""
    return str(rows) if rows == columns else format_size(rows, columns)


def _describe_padding(e: Explanation) -> str:
    (top, bottom), (left, right) = map(grid_padding, e.layers)
    if top == bottom == left == right:
        return f"{top} on every side"
    text = f"{top} above, {bottom} below, {left} left, {right} right"
    return text + " (negative: cropped)" * (min(top, bottom, left, right) < 0)


def format_formula(layer: Layer, i: int) -> str:
    """Formats the output size for input size i of one axis, in letters and numbers.

    Example:
        >>> format_formula(Layer(k=3, s=2, p=1, transposed=True), i=3)
        'o = s(i - 1) + k - 2p = 2(3 - 1) + 3 - 2*1 = 5, relationship 13'
    """
    relationship = arithmetic.relationship(layer)
    letters = FORMULAS[relationship]
    k = layer.k
    note = ""
    if layer.transposed and layer.d > 1:
        k = arithmetic.effective_kernel(layer.k, layer.d)
        letters = letters.replace("k", "k'")
        note = f" with k' = k + (k - 1)(d - 1) = {k} of relationship 15"
    pads = f"2*{layer.p}"
    if isinstance(layer.p, tuple):
        letters = letters.replace("2p", "(p + p')")
        pads = "({} + {})".format(*layer.p)
    values = layer._asdict() | {"i": i, "k": k, "k'": k, "2p": pads, "(p + p')": pads}
    filled = re.sub(r"\(p \+ p'\)|2p|k'|[iksad]", lambda m: str(values[m[0]]), letters)
    o = arithmetic.output_size(i, layer)
    steps = dict.fromkeys([letters, filled, str(o)])  # without repetitions
    return f"o = {' = '.join(steps)}, relationship {relationship}{note}"


def format_formulas(e: Explanation) -> list[str]:
    """Formats one formula if both axes agree, else one for each axis."""
    rows, columns = map(format_formula, e.layers, e.x.shape)
    if e.one_dimensional:
        return [columns]
    return [rows] if rows == columns else [f"rows: {rows}", f"columns: {columns}"]


def format_sum(e: Explanation, row: int, column: int) -> str:
    """Formats output (row, column), from 0, as the sum of its products.

    Example:
        >>> from cpcnn_jax.explain.explanation import explain
        >>> layer = Layer(k=3, s=2, p=1, transposed=True)
        >>> e = explain(np.ones((3, 3)), np.full((3, 3), 2), (layer, layer))
        >>> format_sum(e, 0, 1)
        'y[0,1] = 1*2 + 1*2 = 4'
    """
    products = [
        f"{format_number(e.x[i])}*{_format_factor(e.kernel[tap])}"
        for tap, i in e.terms(row, column)
    ]
    steps = [" + ".join(products) or "0", format_number(e.output[row, column])]
    place = f"{column}" if e.one_dimensional else f"{row},{column}"
    return f"y[{place}] = {' = '.join(dict.fromkeys(steps))}"


def _format_factor(value: float) -> str:
    return format_number(value) if value >= 0 else f"({format_number(value)})"


def max_difference(e: Explanation) -> float:
    """Computes the largest difference between the three forms of the output."""
    return float(np.abs([e.output - e.scattered, e.output - e.multiplied]).max())


def describe_deconvolution(e: Explanation) -> str:
    """Explains with this layer why "deconvolution" is a wrong name."""
    error = float(np.abs(e.returned - e.original).max())
    many, few = e.original.size, min(e.matrix.shape)
    if error < 1e-6:
        return (
            "Here C^T C is the identity and z is restored. This is an exception. "
            "The transposed convolution is the transpose of C, not its inverse."
        )
    lost = f" C maps {many} numbers to {few}, so no layer can restore all of them."
    return (
        '"Deconvolution" would undo a convolution C. This layer is its transpose C^T. '
        "It restores the shape but not the values: "
        f"C^T (C z) differs from z by up to {format_number(error)}."
        f"{lost if few < many else ''}"
    )
