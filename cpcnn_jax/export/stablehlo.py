"""CP-CNN as StableHLO by `jax.export`, from an image of any size to its density.

`jax.export.deserialize(data).call(image)` runs it with jax alone. Height and width are
symbolic sizes, at least 64, from which window places are computed.
Convolutions are `jax.lax`'s own instead of the modules' fast CPU forms. T uses its
layer's lowering for each platform.

Serialization needs flatbuffers: `pip install 'cpcnn_jax[export]'`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.models import context_map as maps
from cpcnn_jax.models.gce import SIDE
from cpcnn_jax.models.networks import Network
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.models.shared_backbone import SharedBackbone

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def export_model(
    model: Network, weights: Mapping[str, np.ndarray], *, blocks: int
) -> bytes:
    """Exports a network as a StableHLO file.

    Args:
      model: the network.
      weights: flat parameter dict; its arrays become constants.
      blocks: blocks per image side for the GCE of a `CPCNN`.

    Returns:
      Content of a serialized `jax.export.Exported`, from `[1, H, W, 3]` float32 RGB in
      [0, 1], both sides at least 64, to the density `[1, H, W, 1]` float32, people per
      pixel.
    """

    @nn.intercept_methods(_replace_conv)
    def estimate(image):
        if isinstance(model, SharedBackbone):
            return model.apply(to_variables(weights), image)[0]
        return _estimate(model, weights, blocks, image)

    least = [f"{side} >= {PATCH}" for side in ("height", "width")]
    shape = jax.export.symbolic_shape("1, height, width, 3", constraints=least)
    image = jax.ShapeDtypeStruct(shape, jnp.float32)
    exported = jax.export.export(jax.jit(estimate), platforms=PLATFORMS)(image)
    return bytes(exported.serialize())


def _estimate(model, weights, blocks, image):
    """Computes the density of a `CPCNN`, `[1, H, W, 1]`."""

    def apply(name, x):
        variables = to_variables(weights, scope=f"{name}/")
        return getattr(model, name).apply(variables, x)

    padded = _pad_image(image)
    context = list(_context_maps(model, apply, blocks, padded))
    features = apply("dme", padded)
    scaled = apply("fcnn", jnp.concatenate([features, *context], axis=-1))
    return scaled[:, : image.shape[1], : image.shape[2]] / model.density_scale


def make_runner(data: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """Loads a file with `jax.export` as a function `[1, H, W, 3] -> [1, H, W, 1]`."""
    program = jax.jit(jax.export.deserialize(bytearray(data)).call)

    def run(image: np.ndarray) -> np.ndarray:
        density = np.asarray(program(image))
        program.clear_cache()  # type: ignore[attr-defined]  # a program for each size
        return density

    return run


def _replace_conv(method, args, kwargs, context):
    """Interceptor that computes every `nn.Conv` as one primitive."""
    module = context.module
    if not isinstance(module, nn.Conv) or context.method_name != "__call__":
        return method(*args, **kwargs)
    params, layout = module.variables["params"], ("NHWC", "HWIO", "NHWC")
    padding: Any = module.padding
    y = lax.conv_general_dilated(
        args[0], params["kernel"], (1, 1), padding, dimension_numbers=layout
    )
    return y + params["bias"].reshape(1, 1, 1, -1) if module.use_bias else y


def _pad_image(image):
    """Repeats the last row and column until both sides are multiples of 4."""
    for axis in (1, 2):
        length = image.shape[axis]
        indices = jnp.arange(-(-length // maps.POOLING) * maps.POOLING)
        image = jnp.take(image, jnp.minimum(indices, length - 1), axis=axis)
    return image


def _context_maps(model, apply, blocks, image):
    """Yields the context map of each network, `[1, H' / 4, W' / 4, K]`."""
    shape = image.shape[1:3]
    if model.gce is not None:
        spans = [maps.block_spans(length, blocks) for length in shape]
        logits = apply("gce", _resize_blocks(image, *spans))
        edges = [tuple(jnp.array(span).T) for span in spans]
        yield _context_map(logits.reshape(blocks, blocks, -1), shape, edges)
    if model.lce is not None:
        starts = [_window_starts(length, model.lce_stride) for length in shape]
        # One by one, since the LCE's head needs a batch of static size.
        windows = _cut_windows(image, starts)
        logits = jax.vmap(lambda window: apply("lce", window[None])[0])(windows)
        grid = maps.to_grid(logits, [first.shape[0] for first in starts])[0]
        yield _context_map(grid, shape, [(first, first + PATCH) for first in starts])


def _resize_blocks(image, rows, columns):
    """Resizes blocks row by row, to `[blocks * blocks, 224, 224, 3]`."""
    blocks = [
        image[:, slice(*row), slice(*column)] for row in rows for column in columns
    ]
    size = (1, SIDE, SIDE, 3)
    return jnp.concatenate([jax.image.resize(b, size, "bilinear") for b in blocks])


def _window_starts(length, stride):
    """Computes the starts of `context_map.window_spans` for a symbolic length."""
    last = length - PATCH
    return jnp.minimum(jnp.arange(-(-last // stride) + 1) * stride, last)


def _cut_windows(image, starts):
    """Cuts windows row by row, to `[n * m, 64, 64, 3]`."""
    down, across = (first[:, None] + jnp.arange(PATCH)[None] for first in starts)
    windows = image[0][down][:, :, across]  # [n, 64, m, 64, 3]
    return windows.transpose(0, 2, 1, 3, 4).reshape(-1, PATCH, PATCH, 3)


def _context_map(logits, shape, spans):
    """Writes the scores of a grid of windows over the quarter-size map."""
    scores = jax.nn.softmax(logits)
    down, across = map(_coverage, shape, spans)
    return jnp.einsum("yn,nmk,xm->yxk", down, scores, across)[None]


def _coverage(length, spans):
    """Computes `context_map.coverage` for a symbolic length."""
    starts, stops = (ends[None] for ends in spans)
    pixels = jnp.arange(length)[:, None]
    inside = ((pixels >= starts) & (pixels < stops)).astype(jnp.float32)
    inside /= inside.sum(axis=1, keepdims=True)
    cells = (length // maps.POOLING, maps.POOLING, -1)
    return inside.reshape(cells).mean(axis=1)
