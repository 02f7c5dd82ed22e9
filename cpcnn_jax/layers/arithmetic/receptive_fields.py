"""Receptive fields, strides and multiplications of convolution layers.

A chain is a sequence of layers along one axis, from the input to the output.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from cpcnn_jax.layers.arithmetic.sizes import Layer, effective_padding, output_size


def taps(o: int, layer: Layer) -> list[tuple[int, int]]:
    """Returns the (tap, input) pairs of output o, on an input without borders.

    Taps are counted along the kernel as it slides. In a transposed layer it slides
    over the stretched input, where one tap in s meets a true value.

    Example:
        >>> taps(1, Layer(k=3, s=2, p=1, transposed=True))
        [(0, 0), (2, 1)]
    """
    k, s, p, _, d, transposed = layer
    if not transposed:
        start = s * o - layer.pads[0]
        return [(m, start + d * m) for m in range(k)]
    start = o - effective_padding(k, p, d=d)[0]
    return [(m, (start + d * m) // s) for m in range(k) if (start + d * m) % s == 0]


def effective_stride(layers: Sequence[Layer]) -> Fraction:
    """Returns the input units per output unit of a chain of layers.

    Example:
        >>> effective_stride([Layer(3, s=2), Layer(3, s=2), Layer(4, s=2)])
        Fraction(8, 1)
    """
    steps = (Fraction(1, x.s) if x.transposed else Fraction(x.s) for x in layers)
    return math.prod(steps, start=Fraction(1))


def receptive_field(layers: Sequence[Layer]) -> int:
    """Returns the receptive field of a chain of layers, in input units.

    Outputs of a transposed layer differ by phase; the result is the largest field.

    Example:
        >>> receptive_field([Layer(3), Layer(2, s=2), Layer(3)])
        8
    """
    phases = math.prod(x.s for x in layers if x.transposed)
    return max(stop - start for start, stop in (span(o, layers) for o in range(phases)))


def span(o: int | range, layers: Sequence[Layer]) -> tuple[int, int]:
    """Returns the receptive field (start, stop) of outputs o, without borders.

    stop is exclusive. The result is (0, 0) for an output without any input, which a
    kernel shorter than its stride may leave.

    Example:
        >>> span(5, [Layer(3, p=1), Layer(2, s=2), Layer(4, s=2, p=1, transposed=True)])
        (3, 9)
        >>> span(range(4), [Layer(3, p=1)])
        (-1, 5)
    """
    units = {*o} if isinstance(o, range) else {o}
    for layer in reversed(layers):
        units = {j for unit in units for _, j in taps(unit, layer)}
    return (min(units), max(units) + 1) if units else (0, 0)


class Cost(NamedTuple):
    """Multiplications: `literal` of all, `useful` of those by a true input value."""

    literal: int
    useful: int


def cost(
    sizes: Sequence[int],
    layers: Sequence[Layer],
    features: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Cost:
    """Counts the multiplications of a layer.

    Args:
        sizes: input size of each axis.
        layers: the layer along each axis.
        features: C_in, C_out.
        groups: feature groups; each output takes C_in / groups inputs.

    Example:
        >>> cost([3, 3], [Layer(3, s=2, p=1, a=1, transposed=True)] * 2)
        Cost(literal=324, useful=64)
    """
    channels = features[0] // groups * features[1]
    pairs = list(zip(sizes, layers, strict=True))
    literal = math.prod(output_size(i, layer) * layer.k for i, layer in pairs)
    useful = math.prod(_count_useful(i, layer) for i, layer in pairs)
    return Cost(channels * literal, channels * useful)


def _count_useful(i: int, layer: Layer) -> int:
    """Counts the products with a true input value along one axis."""
    outputs = range(output_size(i, layer))
    return sum(0 <= j < i for o in outputs for _, j in taps(o, layer))
