"""The same convolutions and the same pooling, in the forms that XLA computes quickly.

All are equal to what they replace and are tested so. Times are of jaxlib 0.10.2 on two
CPU cores, for eight crops of 256x192.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

_FEW = 16  # output features up to which XLA's quick routine for thin inputs is taken


def thin_conv(x, kernel, *args, **kwargs):
    """lax.conv_general_dilated for the image's three channels, features in parts.

    On a CPU, XLA sends a convolution with more than 16 output features to a routine
    that is slow for thin inputs: 7x7, 3 to 20 features, takes 320 ms whole and 44 ms in
    two halves, its kernel's gradient 157 and 28. Pass as `nn.Conv(...,
    conv_general_dilated=thin_conv)`.

    Args:
      x: `[B, H, W, C]`.
      kernel: `[k, k, C, features]`.
      *args: of lax.conv_general_dilated, as are the following.
      **kwargs: likewise.

    Returns:
      `[B, H', W', features]`.
    """

    def whole(x, kernel):
        return lax.conv_general_dilated(x, kernel, *args, **kwargs)

    def parts(x, kernel):
        count = -(-kernel.shape[-1] // _FEW)
        pieces = jnp.array_split(kernel, count, axis=-1)
        return jnp.concatenate([whole(x, piece) for piece in pieces], axis=-1)

    return lax.platform_dependent(x, kernel, cpu=parts, default=whole)


def valid_conv(x, kernel, strides, padding, **kwargs):
    """lax.conv_general_dilated without padding, as the middle of one with padding.

    On a CPU, XLA's quick routine takes only convolutions that keep their size: 3x3, 64
    to 64 features, without padding takes 181 ms for 24 patches of 62x62 and so 84 ms,
    with both gradients 462 and 264. Pass as `nn.Conv(..., padding="VALID",
    conv_general_dilated=valid_conv)`.

    Args:
      x: `[B, H, W, C]`.
      kernel: `[k, k, C, features]`, k odd and at least 3.
      strides: (1, 1).
      padding: "VALID".
      **kwargs: of lax.conv_general_dilated.

    Returns:
      `[B, H - k + 1, W - k + 1, features]`.
    """

    def whole(x, kernel):
        return lax.conv_general_dilated(x, kernel, strides, padding, **kwargs)

    def middle(x, kernel):
        edge = kernel.shape[0] // 2
        same = lax.conv_general_dilated(x, kernel, strides, "SAME", **kwargs)
        return same[:, edge:-edge, edge:-edge]

    return lax.platform_dependent(x, kernel, cpu=middle, default=whole)


@jax.custom_jvp
def max_pool(x):
    """2x2 max-pooling with stride 2: `nn.max_pool` with a quicker gradient.

    XLA's own gradient searches every window again (select-and-scatter, 64 ms for 20
    features, this 10). Values that tie share it; XLA gives it to the first.

    Args:
      x: `[B, H, W, C]`.

    Returns:
      `[B, H // 2, W // 2, C]`.

    Example:
      >>> max_pool(jnp.arange(12.0).reshape(1, 3, 4, 1)).ravel().tolist()
      [5.0, 7.0]
    """
    return nn.max_pool(x, window_shape=(2, 2), strides=(2, 2))


@max_pool.defjvp
def _max_pool_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    y = max_pool(x)
    count, height, width, features = y.shape

    def windows(x):
        x = x[:, : 2 * height, : 2 * width]
        return x.reshape(count, height, 2, width, 2, features)

    largest = (windows(x) == y[:, :, None, :, None]).astype(x.dtype)
    share = largest / largest.sum((2, 4), keepdims=True)
    return y, (share * windows(dx)).sum((2, 4))
