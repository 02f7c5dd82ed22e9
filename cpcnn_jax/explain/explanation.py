"""Explanation of one layer on a small input, computed once by the layer itself.

There is one channel in and one channel out. Rows come before columns.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from cpcnn_jax.layers import arithmetic
from cpcnn_jax.layers.arithmetic import Layer
from cpcnn_jax.layers.checkerboard import checkerboard, phase_response
from cpcnn_jax.layers.fractionally_strided import (
    fractionally_strided_conv,
    insert_zeros,
)

VALUE, INSERTED, PADDING = 0, 1, 2  # roles of the grid's cells
MAX_CELLS = 4096  # of the output
Cell = tuple[int, int]  # (row, column)


@dataclass(frozen=True)
class Explanation:
    """One layer applied to an input `[H, W]` with an output `[h, w]`.

    The kernel of a transposed layer is the flipped kernel of its direct convolution C.
    """

    layers: tuple[Layer, Layer]  # arithmetic along rows and along columns
    x: np.ndarray  # input `[H, W]`
    kernel: np.ndarray  # `[k_rows, k_columns]` as it slides over the grid
    grid: np.ndarray  # x, stretched and padded
    roles: np.ndarray  # VALUE, INSERTED or PADDING for each cell of the grid
    output: np.ndarray  # `[h, w]` of the library's layer
    scattered: np.ndarray  # `[h, w]`, the output as a sum of the input's products
    matrix: np.ndarray  # `[h w, H W]`, C^T, or C for a direct layer
    response: np.ndarray  # `[s_rows, s_columns]`, output of each phase for ones
    checkerboard: float  # largest over smallest response; 1 has no checkerboard
    original: np.ndarray  # an input z of C
    returned: np.ndarray  # C^T (C z), of the shape of z

    @property
    def transposed(self) -> bool:
        """Whether the layer is transposed; the kernel then slides with stride 1."""
        return self.layers[0].transposed

    @property
    def one_dimensional(self) -> bool:
        """Whether the rows are one unit that the layer leaves as it is."""
        rows = self.layers[0]
        return self.x.shape[0] == 1 and rows._replace(transposed=False) == Layer(k=1)

    @property
    def multiplied(self) -> np.ndarray:
        """Output `[h, w]` computed as the matrix times the flattened input."""
        return (self.matrix @ self.x.ravel()).reshape(self.output.shape)

    @property
    def cost(self) -> arithmetic.Cost:
        """Multiplications of the layer for one pair of channels."""
        return arithmetic.cost(self.x.shape, self.layers)

    def window(self, row: int, column: int) -> list[Cell]:
        """Lists the grid cells under the kernel at output (row, column)."""
        rows, columns = (
            [(1 if z.transposed else z.s) * o + z.d * m for m in range(z.k)]
            for o, z in zip((row, column), self.layers, strict=True)
        )
        return list(itertools.product(rows, columns))

    def terms(self, row: int, column: int) -> list[tuple[Cell, Cell]]:
        """Lists (tap, input) of the products with input values at one output."""
        axes = zip((row, column), self.layers, self.x.shape, strict=True)
        lines = [
            [(m, j) for m, j in arithmetic.taps(o, layer) if 0 <= j < size]
            for o, layer, size in axes
        ]
        return [((r[0], c[0]), (r[1], c[1])) for r, c in itertools.product(*lines)]


def explain(
    x: np.ndarray, kernel: np.ndarray, layers: tuple[Layer, Layer]
) -> Explanation:
    """Computes the explanation of a layer.

    Args:
        x: input `[H, W]`.
        kernel: `[k_rows, k_columns]` as it slides (transpose_kernel=False).
        layers: the arithmetic along rows and columns, both direct or both transposed.

    Returns:
        The explanation; its output has the shape `[output_size(H), output_size(W)]`.

    Raises:
        ValueError: the output is empty or has more than 4096 cells.

    Example:
        >>> layer = Layer(k=3, s=2, p=1, transposed=True)
        >>> explain(np.ones((3, 3)), np.ones((3, 3)), (layer, layer)).output.shape
        (5, 5)
    """
    x, kernel = np.asarray(x, float), np.asarray(kernel, float)
    transposed = layers[0].transposed
    shape = _check_output_shape(x.shape, layers)
    grid, roles = _make_grid(x, layers)
    response, ratio = _compute_response(kernel, layers)
    direct_kernel = kernel[::-1, ::-1] if transposed else kernel
    scattered, matrix = _add_products(x, shape, direct_kernel, layers)
    original = make_ramp(shape if transposed else x.shape)
    c = matrix.T if transposed else matrix
    return Explanation(
        layers=layers,
        x=x,
        kernel=kernel,
        grid=grid,
        roles=roles,
        output=_apply_layer(x, kernel, layers),
        scattered=scattered,
        matrix=matrix,
        response=response,
        checkerboard=ratio,
        original=original,
        returned=(c.T @ (c @ original.ravel())).reshape(original.shape),
    )


def make_ramp(shape: Sequence[int]) -> np.ndarray:
    """Returns 1, 2, 3, ... in row-major order, `[rows, columns]` float64.

    Raises:
        ValueError: the shape has an empty axis.
    """
    rows, columns = shape
    if min(rows, columns) < 1:
        raise ValueError(f"got the size {rows}x{columns}, expected at least 1x1")
    return np.arange(1.0, 1 + rows * columns).reshape(rows, columns)


def grid_padding(layer: Layer) -> tuple[int, int]:
    """Returns the padding before and after the stretched input; negative crops."""
    if layer.transposed:
        return arithmetic.effective_padding(layer.k, layer.p, layer.a, layer.d)
    return layer.pads


def _check_output_shape(sizes: Sequence[int], layers) -> tuple[int, int]:
    height, width = map(arithmetic.output_size, sizes, layers)
    if height * width > MAX_CELLS:
        raise ValueError(
            f"got an output of {height}x{width} cells, expected at most {MAX_CELLS}; "
            "take a smaller input or stride"
        )
    return height, width


def _apply_layer(x, kernel, layers) -> np.ndarray:
    """Applies the library's layer; a direct one is subsampled from one with s = 1."""
    direct = not layers[0].transposed
    y = fractionally_strided_conv(
        jnp.asarray(x, jnp.float32)[None, :, :, None],
        jnp.asarray(kernel, jnp.float32)[:, :, None, None],
        strides=[1 if direct else z.s for z in layers],
        padding=[_transposed_padding(z) for z in layers],
        output_padding=[z.a for z in layers],
        kernel_dilation=[z.d for z in layers],
    )
    step = [z.s if direct else 1 for z in layers]
    return np.asarray(y)[0, :: step[0], :: step[1], 0].astype(float)


