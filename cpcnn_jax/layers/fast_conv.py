"""The same convolutions and the same pooling, in the forms that XLA computes quickly.

All are equal to what they replace and are tested so. Times are of jaxlib 0.10.2 on two
CPU cores, for eight crops of 256x192.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

_FEW = 16  # output features up to which XLA does not take its quick routine
_THIN = 4  # input features up to which it does not


def folded_conv(x, kernel, strides, padding, **kwargs):
    """lax.conv_general_dilated, where features are few with neighbours as features.

    On a CPU, XLA's quick routine takes convolutions of many features only. So two or
    four neighbouring columns become one column of two or four times the features, and
    the kernel a wider one that computes them at once: some of its taps are zeros.
    With both gradients, for two crops on one core: 9x9, 3 to 16 features, takes 17 ms
    for 70, 7x7, 32 to 16, a quarter of the size, 13 for 39. Pass as `nn.Conv(...,
    conv_general_dilated=folded_conv)`.

    Args:
      x: `[B, H, W, C]`.
      kernel: `[k, k, C, features]`.
      strides: (1, 1).
      padding: "SAME".
      **kwargs: of lax.conv_general_dilated.

    Returns:
      `[B, H, W, features]`.
    """

    def whole(x, kernel):
        return lax.conv_general_dilated(x, kernel, strides, padding, **kwargs)

    side, _, thickness, features = kernel.shape
    if side == 1 or (features > _FEW and thickness > _THIN):
        return whole(x, kernel)
    fold = 2 if 2 * features > _FEW else 4

    def folded(x, kernel):
        low, high = (side - 1) // 2, side // 2
        left, right = -(-low // fold), (fold - 1 + high) // fold  # columns beside
        batch, height, width, _ = x.shape
        x = jnp.pad(x, ((0, 0), (0, 0), (0, -width % fold), (0, 0)))
        y = lax.conv_general_dilated(
            x.reshape(batch, height, -1, fold * thickness),
            _wide(kernel, fold, fold * left - low, left + 1 + right),
            strides,
            ((low, high), (left, right)),
            **kwargs,
        )
        return y.reshape(batch, height, -1, features)[:, :, :width]

    return lax.platform_dependent(x, kernel, cpu=folded, default=whole)


def _wide(kernel, fold, spare, columns):
    """The kernel at each of `fold` places, `[k, columns, fold * C, fold * features]`.

    At its first place it begins after `spare` zeros.
    """
    side, _, thickness, features = kernel.shape
    span = columns * fold
    places = [
        jnp.pad(kernel, ((0, 0), (start, span - start - side), (0, 0), (0, 0)))
        for start in range(spare, spare + fold)
    ]
    wide = jnp.stack(places, axis=-2)
    return wide.reshape(side, columns, fold * thickness, fold * features)


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
    """2x2 max-pooling with stride 2: `nn.max_pool`, quicker, also its gradient.

    On a CPU, XLA computes what comes before (bias and ReLU) anew in the middle of its
    search of windows; not so in the larger of two columns and of two rows. XLA's own
    gradient searches every window again (select-and-scatter, 64 ms for 20 features,
    this 10). Values that tie share it; XLA gives it to the first.

    Args:
      x: `[B, H, W, C]`.

    Returns:
      `[B, H // 2, W // 2, C]`.

    Example:
      >>> max_pool(jnp.arange(12.0).reshape(1, 3, 4, 1)).ravel().tolist()
      [5.0, 7.0]
    """

    def windows(x):
        return nn.max_pool(x, window_shape=(2, 2), strides=(2, 2))

    return lax.platform_dependent(x, cpu=_larger_of_slices, default=windows)


def _larger_of_slices(x):
    x = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
    rows = jnp.maximum(x[:, ::2], x[:, 1::2])
    return jnp.maximum(rows[:, :, ::2], rows[:, :, 1::2])


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
