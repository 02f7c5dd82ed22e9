"""CP-CNN as StableHLO by `jax.export`: an image of any size in, its density out.

`jax.export.deserialize(data).call(image)` runs it with nothing but jax installed.
Height and width are symbols, at least what the LCE looks at and otherwise free: where
windows lie is computed from them when it runs. Convolutions are `jax.lax`'s own,
whatever quicker form the modules ask for; T takes the form that its layer takes on each
platform.

To serialise, jax needs flatbuffers: `pip install 'cpcnn_jax[export]'`.
"""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.models import context_map as maps
from cpcnn_jax.models.gce import SIDE
from cpcnn_jax.models.params import to_variables

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def export_model(model, trained, *, blocks):
    """The networks as a file's content.

    Args:
      model: CPCNN.
      trained: its weights, a flat dict of arrays; they become constants.
      blocks: per side of a photograph, for the global context.

    Returns:
      bytes of an `Exported` from `[1, H, W, 3]` float32 in [0, 1], H and W at least
      what the LCE looks at, to the density `[1, H, W, 1]` float32.
    """

    def apply(name, x):
        weights = to_variables(trained, scope=f"{name}/")
        with nn.intercept_methods(_plainly):
            return getattr(model, name).apply(weights, x)

    def cpcnn(image):
        padded = _padded(image)
        context = list(_context(model, apply, blocks, padded))
        features = apply("dme", padded)
        scaled = apply("fcnn", jnp.concatenate([features, *context], axis=-1))
        return scaled[:, : image.shape[1], : image.shape[2]] / model.density_scale

    least = [f"{side} >= {model.lce_input_size}" for side in ("height", "width")]
    shape = jax.export.symbolic_shape("1, height, width, 3", constraints=least)
    image = jax.ShapeDtypeStruct(shape, jnp.float32)
    exported = jax.export.export(jax.jit(cpcnn), platforms=PLATFORMS)(image)
    return bytes(exported.serialize())


def make_runner(data):
    """What `export_model` made, read back as another program would.

    Args:
      data: bytes.

    Returns:
      run(image): `[1, H, W, 3]` to the density `[1, H, W, 1]`.
    """
    program = jax.jit(jax.export.deserialize(bytearray(data)).call)

    def run(image):
        density = np.asarray(program(image))
        program.clear_cache()  # each size has a program of its own
        return density

    return run


def _plainly(method, args, kwargs, context):
    """Every `nn.Conv` as one primitive; for `nn.intercept_methods`."""
    module = context.module
    if not isinstance(module, nn.Conv) or context.method_name != "__call__":
        return method(*args, **kwargs)
    weights, layout = module.variables["params"], ("NHWC", "HWIO", "NHWC")
    y = lax.conv_general_dilated(
        *(*args, weights["kernel"], (1, 1), module.padding),
        dimension_numbers=layout,
    )
    return y + weights["bias"].reshape(1, 1, 1, -1)


def _padded(image):
    """Repeat the last row and column until both sides are multiples of 4."""
    for axis in (1, 2):
        length = image.shape[axis]
        places = jnp.arange(-(-length // maps.POOLING) * maps.POOLING)
        image = jnp.take(image, jnp.minimum(places, length - 1), axis=axis)
    return image


def _context(model, apply, blocks, image):
    """The context maps of the networks that there are, `[1, H' / 4, W' / 4, K]`."""
    shape = image.shape[1:3]
    if model.gce is not None:
        spans = [maps.block_spans(length, blocks) for length in shape]
        logits = apply("gce", _resized(image, *spans))
        edges = [tuple(jnp.array(span).T) for span in spans]
        yield _spread(logits.reshape(blocks, blocks, -1), shape, edges)
    if model.lce is not None:
        side = model.lce_input_size
        looks = [_window_spans(length, side, model.lce_stride) for length in shape]
        # One by one, since the LCE's head asks for a batch that is a number.
        patches = _cut(image, *looks, side)
        logits = jax.vmap(lambda patch: apply("lce", patch[None])[0])(patches)
        spans = [_parts(starts, side) for starts, _ in looks]
        numbers = [starts.shape[0] for starts, _ in looks]
        yield _spread(maps.to_grid(logits, numbers)[0], shape, spans)


def _resized(image, rows, columns):
    """`[blocks * blocks, 224, 224, 3]`, row by row."""
    blocks = [
        image[:, slice(*row), slice(*column)] for row in rows for column in columns
    ]
    size = (1, SIDE, SIDE, 3)
    return jnp.concatenate([jax.image.resize(b, size, "bilinear") for b in blocks])


def _window_spans(length, window, stride):
    """(starts, stops) as of `context_map.window_spans`, however many there are."""
    last = length - window
    starts = jnp.minimum(jnp.arange(-(-last // stride) + 1) * stride, last)
    return starts, starts + window


def _parts(starts, window):
    """(starts, stops) of the 64 pixels in turn of each look."""
    first = (starts[:, None] + jnp.arange(0, window, PATCH)[None]).reshape(-1)
    return first, first + PATCH


def _cut(image, rows, columns, side):
    """`[n * m, side, side, 3]`: windows of one size, row by row."""
    down, across = (
        starts[:, None] + jnp.arange(side)[None] for starts, _ in (rows, columns)
    )
    windows = image[0][down][:, :, across]  # [n, side, m, side, 3]
    return windows.transpose(0, 2, 1, 3, 4).reshape(-1, side, side, 3)


def _spread(logits, shape, spans):
    """The scores of a grid of windows over the quarter-size map."""
    scores = jax.nn.softmax(logits)
    down, across = map(_coverage, shape, spans)
    return jnp.einsum("yn,nmk,xm->yxk", down, scores, across)[None]


def _coverage(length, spans):
    """As `context_map.coverage`, of a length that is a symbol."""
    starts, stops = (ends[None] for ends in spans)
    pixels = jnp.arange(length)[:, None]
    inside = ((pixels >= starts) & (pixels < stops)).astype(jnp.float32)
    inside /= inside.sum(axis=1, keepdims=True)
    cells = (length // maps.POOLING, maps.POOLING, -1)
    return inside.reshape(cells).mean(axis=1)
