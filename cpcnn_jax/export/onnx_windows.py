"""Blocks and windows along one axis of dynamic length, as ONNX nodes.

The nodes compute the spans of `models.context_map` from the length, and matrices and
indices that cut, resize and write windows. `op` is an `onnx_graph.Graph`; a length is
the name of an int64 scalar, spans are the names of int64 vectors (starts, stops), all
in pixels.
"""

import numpy as np
from onnx import TensorProto

from cpcnn_jax.export.onnx_graph import Graph, integers
from cpcnn_jax.models.context_map import POOLING

Spans = tuple[str, str]


def round_up(op: Graph, length: str) -> str:
    """Rounds the length up to a multiple of 4."""
    fours = op("Div", op("Add", length, np.int64(POOLING - 1)), np.int64(POOLING))
    return op("Mul", fours, np.int64(POOLING))


def edge_indices(op: Graph, length: str, padded: str) -> str:
    """Computes indices `[padded]` that repeat the last pixel beyond the length."""
    return op("Min", _pixels(op, padded), op("Sub", length, np.int64(1)))


def block_spans(op: Graph, length: str, blocks: int) -> Spans:
    """Computes `context_map.block_spans`."""
    edges = [np.arange(first, first + blocks, dtype=np.int64) for first in (0, 1)]
    starts, stops = (
        op("Div", op("Mul", length, edge), np.int64(blocks)) for edge in edges
    )
    return starts, stops


def window_spans(op: Graph, length: str, *, window: int, stride: int) -> Spans:
    """Computes `context_map.window_spans`."""
    # Never negative, so that a too small image leads to an index out of bounds.
    last = op("Max", op("Sub", length, np.int64(window)), np.int64(0))
    number = op("Div", op("Add", last, np.int64(2 * stride - 1)), np.int64(stride))
    steps = op("Range", np.int64(0), number, np.int64(1))
    starts = op("Min", op("Mul", steps, np.int64(stride)), last)
    return starts, op("Add", starts, np.int64(window))


def coverage(op: Graph, length: str, spans: Spans) -> str:
    """Computes `context_map.coverage`, `[length / 4, len(spans)]` float32."""
    pixels = op("Unsqueeze", _pixels(op, length), integers(1))
    inside = _inside(op, pixels, *spans)
    inside = op("Div", inside, op("ReduceSum", inside, integers(1)))
    shape = op("Concat", integers(-1, POOLING), op("Shape", spans[0]), axis=0)
    return op("ReduceMean", op("Reshape", inside, shape), integers(1), keepdims=0)


def resize_matrix(op: Graph, length: str, spans: Spans, side: int) -> str:
    """Computes the matrix that resizes each span, `[len(spans) * side, length]`.

    The resize is bilinear and antialiased, as in `jax.image.resize`: the weight of an
    old pixel for a new one falls linearly with the distance of their centers, from 1 to
    0 over one pixel of the coarser grid. Distances are integers, in units of
    1 / (2 * side) pixel.
    """
    starts, stops = (op("Unsqueeze", ends, integers(1, 2)) for ends in spans)
    sizes = op("Sub", stops, starts)
    new = np.arange(1, 2 * side, 2, dtype=np.int64).reshape(1, side, 1)
    pixels = op("Unsqueeze", _pixels(op, length), integers(0, 1))
    old = op("Sub", op("Mul", pixels, np.int64(2)), op("Mul", starts, np.int64(2)))
    old = op("Add", old, np.int64(1))
    distance = op("Sub", op("Mul", sizes, new), op("Mul", old, np.int64(side)))
    reach = op("Mul", op("Max", sizes, np.int64(side)), np.int64(2))
    relative = op("Div", _to_float(op, op("Abs", distance)), _to_float(op, reach))
    weights = op("Relu", op("Sub", np.float32(1), relative))
    weights = op("Mul", weights, _inside(op, pixels, starts, stops))
    weights = op("Div", weights, op("ReduceSum", weights, integers(2)))
    width = op("Unsqueeze", length, integers(0))
    return op("Reshape", weights, op("Concat", integers(-1), width, axis=0))


def _pixels(op, length):
    return op("Range", np.int64(0), length, np.int64(1))


def _inside(op, pixels, starts, stops):
    """Computes 1 for a pixel inside a span, else 0."""
    after_start = op("GreaterOrEqual", pixels, starts)
    return _to_float(op, op("And", after_start, op("Less", pixels, stops)))


def _to_float(op, values):
    return op("Cast", values, to=TensorProto.FLOAT)
