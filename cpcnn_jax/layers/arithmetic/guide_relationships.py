"""The fifteen numbered relationships of the guide, each as a formula for one axis.

Input size i, kernel size k, stride s, padding p on both sides, output padding a,
dilation d; each function returns the output size o. In the transposes (8 to 14) k, s
and p are those of the direct convolution, and i is its output size. Their p' is the
padding of the equal direct convolution of the stretched input.

Reference: Dumoulin & Visin, A guide to convolution arithmetic for deep learning,
arXiv:1603.07285.
"""

from cpcnn_jax.layers.arithmetic.sizes import Layer, effective_kernel


def relationship(layer: Layer) -> int:
    """Returns the number of the guide's relationship that fits a layer most closely.

    For a dilated transposed layer, the k of that formula is k' of relationship 15.

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
    """Direct convolution without padding, unit stride: o = (i - k) + 1."""
    return i - k + 1


def relationship_2(i: int, k: int, p: int) -> int:
    """Direct convolution with any padding, unit stride: o = (i - k) + 2p + 1."""
    return i - k + 2 * p + 1


def relationship_3(i: int, k: int) -> int:
    """Direct convolution with half padding p = (k - 1) / 2, unit stride: o = i.

    Raises:
        ValueError: k is even.
    """
    if k % 2 == 0:
        raise ValueError(f"got k = {k}, expected an odd kernel: half padding needs one")
    return i


def relationship_4(i: int, k: int) -> int:
    """Direct convolution with full padding p = k - 1, unit stride: o = i + (k - 1)."""
    return i + k - 1


def relationship_5(i: int, k: int, s: int) -> int:
    """Direct convolution without padding, any stride: o = floor((i - k) / s) + 1."""
    return (i - k) // s + 1


def relationship_6(i: int, k: int, s: int, p: int) -> int:
    """Direct convolution, any padding and stride: o = floor((i + 2p - k) / s) + 1."""
    return (i + 2 * p - k) // s + 1


def relationship_7(i: int, k: int, s: int) -> int:
    """Pooling: o = floor((i - k) / s) + 1."""
    return (i - k) // s + 1


def relationship_8(i: int, k: int) -> int:
    """Transpose of 1, a direct convolution with p' = k - 1: o = i + (k - 1)."""
    return i + k - 1


def relationship_9(i: int, k: int, p: int) -> int:
    """Transpose of 2, direct with p' = k - p - 1: o = i + (k - 1) - 2p."""
    return i + k - 1 - 2 * p


def relationship_10(i: int, k: int) -> int:
    """Transpose of 3, a direct convolution with p' = p = (k - 1) / 2: o = i."""
    return relationship_3(i, k)


def relationship_11(i: int, k: int) -> int:
    """Transpose of 4, a direct convolution with p' = 0: o = i - (k - 1)."""
    return i - k + 1


def relationship_12(i: int, k: int, s: int) -> int:
    """Transpose of 5 where s divides i - k, with p' = k - 1: o = s(i - 1) + k."""
    return s * (i - 1) + k


def relationship_13(i: int, k: int, s: int, p: int) -> int:
    """Transpose of 6 where s divides i + 2p - k: o = s(i - 1) + k - 2p."""
    return s * (i - 1) + k - 2 * p


def relationship_14(i: int, k: int, s: int, p: int, a: int) -> int:
    """Transpose of 6 in general: o = s(i - 1) + a + k - 2p.

    Raises:
        ValueError: a is not in 0 ... s - 1.
    """
    if not 0 <= a < s:
        raise ValueError(f"got a = {a}, expected 0 <= a < s = {s}")
    return s * (i - 1) + a + k - 2 * p


def relationship_15(i: int, k: int, s: int, p: int, d: int) -> int:
    """Dilated convolution: o = floor((i + 2p - k - (k - 1)(d - 1)) / s) + 1."""
    return (i + 2 * p - k - (k - 1) * (d - 1)) // s + 1
