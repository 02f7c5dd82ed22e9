"""Sizes and padding along one axis of a direct or transposed convolution.

Letters: input size i, kernel size k, stride s, padding p (one integer or a pair low,
high), output padding a, dilation d, output size o. NumPy's integers become int.
"""

from collections.abc import Iterator
from typing import NamedTuple

from cpcnn_jax.layers.integers import as_integer, is_sequence

Padding = int | tuple[int, int]


class Layer(NamedTuple):
    """One axis of a convolution layer, or of its transpose."""

    k: int  # kernel size, at least 1
    s: int = 1  # stride, at least 1
    p: Padding = 0  # on both sides, or (low, high)
    a: int = 0  # output padding of a transposed layer, 0 <= a < max(s, d)
    d: int = 1  # dilation, at least 1
    transposed: bool = False

    @property
    def pads(self) -> tuple[int, int]:
        """Padding (low, high)."""
        return _pad_pair(self.p)


def effective_kernel(k: int, d: int = 1) -> int:
    """Returns the extent of a dilated kernel, k' = k + (k - 1)(d - 1).

    Example:
        >>> effective_kernel(3, d=2)
        5
    """
    k, d = _integers(1, k=k, d=d)
    return k + (k - 1) * (d - 1)


def stretched_size(i: int, s: int) -> int:
    """Returns the size of an input with s - 1 zeros between its units, s(i - 1) + 1.

    Example:
        >>> stretched_size(3, s=2)
        5
    """
    i, s = _integers(1, i=i, s=s)
    return s * (i - 1) + 1


def effective_padding(
    k: int, p: Padding = 0, a: int = 0, d: int = 1
) -> tuple[int, int]:
    """Returns the zeros around the stretched input, (k' - 1 - p, k' - 1 - p + a).

    A negative number crops the stretched input instead.

    Example:
        >>> effective_padding(3, p=1, a=1)
        (1, 2)
    """
    low, high = _pad_pair(p)
    reach = effective_kernel(k, d) - 1
    return reach - low, reach - high + as_integer("a", a)


def direct_size(i: int, k: int, s: int = 1, p: Padding = 0, d: int = 1) -> int:
    """Returns the output size of a convolution, floor((i + 2p - k') / s) + 1.

    Raises:
        ValueError: the kernel does not fit into the padded input.

    Example:
        >>> direct_size(6, k=3, s=2, p=1)
        3

    Reference: relationship 15, of which 1 to 7 are cases.
    """
    i, s = _integers(1, i=i, s=s)
    padded = i + sum(_pad_pair(p))
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
    """Returns the output size of a transposed convolution, s(i - 1) + a + k' - 2p.

    Raises:
        ValueError: a is not in 0 ... max(s, d) - 1, or no output is left.

    Example:
        >>> transposed_size(3, k=3, s=2, p=1, a=1)
        6

    Reference: relationship 14, of which 8 to 13 are cases; k' from relationship 15.
    """
    extent = effective_kernel(k, d)
    stretched = stretched_size(i, s)
    a, s, d = as_integer("a", a), as_integer("s", s), as_integer("d", d)
    if not 0 <= a < max(s, d):
        raise ValueError(
            f"got output padding a = {a}, expected 0 <= a < max(s, d) = {max(s, d)}"
        )
    size = stretched - 1 + a + extent - sum(_pad_pair(p))
    if size < 1:
        raise ValueError(
            f"got padding p = {p} that leaves an output of size {size}, expected at "
            "least 1; take a smaller p"
        )
    return size


def output_size(i: int, layer: Layer) -> int:
    """Returns the output size of a direct or transposed layer on an input of size i."""
    k, s, p, a, d, transposed = layer
    if transposed:
        return transposed_size(i, k, s, p, a, d)
    return direct_size(i, k, s, p, d)


def output_padding(i: int, k: int, s: int, p: Padding = 0, d: int = 1) -> int:
    """Returns the a with which the transposed layer restores i, (i + 2p - k') mod s.

    By the floor of relationship 6, s different sizes i have the same output size; a
    selects one of them.

    Example:
        >>> output_padding(6, k=3, s=2, p=1), output_padding(5, k=3, s=2, p=1)
        (1, 0)
    """
    direct_size(i, k, s, p, d)  # checks
    i, s = _integers(1, i=i, s=s)
    return (i + sum(_pad_pair(p)) - effective_kernel(k, d)) % s


def output_padding_for(
    o: int, i: int, k: int, s: int = 1, p: Padding = 0, d: int = 1
) -> int:
    """Returns the a with which a transposed convolution maps size i to size o.

    Raises:
        ValueError: no a does; the message has the possible sizes.

    Example:
        >>> output_padding_for(6, i=3, k=3, s=2, p=1)
        1
    """
    o, s, d = as_integer("o", o), as_integer("s", s), as_integer("d", d)
    smallest = stretched_size(i, s) - 1 + effective_kernel(k, d) - sum(_pad_pair(p))
    a = o - smallest
    if o < 1 or not 0 <= a < max(s, d):
        raise ValueError(
            f"got output size {o} for input size {i} with k={k}, s={s}, p={p}, d={d}: "
            f"expected {max(smallest, 1)} to {smallest + max(s, d) - 1}"
        )
    return a


def solve(factor: int, max_kernel: int = 9) -> list[tuple[int, int, int]]:
    """Returns every (k, p, a) with which stride s = `factor` multiplies sizes by it.

    The condition is k - 2p + a = s with 0 <= a < s and s <= k <= max_kernel. Smaller
    kernels would leave outputs without any input.

    Example:
        >>> solve(2, max_kernel=5)
        [(2, 0, 0), (3, 1, 1), (4, 1, 0), (5, 2, 1)]
    """
    (factor,) = _integers(1, factor=factor)
    return [
        (k, (k + a - factor) // 2, a)
        for k in range(factor, max_kernel + 1)
        for a in range(factor)
        if (k + a - factor) % 2 == 0 and (k + a - factor) // 2 < k
    ]


def _pad_pair(p: Padding) -> tuple[int, int]:
    """Returns padding as (low, high)."""
    low, high = p if is_sequence(p) else (p, p)  # type: ignore[misc]
    return as_integer("p", low), as_integer("p", high)


def _integers(minimum: int, **values: int) -> Iterator[int]:
    """Returns the values as int; raises ValueError for one below the minimum."""
    integers = {name: as_integer(name, value) for name, value in values.items()}
    for name, value in integers.items():
        if value < minimum:
            raise ValueError(f"got {name} = {value}, expected at least {minimum}")
    return iter(integers.values())
