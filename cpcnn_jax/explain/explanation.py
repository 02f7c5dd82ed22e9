"""What is shown: one layer on one small input, computed once, by the layer itself.

Text, drawings and the page's first state are made from an `Explanation`; they add no
arithmetic of their own. One channel in and one out; rows first, then columns.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from cpcnn_jax.layers import arithmetic
from cpcnn_jax.layers.arithmetic import Layer
from cpcnn_jax.layers.checkerboard import checkerboard, phase_response
from cpcnn_jax.layers.fractionally_strided import (
    fractionally_strided_conv,
    insert_zeros,
)

VALUE, INSERTED, PADDING = 0, 1, 2  # what a cell of the grid is
MAX_CELLS = 4096  # of the output: more can neither be drawn nor read


@dataclass(frozen=True)
class Explanation:
    """A layer at work; H, W are the input's size and h, w the output's.

    Attributes:
        layers: the layer's arithmetic along rows and along columns.
        x: the input `[H, W]`.
        kernel: as it slides over the grid `[k, k]`; flipped if the layer is transposed
            and seen from the direct convolution.
        grid: what the kernel slides over: x, stretched and padded.
        roles: VALUE, INSERTED or PADDING for each cell of the grid.
        output: of the library's layer, the literal form `[h, w]`.
        scattered: the output again, each input unit stamping its copy of the kernel.
        matrix: M with M x = the output, flattened `[h w, H W]`: C^T, or C if direct.
        response: to an input of ones far from the borders, per phase `[s, s]`.
        checkerboard: its largest over its smallest; 1 where there is no pattern.
        original, returned: an input z of the direct convolution C, and C^T (C z).
    """

    layers: tuple[Layer, Layer]
    x: np.ndarray
    kernel: np.ndarray
    grid: np.ndarray
    roles: np.ndarray
    output: np.ndarray
    scattered: np.ndarray
    matrix: np.ndarray
    response: np.ndarray
    checkerboard: float
    original: np.ndarray
    returned: np.ndarray

    @property
    def transposed(self) -> bool:
        """Whether the layer is transposed; its steps over the grid are then 1."""
        return self.layers[0].transposed

    @property
    def multiplied(self) -> np.ndarray:
        """The output a third time: the matrix times the flattened input."""
        return (self.matrix @ self.x.ravel()).reshape(self.output.shape)

    @property
    def cost(self) -> arithmetic.Cost:
        """The multiplications of this layer, one channel to one channel."""
        return arithmetic.cost(self.x.shape, self.layers)

    def window(self, row: int, column: int) -> list[tuple[int, int]]:
        """Return the cells of the grid under the kernel's taps, row by row."""
        lines = [
            [(1 if x.transposed else x.s) * o + x.d * m for m in range(x.k)]
            for o, x in zip((row, column), self.layers, strict=True)
        ]
        return list(itertools.product(*lines))

    def terms(
        self, row: int, column: int
    ) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Return (tap, input) for each product with a true input value."""
        lines = [
            [(m, j) for m, j in arithmetic.taps(o, layer) if 0 <= j < size]
            for o, layer, size in zip(
                (row, column), self.layers, self.x.shape, strict=True
            )
        ]
        return [((r[0], c[0]), (r[1], c[1])) for r, c in itertools.product(*lines)]


def explain(
    x: np.ndarray, kernel: np.ndarray, layers: tuple[Layer, Layer]
) -> Explanation:
    """Compute everything that is shown of a layer.

    Args:
        x: the input `[H, W]`.
        kernel: the kernel as it slides (transpose_kernel=False) `[k_rows, k_columns]`.
        layers: its arithmetic along rows and columns, both direct or both transposed.

    Returns:
        The explanation, whose output is `[output_size(H), output_size(W)]`.

    Raises:
        ValueError: the parameters leave no output, or one too large to be shown.

    Example:
        >>> layer = Layer(k=3, s=2, p=1, transposed=True)
        >>> explain(np.ones((3, 3)), np.ones((3, 3)), (layer, layer)).output.shape
        (5, 5)
    """
    x, kernel = np.asarray(x, float), np.asarray(kernel, float)
    shape = _output_shape(x.shape, layers)
    grid, roles = _grid(x, layers)
    products = list(_products(x.shape, shape, layers))
    response, unevenness = _response(kernel, layers)
    direct_kernel = kernel[::-1, ::-1] if layers[0].transposed else kernel
    matrix = _matrix(x.shape, shape, direct_kernel, products)
    original = _ramp(shape if layers[0].transposed else x.shape)
    c = matrix.T if layers[0].transposed else matrix
    return Explanation(
        layers=layers,
        x=x,
        kernel=kernel,
        grid=grid,
        roles=roles,
        output=_apply(x, kernel, layers),
        scattered=_scatter(x, shape, direct_kernel, products),
        matrix=matrix,
        response=response,
        checkerboard=unevenness,
        original=original,
        returned=(c.T @ (c @ original.ravel())).reshape(original.shape),
    )


def grid_padding(layer: Layer) -> tuple[int, int]:
    """Return the cells of the grid before and after the stretched input."""
    if layer.transposed:
        return arithmetic.effective_padding(layer.k, layer.p, layer.a, layer.d)
    return layer.pads


def _output_shape(sizes, layers) -> tuple[int, int]:
    """The output's size, refused where it cannot be shown."""
    shape = tuple(map(arithmetic.output_size, sizes, layers))
    if shape[0] * shape[1] > MAX_CELLS:
        raise ValueError(
            f"got an output of {shape[0]}x{shape[1]} cells, expected at most "
            f"{MAX_CELLS}; take a smaller input or stride"
        )
    return shape


