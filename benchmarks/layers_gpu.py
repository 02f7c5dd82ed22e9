"""Where the time of DME and F-CNN goes: each convolution alone, next to its roofline.

What gpu.py shows of the layers. A layer is computed without its bias, several times in
a row, and waited for once: one alone may take less time than to be started. No layer
can be quicker than a large matrix product, nor than its arrays go through memory,
unless they stay in a cache. The sum may be compared with the forward pass of the same
batch: the rest of that is biases, ReLU, pooling, and the fusion of these.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import networks_cpu
import numpy as np
import timing
import torch
import torch_twins
from flax import linen as nn
from torch_twins import REFERENCE

from cpcnn_jax.layers.fractionally_strided import LOWERINGS, FractionallyStridedConv
from cpcnn_jax.models import flops
from cpcnn_jax.models.params import to_variables

OURS = "cpcnn_jax"
REPEATS = 10


class Speed(NamedTuple):
    """What the device was measured to do at best: (JAX's, PyTorch's)."""

    peaks: list  # GFLOP/s of a large matrix product in the dtype
    bandwidths: list  # GB/s, read and written


class Layer(NamedTuple):
    """A convolution, and what it is given."""

    module: nn.Module  # without a bias
    shape: tuple  # of its input
    kernel: jax.typing.ArrayLike
    operations: int
    elements: int  # read and written: input, kernel, output


def layers(weights, batch):
    """The convolutions of DME and F-CNN by name, as they meet a batch."""
    met = {}

    def intercept(method, args, kwargs, context):
        module, y = context.module, method(*args, **kwargs)
        if isinstance(module, (nn.Conv, FractionallyStridedConv)):
            bare = module.clone(parent=None, name=None, use_bias=False)
            met["/".join(module.path)] = bare, args[0].shape, y.size
        return y

    with nn.intercept_methods(intercept):
        jax.eval_shape(torch_twins.jax_network("float32"), weights, batch)
    found = {}
    for name, (bare, shape, size) in met.items():
        kernel = weights[f"{name}/kernel"]
        (work,) = flops.layer_flops(bare, shape).values()
        elements = math.prod(shape) + kernel.size + size
        found[name] = Layer(bare, shape, kernel, work, elements)
    return found


def roofline(layer, place, speed):
    """GFLOP/s that a layer cannot exceed: by its operations, and by its bytes."""
    moved = layer.elements * jnp.dtype(place.dtype).itemsize
    return min(max(speed.peaks), max(speed.bandwidths) * layer.operations / moved)


def speed_of(place, side):
    """What the device does with square matrices."""
    return Speed(networks_cpu.peak(side, place=place), bandwidth(side, place))


def sentence(speed):
    """What is printed of it."""
    product, memory = (
        f"{ours / 1e3:.3g} T{unit} in JAX, {theirs / 1e3:.3g} in PyTorch"
        for (ours, theirs), unit in zip(speed, ("FLOP/s", "B/s"), strict=True)
    )
    return f"matrix product {product}; memory {memory}"


def bandwidth(side, place, rounds=5):
    """GB/s of adding 1 to a square matrix, read and written: (JAX's, PyTorch's)."""
    ours, theirs = torch_twins.placed(np.zeros((side, side), np.float32), place)
    add = jax.jit(lambda x: x + 1)
    calls = {
        "jax": repeated(lambda: add(ours)),
        "torch": repeated(lambda: theirs + 1),
    }
    seconds = timing.interleaved(calls, rounds + 1)  # the first compiles
    moved = 2 * REPEATS * ours.nbytes
    return [1e-9 * moved / min(times) for times in seconds.values()]


def repeated(start):
    """`() -> value` of a call that is started several times and waited for at last."""

    def call():
        found = [start() for _ in range(REPEATS)]
        return [torch_twins.finished(value) for value in found][-1]

    return call


def contenders(name, layer, place):
    """Everything there is to time of a layer, by name; of a T each lowering too."""
    modules = {OURS: layer.module}
    if isinstance(layer.module, FractionallyStridedConv):
        modules |= {
            f"{OURS}, {lowering}": layer.module.clone(lowering=lowering)
            for lowering in LOWERINGS
            if lowering != layer.module.lowering
        }
    x = np.random.default_rng(0).standard_normal(layer.shape, np.float32)
    calls = {REFERENCE: torch_call(name, layer.kernel, x, place)}
    given = [torch_twins.placed(array, place)[0] for array in (layer.kernel, x)]
    return calls | {name: jax_call(module, *given) for name, module in modules.items()}


def jax_call(module, kernel, x):
    """`() -> output` of a layer in JAX, repeated."""
    compiled = jax.jit(
        lambda kernel, x: module.apply(to_variables({"kernel": kernel}), x)
    )
    return repeated(lambda: compiled(kernel, x))


def torch_call(name, kernel, x, place):
    """`() -> output` of the same layer in PyTorch, repeated."""
    layout = torch.channels_last
    kernels = torch_twins.parameters_of({f"{name}/kernel": kernel}, layout, place)
    (kernel,) = (value.detach().to(place.torch_dtype) for value in kernels.values())
    x = torch_twins.images(x, layout, place).to(place.torch_dtype)
    return repeated(
        lambda: torch_twins.torch_layer(x, name, kernel).permute(0, 2, 3, 1)
    )


def measured(name, layer, place, speed, rounds):
    """A layer's operations, its roofline and its contenders' rows.

    Raises:
      SystemExit: the contenders do not agree.
    """
    calls = contenders(name, layer, place)
    torch_twins.agree(calls, times=2, tolerance=torch_twins.tolerance(place))
    limit = roofline(layer, place, speed)
    rows = rates(timing.interleaved(calls, rounds), layer.operations, limit)
    return {"operations": layer.operations, "roofline": limit, "contenders": rows}


def rates(seconds, operations, limit):
    """`network.rates` of calls that repeat a layer, with the share of its roofline."""
    once = {name: [t / REPEATS for t in times] for name, times in seconds.items()}
    table = networks_cpu.rates(once, operations)
    for row in table.values():
        row["share"] = row["gflops"] / limit
    return table


def cell(row):
    """A contender's milliseconds, TFLOP/s and share of the roofline."""
    rate = f"{row['gflops'] / 1e3:.3g} TFLOP/s, {row['share']:.2f}"
    return f"{1e3 * row['seconds']:.3g} ms, {rate}"


def markdown(table):
    """A row per layer, a column per contender; the sum, with T in each lowering."""
    rivals = [found["contenders"] for found in table.values()]
    names = list(dict.fromkeys(name for rows in rivals for name in rows))
    head = ["layer alone: time, rate, share of its roofline", "GFLOP", "roofline"]
    rows = [head + names, ["---"] + ["---:"] * (2 + len(names))]
    for layer, found in table.items():
        numbers = f"{found['operations'] / 1e9:.3g}", f"{found['roofline'] / 1e3:.3g}"
        known = found["contenders"]
        cells = [cell(known[name]) if name in known else "" for name in names]
        rows.append([layer, *numbers, *cells])
    sums = [sum(rows.get(n, rows[OURS])["seconds"] for rows in rivals) for n in names]
    rows.append(["sum", "", "", *(f"{1e3 * total:.3g} ms" for total in sums)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
