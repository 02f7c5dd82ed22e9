"""Blocks and windows along one axis of an image whose length a file cannot know.

`models.context` says where they lie; here ONNX nodes work it out from the length, and
make of it the matrices that cut, shrink and spread. `op` is a `onnx_graph.Graph`; a
length
is the name of an int64 scalar, starts and stops of int64 vectors, all in pixels.
"""

import numpy as np
from onnx import TensorProto

from cpcnn_jax.models.context_map import POOLING


def _integers(*values):
    return np.array(values, np.int64)


def rounded_up(op, length):
    """The length as a multiple of 4."""
    fours = op("Div", op("Add", length, np.int64(POOLING - 1)), np.int64(POOLING))
    return op("Mul", fours, np.int64(POOLING))


def repeating(op, length, padded):
    """Indices `[padded]` that repeat the last pixel beyond the length."""
    last = op("Sub", length, np.int64(1))
    return op("Min", _pixels(op, padded), last)


def block_spans(op, length, blocks):
    """(starts, stops) as of `context_map.block_spans`."""
    edges = [np.arange(first, first + blocks, dtype=np.int64) for first in (0, 1)]
    starts, stops = (
        op("Div", op("Mul", length, edge), np.int64(blocks)) for edge in edges
    )
    return starts, stops


def window_spans(op, length, *, window, stride):
    """(starts, stops) as of `context_map.window_spans`, however many there are."""
    # Never negative: an image that is too small is an index out of its bounds.
    last = op("Max", op("Sub", length, np.int64(window)), np.int64(0))
    number = op("Div", op("Add", last, np.int64(2 * stride - 1)), np.int64(stride))
    steps = op("Range", np.int64(0), number, np.int64(1))
    starts = op("Min", op("Mul", steps, np.int64(stride)), last)
    return starts, op("Add", starts, np.int64(window))


def parts(op, starts, window, side):
    """(starts, stops) of the parts of windows, all of one side."""
    inner = np.arange(0, window, side, dtype=np.int64)
    apart = op("Add", op("Unsqueeze", starts, _integers(1)), inner)
    first = op("Reshape", apart, _integers(-1))
    return first, op("Add", first, np.int64(side))


def coverage(op, length, spans):
    """`[length / 4, len(spans)]` float32, as of `context_map.coverage`."""
    pixels = op("Unsqueeze", _pixels(op, length), _integers(1))
    inside = _inside(op, pixels, *spans)
    inside = op("Div", inside, op("ReduceSum", inside, _integers(1)))
    shape = op("Concat", _integers(-1, POOLING), op("Shape", spans[0]), axis=0)
    cells = op("Reshape", inside, shape)
    return op("ReduceMean", cells, _integers(1), keepdims=0)


def resizing(op, length, spans, side):
    """`[len(spans) * side, length]` float32: each span resized to so many pixels.

    Bilinear, and where it shrinks each new pixel is a mean of all that it covers, as
    `jax.image.resize` has it: the weight of pixel j for the new pixel i falls with the
    distance of their middles, from 1 to 0 over a pixel of the coarser of both grids.
    Distances are counted in fractions of which 2 * side make a pixel: whole numbers.
    """
    starts, stops = (op("Unsqueeze", ends, _integers(1, 2)) for ends in spans)
    sizes = op("Sub", stops, starts)
    new = np.arange(1, 2 * side, 2, dtype=np.int64).reshape(1, side, 1)
    pixels = op("Unsqueeze", _pixels(op, length), _integers(0, 1))
    old = op("Sub", op("Mul", pixels, np.int64(2)), op("Mul", starts, np.int64(2)))
    old = op("Add", old, np.int64(1))
    apart = op("Sub", op("Mul", sizes, new), op("Mul", old, np.int64(side)))
    reach = op("Mul", op("Max", sizes, np.int64(side)), np.int64(2))
    near = op("Div", _float(op, op("Abs", apart)), _float(op, reach))
    weights = op("Relu", op("Sub", np.float32(1), near))
    weights = op("Mul", weights, _inside(op, pixels, starts, stops))
    weights = op("Div", weights, op("ReduceSum", weights, _integers(2)))
    width = op("Unsqueeze", length, _integers(0))
    return op("Reshape", weights, op("Concat", _integers(-1), width, axis=0))


def _pixels(op, length):
    return op("Range", np.int64(0), length, np.int64(1))


def _inside(op, pixels, starts, stops):
    """1 where a pixel lies in a span, 0 elsewhere."""
    begun = op("GreaterOrEqual", pixels, starts)
    return _float(op, op("And", begun, op("Less", pixels, stops)))


def _float(op, values):
    return op("Cast", values, to=TensorProto.FLOAT)
