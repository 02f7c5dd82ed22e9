"""CP-CNN as one ONNX graph, from an image of any size to its density.

The graph is written node by node, because converters from JAX do not support the
primitive of the fractionally-strided convolution, `jax.lax.platform_dependent`,
convolutions under `jax.vmap` and sizes computed from a dynamic height and width. Here T
is ConvTranspose, and the GCE's resize is two matrix products. Windows are gathered by
indices that the graph computes from the image's size.
"""

from collections.abc import Callable, Mapping

import numpy as np

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.export import onnx_networks, onnx_shared, onnx_windows
from cpcnn_jax.export.onnx_graph import Graph, integers
from cpcnn_jax.models.gce import SIDE
from cpcnn_jax.models.networks import Network
from cpcnn_jax.models.shared_backbone import SharedBackbone

DOC = (
    "CP-CNN. image: RGB in [0, 1], both sides from {} pixels; density: people per "
    "pixel, its sum is the count."
)


def export_model(
    model: Network, weights: Mapping[str, np.ndarray], *, blocks: int
) -> bytes:
    """Exports a network as an ONNX file.

    Args:
      model: the network.
      weights: flat parameter dict.
      blocks: blocks per image side for the GCE of a `CPCNN`.

    Returns:
      Content of an ONNX file. Its input "image" is `[1, H, W, 3]` float32 RGB in
      [0, 1], both sides at least 64; its output "density" is `[1, H, W, 1]` float32,
      people per pixel.
    """
    op = Graph()
    if isinstance(model, SharedBackbone):
        scaled, lengths = onnx_shared.add_density(op, weights, model, "image")
    else:
        scaled, lengths = _add_density(op, weights, model, blocks, "image")
    scaled = op("Transpose", scaled, perm=[0, 2, 3, 1])
    sides = op("Concat", *(op("Unsqueeze", n, integers(0)) for n in lengths), axis=0)
    scaled = op("Slice", scaled, integers(0, 0), sides, integers(1, 2))
    op("Div", scaled, np.float32(model.density_scale), output="density")
    shape, doc = [1, "height", "width"], DOC.format(PATCH)
    ends = {"image": [*shape, 3]}, {"density": [*shape, 1]}
    return op.to_model("cpcnn", *ends, doc=doc).SerializeToString()


def _add_density(op, weights, model, blocks, image):
    """Adds a `CPCNN`; returns the scaled density `[1, 1, H', W']` and H and W."""
    image, lengths, padded = _pad_image(op, image)
    context = [
        _context_map(op, padded, spans, scores)
        for scores, spans in _score_grids(op, weights, model, blocks, image, padded)
    ]
    features = onnx_networks.add_dme(op, weights, model.dme, image)
    fused = op("Concat", features, *context, axis=1)
    return onnx_networks.add_fcnn(op, weights, model.fcnn, fused), lengths


def make_runner(data: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """Loads a file in onnxruntime as a function `[1, H, W, 3] -> [1, H, W, 1]`."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return lambda image: session.run(["density"], {"image": image})[0]


def _pad_image(op, image):
    """Repeats the last pixels up to multiples of 4: `[1, 3, H', W']`, sides, shape."""
    size = op("Shape", image)
    lengths = [op("Gather", size, np.int64(axis)) for axis in (1, 2)]
    shape = [onnx_windows.round_up(op, length) for length in lengths]
    for axis, (length, padded) in enumerate(zip(lengths, shape, strict=True), start=1):
        indices = onnx_windows.edge_indices(op, length, padded)
        image = op("Gather", image, indices, axis=axis)
    return op("Transpose", image, perm=[0, 3, 1, 2]), lengths, shape


def _score_grids(op, weights, model, blocks, image, shape):
    """Yields scores `[K, n, m]` and spans along H' and W' of the GCE and the LCE."""
    if model.gce is not None:
        spans = [onnx_windows.block_spans(op, length, blocks) for length in shape]
        resized = _resize_blocks(op, image, shape, spans, blocks)
        logits = onnx_networks.add_gce(op, weights, model.gce, resized)
        yield _arrange_scores(op, logits, spans), spans
    if model.lce is not None:
        place = {"window": PATCH, "stride": model.lce_stride}
        spans = [onnx_windows.window_spans(op, length, **place) for length in shape]
        windows = _cut_windows(op, image, spans)
        logits = onnx_networks.add_lce(op, weights, model.lce, windows)
        yield _arrange_scores(op, logits, spans), spans


def _resize_blocks(op, image, shape, spans, blocks):
    """Resizes blocks by one matrix per axis, to `[blocks * blocks, 3, 224, 224]`."""
    down, across = (
        onnx_windows.resize_matrix(op, length, span, SIDE)
        for length, span in zip(shape, spans, strict=True)
    )
    small = op("MatMul", down, image)
    small = op("MatMul", small, op("Transpose", across, perm=[1, 0]))
    small = op("Reshape", small, integers(3, blocks, SIDE, blocks, SIDE))
    small = op("Transpose", small, perm=[1, 3, 0, 2, 4])
    return op("Reshape", small, integers(-1, 3, SIDE, SIDE))


def _cut_windows(op, image, spans):
    """Cuts windows row by row, to `[n * m, 3, 64, 64]`."""
    offsets = np.arange(PATCH, dtype=np.int64)
    rows, columns = (
        op("Add", op("Unsqueeze", starts, integers(1)), offsets) for starts, _ in spans
    )
    windows = op("Gather", image, rows, axis=2)  # [1, 3, n, 64, W']
    windows = op("Gather", windows, columns, axis=4)  # [1, 3, n, 64, m, 64]
    windows = op("Transpose", windows, perm=[0, 2, 4, 1, 3, 5])
    return op("Reshape", windows, integers(-1, 3, PATCH, PATCH))


def _arrange_scores(op, logits, spans):
    """Arranges the softmax of the logits as `[K, n, m]`."""
    n, m = (op("Shape", starts) for starts, _ in spans)
    grid = op("Concat", n, m, integers(-1), axis=0)
    scores = op("Reshape", op("Softmax", logits, axis=-1), grid)
    return op("Transpose", scores, perm=[2, 0, 1])


def _context_map(op, shape, spans, scores):
    """Writes scores over the quarter-size map, `[1, K, H' / 4, W' / 4]`."""
    down, across = (
        onnx_windows.coverage(op, length, span)
        for length, span in zip(shape, spans, strict=True)
    )
    transposed = op("Transpose", across, perm=[1, 0])
    context = op("MatMul", op("MatMul", down, scores), transposed)
    return op("Unsqueeze", context, integers(0))