def _apply(x, kernel, layers) -> np.ndarray:
    """The library's layer; a direct one is every s-th unit of one with s = 1."""
    direct = not layers[0].transposed
    y = fractionally_strided_conv(
        np.asarray(x, np.float32)[None, :, :, None],
        np.asarray(kernel, np.float32)[:, :, None, None],
        strides=[1 if direct else z.s for z in layers],
        padding=[_transposed_padding(z) for z in layers],
        output_padding=[z.a for z in layers],
        kernel_dilation=[z.d for z in layers],
    )
    step = [z.s if direct else 1 for z in layers]
    return np.asarray(y)[0, :: step[0], :: step[1], 0].astype(float)


def _transposed_padding(layer: Layer) -> tuple[int, int]:
    """The p with which a transposed layer pads its grid as this layer does."""
    if layer.transposed:
        return layer.pads
    return arithmetic.effective_padding(layer.k, layer.p, d=layer.d)


def _grid(x, layers) -> tuple[np.ndarray, np.ndarray]:
    """x stretched and padded (or cropped), and the role of every cell."""
    strides = [z.s if z.transposed else 1 for z in layers]
    pads = [grid_padding(z) for z in layers]
    roles = insert_zeros(np.ones((*x.shape, 1), np.float32), strides)[:, :, 0]
    values = insert_zeros(np.asarray(x, np.float32)[:, :, None], strides)[:, :, 0]
    return (
        _pad(np.asarray(values, float), pads, 0.0),
        _pad(np.where(np.asarray(roles) == 1, VALUE, INSERTED), pads, PADDING),
    )


def _pad(values, pads, fill) -> np.ndarray:
    """np.pad that crops where a padding is negative."""
    padded = np.pad(
        values, [(max(a, 0), max(b, 0)) for a, b in pads], constant_values=fill
    )
    rows, columns = (
        slice(max(-low, 0), size - max(-high, 0))
        for (low, high), size in zip(pads, padded.shape, strict=True)
    )
    return padded[rows, columns]


def _products(sizes, shape, layers):
    """Yield (input, output, tap) of every product, by the definition of C.

    The direct convolution makes unit j from its input's unit s j - p + d m and tap m.
    """
    axes = []
    for size, out, z in zip(sizes, shape, layers, strict=True):
        near, far = (size, out) if z.transposed else (out, size)
        made = itertools.product(range(near), range(z.k))
        axis = [(j, z.s * j - z.pads[0] + z.d * m, m) for j, m in made]
        axis = [(j, f, m) for j, f, m in axis if 0 <= f < far]
        axes.append(axis if z.transposed else [(f, j, m) for j, f, m in axis])
    for row, column in itertools.product(*axes):
        yield tuple(zip(row, column, strict=True))


def _scatter(x, shape, direct_kernel, products) -> np.ndarray:
    """Every product added to the output that it belongs to."""
    y = np.zeros(shape)
    for i, o, tap in products:
        y[o] += x[i] * direct_kernel[tap]
    return y


def _matrix(sizes, shape, direct_kernel, products) -> np.ndarray:
    """The layer as a matrix `[outputs, inputs]`."""
    matrix = np.zeros((*shape, *sizes))
    for i, o, tap in products:
        matrix[o + i] = direct_kernel[tap]
    return matrix.reshape(shape[0] * shape[1], sizes[0] * sizes[1])


def _ramp(shape) -> np.ndarray:
    """1, 2, 3, ... in reading order."""
    return np.arange(1.0, 1 + shape[0] * shape[1]).reshape(shape)


def _response(kernel, layers) -> tuple[np.ndarray, float]:
    """The responses in the order of the output's phases, and the checkerboard."""
    if not layers[0].transposed:
        return np.full((1, 1), kernel.sum()), 1.0
    weights = np.asarray(kernel, np.float32)[:, :, None, None]
    shape = {
        "strides": [z.s for z in layers],
        "kernel_dilation": [z.d for z in layers],
    }
    response = np.asarray(phase_response(weights, **shape), float)[:, :, 0]
    # It starts at unit k' - 1 of an output without padding; ours starts at unit p.
    shifts = [arithmetic.effective_padding(z.k, z.p, d=z.d)[0] for z in layers]
    return np.roll(response, shifts, (0, 1)), float(checkerboard(weights, **shape))
