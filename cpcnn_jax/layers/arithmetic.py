"""Convolution arithmetic: the sizes, paddings, reach and cost of a layer, as integers.

One axis at a time, since axes do not interact. The letters are the guide's: input i,
kernel k, stride s, padding p (an integer, or a pair low, high), output padding a,
dilation d, output o. A transposed convolution is described by the k, s, p, d of the
direct convolution that it transposes, and its i is that convolution's output.

Reference: Dumoulin & Visin, A guide to convolution arithmetic for deep learning,
arXiv:1603.07285; `relationship_1` to `relationship_15` are its numbered formulas.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

Padding = int | tuple[int, int]


class Layer(NamedTuple):
    """One axis of a convolution layer, direct or transposed."""

    k: int
    s: int = 1
    p: Padding = 0
    a: int = 0
    d: int = 1
    transposed: bool = False

    @property
    def pads(self) -> tuple[int, int]:
        """The padding before and after, also where p is one integer."""
        return _pair(self.p)


class Cost(NamedTuple):
    """Multiplications: all of them, and those by a true input value."""

    literal: int
    useful: int


# --- The layer in general ---


def effective_kernel(k: int, d: int = 1) -> int:
    """Return the extent of a dilated kernel, k' = k + (k - 1)(d - 1).

    Example:
        >>> effective_kernel(3, d=2)
        5
    """
    _at_least(1, k=k, d=d)
    return k + (k - 1) * (d - 1)


def stretched_size(i: int, s: int) -> int:
    """Return the size of an input with s - 1 zeros between its units, s(i - 1) + 1.

    Example:
        >>> stretched_size(3, s=2)
        5
    """
    _at_least(1, i=i, s=s)
    return s * (i - 1) + 1


def effective_padding(
    k: int, p: Padding = 0, a: int = 0, d: int = 1
) -> tuple[int, int]:
    """Return the zeros around the stretched input, (k' - 1 - p, k' - 1 - p + a).

    A negative number crops the stretched input instead.

    Example:
        >>> effective_padding(3, p=1, a=1)
        (1, 2)
    """
    low, high = _pair(p)
    reach = effective_kernel(k, d) - 1
    return reach - low, reach - high + a


def direct_size(i: int, k: int, s: int = 1, p: Padding = 0, d: int = 1) -> int:
    """Return the output size of a convolution, floor((i + 2p - k') / s) + 1.

    Raises:
        ValueError: the kernel does not fit into the padded input.

    Example:
        >>> direct_size(6, k=3, s=2, p=1)
        3

    Reference: relationship 15, of which 1 to 7 are cases.
    """
    _at_least(1, i=i, s=s)
    padded = i + sum(_pair(p))
    extent = effective_kernel(k, d)
    if padded < extent:
        raise ValueError(
            f"got a kernel that spans {extent} on an input padded to {padded}: "
            f"expected at most {padded}; take a smaller k or d, or a larger p"
        )
    return (padded - extent) // s + 1


def transposed_size(
    i: int, k: int, s: int = 1, p: Padding = 0, a: int = 0, d: int = 1
) -> int:
    """Return the output size of a transposed convolution, s(i - 1) + a + k' - 2p.

    Raises:
        ValueError: a is not in 0 ... max(s, d) - 1, or no output is left.

    Example:
        >>> transposed_size(3, k=3, s=2, p=1, a=1)
        6

    Reference: relationship 14, of which 8 to 13 are cases; k' from relationship 15.
    """
    extent = effective_kernel(k, d)
    stretched = stretched_size(i, s)
    if not 0 <= a < max(s, d):
        raise ValueError(
            f"got output padding a = {a}, expected 0 <= a < max(s, d) = {max(s, d)}"
        )
    size = stretched - 1 + a + extent - sum(_pair(p))
    if size < 1:
        raise ValueError(
            f"got padding p = {p} that leaves an output of size {size}, expected at "
            "least 1; take a smaller p"
        )
    return size


def output_size(i: int, layer: Layer) -> int:
    """Return the output size of a layer on an input of size i, whichever its kind."""
    k, s, p, a, d, transposed = layer
    if transposed:
        return transposed_size(i, k, s, p, a, d)
    return direct_size(i, k, s, p, d)


def output_padding(i: int, k: int, s: int, p: Padding = 0, d: int = 1) -> int:
    """Return the a with which the transposed layer gives size i back: (i+2p-k') mod s.

    s different sizes i have the same output under the floor of relationship 6; a says
    which of them was meant.

    Example:
        >>> output_padding(6, k=3, s=2, p=1), output_padding(5, k=3, s=2, p=1)
        (1, 0)
    """
    direct_size(i, k, s, p, d)  # checks
    return (i + sum(_pair(p)) - effective_kernel(k, d)) % s


def output_padding_for(
    o: int, i: int, k: int, s: int = 1, p: Padding = 0, d: int = 1
) -> int:
    """Return the a with which a transposed convolution turns size i into size o.

    Raises:
        ValueError: there is none; the message says which sizes are possible.

    Example:
        >>> output_padding_for(6, i=3, k=3, s=2, p=1)
        1
    """
    smallest = s * (i - 1) + effective_kernel(k, d) - sum(_pair(p))
    a = o - smallest
    if o < 1 or not 0 <= a < max(s, d):
        raise ValueError(
            f"got output size {o} for input size {i} with k={k}, s={s}, p={p}, d={d}: "
            f"expected {max(smallest, 1)} to {smallest + max(s, d) - 1}"
        )
    return a


def solve(factor: int, max_kernel: int = 9) -> list[tuple[int, int, int]]:
    """Return every (k, p, a) with which stride `factor` multiplies every size by it.

    That is k - 2p + a = s with 0 <= a < s. Kernels smaller than the stride are left
    out: outputs between two inputs would see neither.

    Example:
        >>> solve(2, max_kernel=5)
        [(2, 0, 0), (3, 1, 1), (4, 1, 0), (5, 2, 1)]
    """
    _at_least(1, factor=factor)
    return [
        (k, (k + a - factor) // 2, a)
        for k in range(factor, max_kernel + 1)
        for a in range(factor)
        if (k + a - factor) % 2 == 0 and (k + a - factor) // 2 < k
    ]


# --- Which input is seen by which output ---


def taps(o: int, layer: Layer) -> list[tuple[int, int]]:
    """Return the (tap, input) pairs that make output o, on an input without end.

    Taps are counted on the kernel as it slides: for a transposed layer over the
    stretched input, where only one tap in s meets a true value.

    Example:
        >>> taps(1, Layer(k=3, s=2, p=1, transposed=True))
        [(0, 0), (2, 1)]
    """
    k, s, p, _, d, transposed = layer
    if not transposed:
        return [(m, s * o - layer.pads[0] + d * m) for m in range(k)]
    start = o - effective_padding(k, p, d=d)[0]
    return [(m, (start + d * m) // s) for m in range(k) if (start + d * m) % s == 0]


def effective_stride(layers: Sequence[Layer]) -> Fraction:
    """Return how many input units one step in a chain's output is.

    Example:
        >>> effective_stride([Layer(3, s=2), Layer(3, s=2), Layer(4, s=2)])
        Fraction(8, 1)
    """
    steps = (Fraction(1, x.s) if x.transposed else Fraction(x.s) for x in layers)
    return math.prod(steps, start=Fraction(1))


def receptive_field(layers: Sequence[Layer]) -> int:
    """Return how many input units in a row one output unit of a chain can see.

    After a transposed layer the outputs differ in phase; the largest reach is given.

    Example:
        >>> receptive_field([Layer(3), Layer(2, s=2), Layer(3)])
        8
    """
    phases = math.prod(x.s for x in layers if x.transposed)
    return max(stop - start for start, stop in (span(o, layers) for o in range(phases)))


def span(o: int, layers: Sequence[Layer]) -> tuple[int, int]:
    """Return where what output o of a chain sees starts and stops, on an endless input.

    The stop is the first input after it; (0, 0) where a kernel shorter than its stride
    leaves an output that sees nothing.

    Example:
        >>> span(5, [Layer(3, p=1), Layer(2, s=2), Layer(4, s=2, p=1, transposed=True)])
        (3, 9)
    """
    seen = {o}
    for layer in reversed(layers):
        seen = {j for position in seen for _, j in taps(position, layer)}
    return (min(seen), max(seen) + 1) if seen else (0, 0)


def cost(
    sizes: Sequence[int],
    layers: Sequence[Layer],
    features: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Cost:
    """Count the multiplications of a layer, one input size and one `Layer` per axis.

    Args:
        sizes: the input's size along each axis.
        layers: the layer along each axis.
        features: C_in, C_out.
        groups: feature groups; each output sees C_in / groups inputs.

    Returns:
        literal: each output times each tap of the kernel, zeros included;
        useful: only the products with a true input value.

    Example:
        >>> cost([3, 3], [Layer(3, s=2, p=1, a=1, transposed=True)] * 2)
        Cost(literal=324, useful=64)
    """
    channels = features[0] // groups * features[1]
    pairs = list(zip(sizes, layers, strict=True))
    literal = math.prod(output_size(i, layer) * layer.k for i, layer in pairs)
    useful = math.prod(_useful(i, layer) for i, layer in pairs)
    return Cost(channels * literal, channels * useful)


def _useful(i: int, layer: Layer) -> int:
    """The products with a true value along one axis."""
    outputs = range(output_size(i, layer))
    return sum(0 <= j < i for o in outputs for _, j in taps(o, layer))


# --- The guide's numbered relationships ---


def relationship(layer: Layer) -> int:
    """Return the number of the relationship that describes a layer most closely.

    With a dilated transposed layer, read k as the k' of relationship 15.

    Example:
        >>> relationship(Layer(3, s=2, p=1, a=1, transposed=True))
        14
    """
    low, high = layer.pads
    k = effective_kernel(layer.k, layer.d)
    half, full = low == high == (k - 1) / 2, low == high == k - 1
    if layer.transposed:
        if layer.a:
            return 14
        if layer.s > 1:
            return 13 if low or high else 12
        return 8 if low == high == 0 else 10 if half else 11 if full else 9
    if layer.d > 1:
        return 15
    if layer.s > 1:
        return 6 if low or high else 5
    return 1 if low == high == 0 else 3 if half else 4 if full else 2


def relationship_1(i: int, k: int) -> int:
    """Direct, no padding, unit strides: o = (i - k) + 1."""
    return i - k + 1


def relationship_2(i: int, k: int, p: int) -> int:
    """Direct, any padding, unit strides: o = (i - k) + 2p + 1."""
    return i - k + 2 * p + 1


def relationship_3(i: int, k: int) -> int:
    """Direct, half padding p = (k - 1) / 2 of an odd k, unit strides: o = i."""
    if k % 2 == 0:
        raise ValueError(f"got k = {k}, expected an odd kernel: half padding needs one")
    return i


def relationship_4(i: int, k: int) -> int:
    """Direct, full padding p = k - 1, unit strides: o = i + (k - 1)."""
    return i + k - 1


def relationship_5(i: int, k: int, s: int) -> int:
    """Direct, no padding, any stride: o = floor((i - k) / s) + 1."""
    return (i - k) // s + 1


def relationship_6(i: int, k: int, s: int, p: int) -> int:
    """Direct, any padding, any stride: o = floor((i + 2p - k) / s) + 1."""
    return (i + 2 * p - k) // s + 1


def relationship_7(i: int, k: int, s: int) -> int:
    """Pooling: o = floor((i - k) / s) + 1."""
    return (i - k) // s + 1


def relationship_8(i: int, k: int) -> int:
    """The transpose of 1, a direct one with p' = k - 1: o = i + (k - 1)."""
    return i + k - 1


def relationship_9(i: int, k: int, p: int) -> int:
    """The transpose of 2, a direct one with p' = k - p - 1: o = i + (k - 1) - 2p."""
    return i + k - 1 - 2 * p


def relationship_10(i: int, k: int) -> int:
    """The transpose of 3, a direct one with p' = p = (k - 1) / 2: o = i."""
    return relationship_3(i, k)


def relationship_11(i: int, k: int) -> int:
    """The transpose of 4, a direct one with p' = 0: o = i - (k - 1)."""
    return i - k + 1


def relationship_12(i: int, k: int, s: int) -> int:
    """The transpose of 5 when i - k divides by s: o = s(i - 1) + k.

    A direct one, p' = k - 1, on the stretched input.
    """
    return s * (i - 1) + k


def relationship_13(i: int, k: int, s: int, p: int) -> int:
    """The transpose of 6 when i + 2p - k divides by s: o = s(i - 1) + k - 2p.

    A direct one, p' = k - p - 1, on the stretched input.
    """
    return s * (i - 1) + k - 2 * p


def relationship_14(i: int, k: int, s: int, p: int, a: int) -> int:
    """The transpose of 6 in general: o = s(i - 1) + a + k - 2p.

    As 13, with a more rows of zeros at the bottom and columns at the right;
    a = (o + 2p - k) mod s, so 0 <= a < s.
    """
    if not 0 <= a < s:
        raise ValueError(f"got a = {a}, expected 0 <= a < s = {s}")
    return s * (i - 1) + a + k - 2 * p


def relationship_15(i: int, k: int, s: int, p: int, d: int) -> int:
    """Direct, dilated: o = floor((i + 2p - k - (k - 1)(d - 1)) / s) + 1."""
    return (i + 2 * p - k - (k - 1) * (d - 1)) // s + 1


def _pair(p: Padding) -> tuple[int, int]:
    """Padding before and after."""
    return (p, p) if isinstance(p, int) else (p[0], p[1])


def _at_least(bound: int, **values: int) -> None:
    """Raise ValueError for the first value under the bound."""
    for name, value in values.items():
        if value < bound:
            raise ValueError(f"got {name} = {value}, expected at least {bound}")
