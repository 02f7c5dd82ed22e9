"""An explanation in words and formulas, shared by every format."""

import re

import numpy as np

from cpcnn_jax.explain.explanation import Explanation, grid_padding
from cpcnn_jax.layers import arithmetic
from cpcnn_jax.layers.arithmetic import Layer

CREDIT = (
    "After V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep "
    "learning, arXiv:1603.07285 (github.com/vdumoulin/conv_arithmetic, MIT)."
)

# The output size by the guide's numbered relationships, in the guide's letters.
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


def number(value: float) -> str:
    """Write a value as short as it can be read: 5, 0.25, -1.33.

    Example:
        >>> number(5.0), number(1 / 3)
        ('5', '0.333')
    """
    value = value + 0.0  # no -0
    size = abs(value)
    if float(value).is_integer() or size >= 999.5:
        return f"{value:.0f}"
    return f"{value:.3g}" if size >= 1e-4 else f"{value:.0e}"


def short(value: float) -> str:
    """Write a value so that it fits into a cell: two decimals below 1.

    Example:
        >>> short(80.0), short(-0.0612), short(12.345)
        ('80', '-0.06', '12.3')
    """
    if value.is_integer() or abs(value) >= 1:
        return number(value)
    return f"{round(value, 2) + 0.0:.2f}"


def tints(values: np.ndarray) -> np.ndarray:
    """How strongly to colour each value, 0 to 1: all alike if they are whole numbers.

    Measured values, such as grey levels, are seen as a picture.
    """
    span = np.ptp(values)
    if span == 0 or np.all(values == np.round(values)):
        return np.ones_like(values)
    return (values - values.min()) / span


def by(rows: int, columns: int) -> str:
    """Write a size per axis, as 3x5."""
    return f"{rows}x{columns}"


def sentence(e: Explanation) -> str:
    """Say in one sentence what the layer does."""
    rows, columns = e.layers
    size_in, size_out = by(*e.x.shape), by(*e.output.shape)
    kernel = f"slides a {by(*e.kernel.shape)} kernel"
    if rows.d > 1 or columns.d > 1:
        kernel += f" dilated by {_each(rows.d, columns.d)}"
    if not e.transposed:
        return (
            f"A convolution: it {_pads(e)} and {kernel} over the result with stride "
            f"{_each(rows.s, columns.s)}: {size_in} in, {size_out} out."
        )
    stretched = by(*(arithmetic.stretched_size(*z) for z in _sizes_and_strides(e)))
    zeros = _each(rows.s - 1, columns.s - 1)
    return (
        f"A fractionally-strided (transposed) convolution: it puts {zeros} "
        f"{'zero' if zeros == '1' else 'zeros'} between neighbouring rows and columns "
        f"({size_in} becomes {stretched}), "
        f"{_pads(e)}, and {kernel} over the result with stride 1: "
        f"{size_in} in, {size_out} out."
    )


def _each(rows: int, columns: int) -> str:
    """One number if both axes agree."""
    return str(rows) if rows == columns else by(rows, columns)


def _sizes_and_strides(e: Explanation) -> list[tuple[int, int]]:
    return [(n, z.s) for n, z in zip(e.x.shape, e.layers, strict=True)]


def _pads(e: Explanation) -> str:
    """What is added around the stretched input."""
    (top, bottom), (left, right) = map(grid_padding, e.layers)
    if top == bottom == left == right:
        return f"pads it with {top} on every side"
    cropped = " (negative: cropped)" if min(top, bottom, left, right) < 0 else ""
    return f"pads it with {top} above, {bottom} below, {left} left, {right} right" + (
        cropped
    )


def formula(layer: Layer, i: int) -> str:
    """Write the output size along one axis, in letters and in numbers.

    Example:
        >>> formula(Layer(k=3, s=2, p=1, transposed=True), i=3)
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
    double = f"2*{layer.p}"
    if isinstance(layer.p, tuple):
        letters = letters.replace("2p", "(p + p')")
        double = "({} + {})".format(*layer.p)
    values = {"i": i, "k": k, "s": layer.s, "a": layer.a, "d": layer.d}
    values |= {"k'": k, "2p": double, "(p + p')": double, "floor": "floor"}
    filled = re.sub(
        r"floor|\(p \+ p'\)|2p|k'|[iksad]", lambda m: str(values[m[0]]), letters
    )
    o = arithmetic.output_size(i, layer)
    steps = dict.fromkeys([letters, filled, str(o)])  # in order, each once
    return f"o = {' = '.join(steps)}, relationship {relationship}{note}"


def formulas(e: Explanation) -> list[str]:
    """The formula, once if both axes agree, else one for each."""
    rows, columns = (
        formula(layer, i) for layer, i in zip(e.layers, e.x.shape, strict=True)
    )
    return [rows] if rows == columns else [f"rows: {rows}", f"columns: {columns}"]


def output_sum(e: Explanation, row: int, column: int) -> str:
    """Write one output as the sum of its products with true input values.

    Example:
        >>> from cpcnn_jax.explain.explanation import explain
        >>> layer = Layer(k=3, s=2, p=1, transposed=True)
        >>> e = explain(np.ones((3, 3)), np.full((3, 3), 2), (layer, layer))
        >>> output_sum(e, 0, 1)
        'y[0,1] = 1*2 + 1*2 = 4'
    """
    products = [
        f"{number(e.x[i])}*{_factor(e.kernel[t])}" for t, i in e.terms(row, column)
    ]
    steps = [" + ".join(products) or "0", number(e.output[row, column])]
    return f"y[{row},{column}] = {' = '.join(dict.fromkeys(steps))}"


def _factor(value: float) -> str:
    return number(value) if value >= 0 else f"({number(value)})"


def difference(e: Explanation) -> float:
    """The largest difference among the three ways to compute the output."""
    ways = (e.scattered, e.multiplied)
    return max(float(np.abs(e.output - way).max()) for way in ways)


def name(e: Explanation) -> str:
    """Say why "deconvolution" is the wrong word, with this layer as the witness."""
    error = float(np.abs(e.returned - e.original).max())
    many, few = e.original.size, min(e.matrix.shape)
    if error < 1e-6:
        return (
            "Here C^T C is the identity and z comes back; that is the exception. "
            "The transposed convolution is the transpose of C, not its inverse."
        )
    lost = (
        f" C turns {many} numbers into {few}: no layer whatever could give all back."
        if few < many
        else ""
    )
    return (
        '"Deconvolution" would undo a convolution C. This layer is its transpose C^T, '
        "which restores the shape and not the values: "
        f"C^T (C z) differs from z by up to {number(error)}.{lost}"
    )
