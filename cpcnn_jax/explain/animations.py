"""Parameters of the fifteen animations of vdumoulin/conv_arithmetic, by their names.

A direct animation has o^2 frames, a transposed one i^2 with its direct convolution's i.
"""

from cpcnn_jax.layers import arithmetic
from cpcnn_jax.layers.arithmetic import Layer

# Direct convolutions as (input size, layer).
DIRECT = {
    "no_padding_no_strides": (4, Layer(k=3)),
    "arbitrary_padding_no_strides": (5, Layer(k=4, p=2)),
    "same_padding_no_strides": (5, Layer(k=3, p=1)),
    "full_padding_no_strides": (5, Layer(k=3, p=2)),
    "no_padding_strides": (5, Layer(k=3, s=2)),
    "padding_strides": (5, Layer(k=3, s=2, p=1)),
    "padding_strides_odd": (6, Layer(k=3, s=2, p=1)),
}


def _transpose(i: int, layer: Layer) -> tuple[int, Layer]:
    """Returns (input size, layer) of the transpose of a direct convolution."""
    k, s, p, _, d, _ = layer
    a = arithmetic.output_padding(i, k, s, p, d)
    return arithmetic.output_size(i, layer), Layer(k, s, p, a, d, transposed=True)


ANIMATIONS = {
    **DIRECT,
    **{f"{name}_transposed": _transpose(*direct) for name, direct in DIRECT.items()},
    "dilation": (7, Layer(k=3, d=2)),
}
