"""Checked geometry of a fractionally-strided layer on every spatial axis.

`resolve` turns strides, padding, output padding and dilation, each given once or per
axis, into a `Geometry` of plain integers, which the lowerings use without checks.

Reference: the guide (arXiv:1603.07285), relationships 14 and 15, by `arithmetic`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from cpcnn_jax.layers import arithmetic
from cpcnn_jax.layers.integers import as_integer, is_sequence

Padding = str | int | Sequence[int | tuple[int, int]]


class Geometry(NamedTuple):
    """Numbers per spatial axis that define a fractionally-strided convolution."""

    kernel_size: tuple[int, ...]  # k
    strides: tuple[int, ...]  # s: s - 1 zeros go between adjacent units
    pads: tuple[tuple[int, int], ...]  # zeros around the stretched input; < 0 crops
    dilation: tuple[int, ...]  # d: distance between the kernel's taps
    groups: int = 1  # feature groups

    @property
    def forward_pads(self) -> list[tuple[int, int]]:
        """Padding of the strided convolution whose transpose this is."""
        axes = zip(self.kernel_size, self.pads, self.dilation, strict=True)
        return [arithmetic.effective_padding(k, pad, d=d) for k, pad, d in axes]

    def output_size(self, spatial: Sequence[int]) -> tuple[int, ...]:
        """Returns the spatial size of the output for the spatial size of the input."""
        return tuple(
            arithmetic.direct_size(arithmetic.stretched_size(i, s), k, 1, pad, d)
            for i, k, s, pad, d in zip(spatial, *self[:4], strict=True)
        )


def resolve(
    spatial: Sequence[int],
    kernel_size: Sequence[int],
    *,
    strides: int | Sequence[int],
    padding: Padding,
    output_padding: int | Sequence[int] = 0,
    kernel_dilation: int | Sequence[int] = 1,
    groups: int = 1,
    output_size: int | Sequence[int] | None = None,
) -> Geometry:
    """Computes and checks the geometry of a layer for one input size.

    Args:
      spatial: i per axis.
      kernel_size: k per axis.
      strides, padding, output_padding, kernel_dilation, output_size: arguments of
        `fractionally_strided.fractionally_strided_conv`.
      groups: feature groups.

    Returns:
      The geometry; its output_size(spatial) is the layer's.

    Raises:
      ValueError: impossible numbers; the message has the given and expected ones.

    Example:
      >>> resolve((8,), (4,), strides=2, padding=1).output_size((8,))
      (16,)
    """
    rank = len(kernel_size)
    s = per_axis("strides", strides, rank)
    d = per_axis("kernel_dilation", kernel_dilation, rank)
    a = per_axis("output_padding", output_padding, rank, minimum=0)
    sizes: tuple[int | None, ...] = (None,) * rank
    if output_size is not None:
        sizes = per_axis("output_size", output_size, rank)
        if any(a):
            raise ValueError(
                f"got output_padding {output_padding} and output_size {output_size}, "
                "expected one of them: the size determines the output padding"
            )
    p = _paddings(padding, rank)
    axes = zip(spatial, kernel_size, s, p, a, d, sizes, strict=True)
    pads = tuple(_stretched_pads(*axis) for axis in axes)
    groups = as_integer("feature_group_count", groups)
    return Geometry(per_axis("kernel_size", kernel_size, rank), s, pads, d, groups)


def per_axis(
    name: str, value: int | Sequence[int], rank: int, minimum: int = 1
) -> tuple[int, ...]:
    """Returns one integer per spatial axis, from one integer or from `rank` of them."""
    values = tuple(as_integer(name, v) for v in _spread(name, value, rank))
    if any(v < minimum for v in values):
        raise ValueError(f"got {name} {value}, expected at least {minimum}")
    return values


def padding_pairs(padding: Padding, rank: int) -> list[tuple[int, int]]:
    """Returns (low, high) per spatial axis of a padding that is not a name."""
    if isinstance(padding, str):
        raise ValueError(
            f"got padding {padding!r}, expected 'SAME', 'VALID', an integer, or one "
            "integer or pair (low, high) per spatial axis"
        )
    pairs = []
    for p in _spread("padding", padding, rank):
        pair = tuple(p) if is_sequence(p) else (p, p)
        if len(pair) != 2:
            raise ValueError(f"got padding {p}, expected an integer or (low, high)")
        low, high = (as_integer("padding", v) for v in pair)
        pairs.append((low, high))
    return pairs


def _spread(name: str, value: Any, rank: int) -> tuple[Any, ...]:
    """Returns one value per spatial axis, from one for all or from `rank` of them."""
    values = tuple(value) if is_sequence(value) else (value,) * rank
    if len(values) != rank:
        raise ValueError(
            f"got {name} {value} for {rank} spatial axes, expected 1 or {rank} numbers"
        )
    return values


def _paddings(padding: Padding, rank: int) -> list[str] | list[tuple[int, int]]:
    """Returns (low, high), or "SAME", for every spatial axis."""
    if isinstance(padding, str) and padding == "SAME":
        return ["SAME"] * rank
    if isinstance(padding, str) and padding == "VALID":
        padding = 0
    return padding_pairs(padding, rank)


def _stretched_pads(i, k, s, p, a, d, size) -> tuple[int, int]:
    """Returns the zeros before and after one stretched axis."""
    if p == "SAME":
        p, a = _same_padding(i, k, s, a, d, size)
    elif size is not None:
        a = arithmetic.output_padding_for(size, i, k, s, p, d)
    arithmetic.transposed_size(i, k, s, p, a, d)  # checks
    return arithmetic.effective_padding(k, p, a, d)


def _same_padding(i, k, s, a, d, size) -> tuple[tuple[int, int], int]:
    """Returns padding and output padding of the transpose of a "SAME" convolution.

    That convolution maps every size o with ceil(o / s) = i to i. It pads o by
    s(i - 1) + k' - o in total, with the odd zero at the end. o is s i by default.
    """
    o = s * i if size is None else size
    if a or -(-o // s) != i:
        raise ValueError(
            f"got output size {o + a} for input size {i} with padding 'SAME', s={s}: "
            f"expected {s * (i - 1) + 1} to {s * i}, as output_size"
        )
    smallest = arithmetic.stretched_size(i, s) + arithmetic.effective_kernel(k, d) - 1
    total = max(smallest - o, 0)
    return (total // 2, total - total // 2), o - smallest + total
