"""CP-CNN as one ONNX graph: an image of any size in, its density out.

Written out by hand, since no exporter could be used. jax2onnx 0.17.1, the one that is
maintained, cannot be installed beside our orbax-checkpoint, and has no words for our
primitive of the fractionally-strided convolution, for `jax.lax.platform_dependent`, for
a convolution under `jax.vmap` and for sizes computed from a free height and width. By
way of TensorFlow it would take a gigabyte more. The graph needs none of these: T is
ConvTranspose, the GCE's resize two products of matrices, windows are gathered by
indices, and matrices and indices are computed from the image's size when it runs.
"""

import numpy as np

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.export import onnx_axes, onnx_networks
from cpcnn_jax.export.onnx_graph import Graph
from cpcnn_jax.models.gce import SIDE

TEXT = (
    "CP-CNN. image: RGB in [0, 1], both sides from {} pixels; density: people per "
    "pixel, its sum is the count."
)


def export_model(model, trained, *, blocks):
    """The networks as a file's content.

    Args:
      model: CPCNN.
      trained: its weights, a flat dict of arrays.
      blocks: per side of a photograph, for the global context.

    Returns:
      bytes of an ONNX model; its input "image" is `[1, H, W, 3]` float32 in [0, 1],
      both sides at least what the LCE looks at, its output "density" `[1, H, W, 1]`
      float32.
    """
    op = Graph()
    image, lengths, shape = _padded(op, "image")
    context = [
        _spread(op, shape, spans, scores)
        for scores, spans in _classified(op, trained, model, blocks, image, shape)
    ]
    features = onnx_networks.dme(op, trained, model.dme, image)
    fused = op("Concat", features, *context, axis=1)
    scaled = onnx_networks.fcnn(op, trained, model.fcnn, fused)
    scaled = op("Transpose", scaled, perm=[0, 2, 3, 1])
    ends = op("Concat", *(_vector(op, length) for length in lengths), axis=0)
    scaled = op("Slice", scaled, np.int64([0, 0]), ends, np.int64([1, 2]))
    op("Div", scaled, np.float32(model.density_scale), output="density")
    size = {"image": [1, "height", "width", 3]}, {"density": [1, "height", "width", 1]}
    text = TEXT.format(model.lce_input_size)
    return op.model("cpcnn", *size, text=text).SerializeToString()


def make_runner(data):
    """What `export_model` made, read back as another program would: by onnxruntime.

    Args:
      data: bytes.

    Returns:
      run(image): `[1, H, W, 3]` to the density `[1, H, W, 1]`.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return lambda image: session.run(["density"], {"image": image})[0]


def _padded(op, image):
    """(`[1, 3, H', W']`, (H, W), (H', W')): multiples of 4 by repeating the end."""
    size = op("Shape", image)
    lengths = [op("Gather", size, np.int64(axis)) for axis in (1, 2)]
    shape = [onnx_axes.rounded_up(op, length) for length in lengths]
    for axis, (length, padded) in enumerate(zip(lengths, shape, strict=True), start=1):
        image = op("Gather", image, onnx_axes.repeating(op, length, padded), axis=axis)
    return op("Transpose", image, perm=[0, 3, 1, 2]), lengths, shape


def _classified(op, trained, model, blocks, image, shape):
    """(scores `[K, n, m]`, spans along H' and W') of the GCE and the LCE."""
    if model.gce is not None:
        spans = [onnx_axes.block_spans(op, length, blocks) for length in shape]
        cut = _resized(op, image, shape, spans, blocks)
        yield _scores(op, onnx_networks.gce(op, trained, model.gce, cut), spans), spans
    if model.lce is not None:
        side = model.lce_input_size
        looks = {"window": side, "stride": model.lce_stride}
        spans = [onnx_axes.window_spans(op, length, **looks) for length in shape]
        logits = onnx_networks.lce(
            op, trained, model.lce, _cut(op, image, spans, side), side // PATCH
        )
        parts = [onnx_axes.parts(op, starts, side, PATCH) for starts, _ in spans]
        yield _scores(op, logits, spans, side // PATCH), parts


def _resized(op, image, shape, spans, blocks):
    """`[blocks * blocks, 3, 224, 224]`: all blocks by one matrix along each axis."""
    down, across = (
        onnx_axes.resizing(op, length, span, SIDE)
        for length, span in zip(shape, spans, strict=True)
    )
    small = op("MatMul", down, image)
    small = op("MatMul", small, op("Transpose", across, perm=[1, 0]))
    small = op("Reshape", small, np.int64([3, blocks, SIDE, blocks, SIDE]))
    small = op("Transpose", small, perm=[1, 3, 0, 2, 4])
    return op("Reshape", small, np.int64([-1, 3, SIDE, SIDE]))


def _cut(op, image, spans, side):
    """`[n * m, 3, side, side]`: windows of one size, row by row."""
    inner = np.arange(side, dtype=np.int64)
    rows, columns = (
        op("Add", op("Unsqueeze", starts, np.int64([1])), inner) for starts, _ in spans
    )
    windows = op("Gather", image, rows, axis=2)  # [1, 3, n, side, W']
    windows = op("Gather", windows, columns, axis=4)  # [1, 3, n, side, m, side]
    windows = op("Transpose", windows, perm=[0, 2, 4, 1, 3, 5])
    return op("Reshape", windows, np.int64([-1, 3, side, side]))


def _scores(op, logits, spans, parts=1):
    """`[K, n, m]`: the softmax of the logits, of so many parts of each span."""
    n, m = (op("Shape", starts) for starts, _ in spans)
    apart = op("Concat", n, m, np.int64([parts, parts, -1]), axis=0)
    scores = op("Reshape", op("Softmax", logits, axis=-1), apart)
    scores = op("Transpose", scores, perm=[4, 0, 2, 1, 3])
    grid = [op("Mul", number, np.int64([parts])) for number in (n, m)]
    return op("Reshape", scores, op("Concat", np.int64([-1]), *grid, axis=0))


def _spread(op, shape, spans, scores):
    """`[1, K, H' / 4, W' / 4]`, the context map."""
    down, across = (
        onnx_axes.coverage(op, length, span)
        for length, span in zip(shape, spans, strict=True)
    )
    found = op(
        "MatMul", op("MatMul", down, scores), op("Transpose", across, perm=[1, 0])
    )
    return op("Unsqueeze", found, np.int64([0]))


def _vector(op, length):
    return op("Unsqueeze", length, np.int64([0]))