def _transposed_padding(layer: Layer) -> tuple[int, int]:
    """Returns the p of a transposed layer that pads its grid as this layer does."""
    if layer.transposed:
        return layer.pads
    return arithmetic.effective_padding(layer.k, layer.p, d=layer.d)


def _make_grid(x, layers) -> tuple[np.ndarray, np.ndarray]:
    """Returns x stretched and padded or cropped, and the roles of the cells."""
    strides = [z.s if z.transposed else 1 for z in layers]
    pads = [grid_padding(z) for z in layers]
    roles = insert_zeros(jnp.ones((*x.shape, 1)), strides)[:, :, 0]
    values = insert_zeros(jnp.asarray(x, jnp.float32)[:, :, None], strides)[:, :, 0]
    return (
        _pad_or_crop(np.asarray(values, float), pads, 0.0),
        _pad_or_crop(np.where(np.asarray(roles) == 1, VALUE, INSERTED), pads, PADDING),
    )


def _pad_or_crop(values: np.ndarray, pads, fill) -> np.ndarray:
    padded = np.pad(
        values, [(max(a, 0), max(b, 0)) for a, b in pads], constant_values=fill
    )
    rows, columns = (
        slice(max(-low, 0), size - max(-high, 0))
        for (low, high), size in zip(pads, padded.shape, strict=True)
    )
    return padded[rows, columns]


def _list_products(sizes, shape, layers) -> Iterator[tuple[Cell, ...]]:
    """Yields (input, output, tap) of all products, by the definition of C.

    Unit j of the direct convolution uses tap m at unit s j - p + d m of its input.
    """
    axes = []
    for size, out, z in zip(sizes, shape, layers, strict=True):
        near, far = (size, out) if z.transposed else (out, size)
        units = itertools.product(range(near), range(z.k))
        axis = [(j, z.s * j - z.pads[0] + z.d * m, m) for j, m in units]
        axis = [(j, f, m) for j, f, m in axis if 0 <= f < far]
        axes.append(axis if z.transposed else [(f, j, m) for j, f, m in axis])
    for row, column in itertools.product(*axes):
        yield tuple(zip(row, column, strict=True))


def _add_products(x, shape, direct_kernel, layers) -> tuple[np.ndarray, np.ndarray]:
    """Returns the output as a sum of products, and the matrix of all factors."""
    y, matrix = np.zeros(shape), np.zeros((*shape, *x.shape))
    for i, o, tap in _list_products(x.shape, shape, layers):
        y[o] += x[i] * direct_kernel[tap]
        matrix[o + i] = direct_kernel[tap]
    return y, matrix.reshape(y.size, x.size)


def _compute_response(kernel, layers) -> tuple[np.ndarray, float]:
    """Returns the responses in the order of the output's phases, and their ratio."""
    if not layers[0].transposed:
        return np.full((1, 1), kernel.sum()), 1.0
    weights = jnp.asarray(kernel, jnp.float32)[:, :, None, None]
    strides, dilation = [z.s for z in layers], [z.d for z in layers]
    response = phase_response(weights, strides=strides, kernel_dilation=dilation)
    # phase_response starts at unit k' - 1 of the unpadded output; here unit p is first.
    shifts = [arithmetic.effective_padding(z.k, z.p, d=z.d)[0] for z in layers]
    ratio = checkerboard(weights, strides=strides, kernel_dilation=dilation)
    return np.roll(np.asarray(response, float)[:, :, 0], shifts, (0, 1)), float(ratio)
