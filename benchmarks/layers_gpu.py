"""Time of each convolution of DME and F-CNN alone, against its roofline.

networks_gpu.py prints these tables. A call computes a layer several times without its
bias and waits once, because one layer may take less time than its launch. The roofline
is the lesser of the rate of a large matrix product and of the memory bandwidth; arrays
that stay in a cache may exceed the latter. The forward pass of the same batch has in
addition biases, ReLU, pooling, and the fusion of these.
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
    """Measured peak rates of the device, each (JAX's, PyTorch's)."""

    peaks: list  # GFLOP/s of a large matrix product in the dtype
    bandwidths: list  # GB/s, read and written


class Layer(NamedTuple):
    """A convolution with its input shape and kernel."""

    module: nn.Module  # without a bias
    shape: tuple  # of the input
    kernel: jax.typing.ArrayLike
    operations: int  # FLOPs
    elements: int  # read and written: input, kernel, output


def layers(weights, batch):
    """Returns the convolutions of DME and F-CNN on a batch, by name."""
    calls = {}

    def intercept(method, args, kwargs, context):
        module, y = context.module, method(*args, **kwargs)
        if isinstance(module, (nn.Conv, FractionallyStridedConv)):
            bare = module.clone(parent=None, name=None, use_bias=False)
            calls["/".join(module.path)] = bare, args[0].shape, y.size
        return y

    with nn.intercept_methods(intercept):
        jax.eval_shape(torch_twins.jax_network("float32"), weights, batch)
    named_layers = {}
    for name, (bare, shape, size) in calls.items():
        kernel = weights[f"{name}/kernel"]
        (work,) = flops.layer_flops(bare, shape).values()
        elements = math.prod(shape) + kernel.size + size
        named_layers[name] = Layer(bare, shape, kernel, work, elements)
    return named_layers


def roofline(layer, place, speed):
    """Returns the largest possible GFLOP/s of a layer, by operations and by bytes."""
    moved_bytes = layer.elements * jnp.dtype(place.dtype).itemsize
    return min(max(speed.peaks), max(speed.bandwidths) * layer.operations / moved_bytes)


def speed_of(place, side):
    """Measures the device with square matrices."""
    return Speed(networks_cpu.peak(side, place=place), bandwidth(side, place))


def sentence(speed):
    """Formats the peak rates."""
    product, memory = (
        f"{in_jax / 1e3:.3g} T{unit} in JAX, {in_torch / 1e3:.3g} in PyTorch"
        for (in_jax, in_torch), unit in zip(speed, ("FLOP/s", "B/s"), strict=True)
    )
    return f"matrix product {product}; memory {memory}"


def bandwidth(side, place, rounds=5):
    """Measures GB/s read and written by x + 1 of a square matrix, per framework."""
    jax_array, tensor = torch_twins.placed(np.zeros((side, side), np.float32), place)
    add = jax.jit(lambda x: x + 1)
    calls = {
        "jax": repeated(lambda: add(jax_array)),
        "torch": repeated(lambda: tensor + 1),
    }
    seconds = timing.interleaved(calls, rounds + 1)  # the first compiles
    moved_bytes = 2 * REPEATS * jax_array.nbytes
    return [1e-9 * moved_bytes / min(times) for times in seconds.values()]


def repeated(start):
    """Returns `() -> value`: starts a call several times, then waits for all."""

    def call():
        values = [start() for _ in range(REPEATS)]
        return [torch_twins.finished(value) for value in values][-1]

    return call


def contenders(name, layer, place):
    """Makes all timed calls of a layer, by name; for a T also each lowering."""
    modules = {OURS: layer.module}
    if isinstance(layer.module, FractionallyStridedConv):
        modules |= {
            f"{OURS}, {lowering}": layer.module.clone(lowering=lowering)
            for lowering in LOWERINGS
            if lowering != layer.module.lowering
        }
    x = np.random.default_rng(0).standard_normal(layer.shape, np.float32)
    calls = {REFERENCE: torch_call(name, layer.kernel, x, place)}
    arrays = [torch_twins.placed(array, place)[0] for array in (layer.kernel, x)]
    return calls | {name: jax_call(module, *arrays) for name, module in modules.items()}


def jax_call(module, kernel, x):
    """Returns `() -> output` of a layer in JAX, repeated."""
    compiled = jax.jit(
        lambda kernel, x: module.apply(to_variables({"kernel": kernel}), x)
    )
    return repeated(lambda: compiled(kernel, x))


def torch_call(name, kernel, x, place):
    """Returns `() -> output` of the same layer in PyTorch, repeated."""
    layout = torch.channels_last
    kernels = torch_twins.parameters_of({f"{name}/kernel": kernel}, layout, place)
    (kernel,) = (value.detach().to(place.torch_dtype) for value in kernels.values())
    x = torch_twins.images(x, layout, place).to(place.torch_dtype)
    return repeated(
        lambda: torch_twins.torch_layer(x, name, kernel).permute(0, 2, 3, 1)
    )


def measured(name, layer, place, speed, rounds):
    """Measures a layer; returns its operations, roofline and contenders' rows.

    Raises:
      SystemExit: the results differ.
    """
    calls = contenders(name, layer, place)
    torch_twins.agree(calls, times=2, tolerance=torch_twins.tolerance(place))
    limit = roofline(layer, place, speed)
    rows = rates(timing.interleaved(calls, rounds), layer.operations, limit)
    return {"operations": layer.operations, "roofline": limit, "contenders": rows}


def rates(seconds, operations, limit):
    """Computes `networks_cpu.rates` of one repeat, and the share of the roofline."""
    once = {name: [t / REPEATS for t in times] for name, times in seconds.items()}
    table = networks_cpu.rates(once, operations)
    for row in table.values():
        row["share"] = row["gflops"] / limit
    return table


def cell(row):
    """Formats the milliseconds, the TFLOP/s and the share of the roofline."""
    rate = f"{row['gflops'] / 1e3:.3g} TFLOP/s, {row['share']:.2f}"
    return f"{1e3 * row['seconds']:.3g} ms, {rate}"


def markdown(table):
    """Formats one row per layer, one column per contender, and the sum."""
    columns = [layer["contenders"] for layer in table.values()]
    names = list(dict.fromkeys(name for column in columns for name in column))
    head = ["layer alone: time, rate, share of its roofline", "GFLOP", "roofline"]
    rows = [head + names, ["---"] + ["---:"] * (2 + len(names))]
    for name, layer in table.items():
        numbers = f"{layer['operations'] / 1e9:.3g}", f"{layer['roofline'] / 1e3:.3g}"
        contenders = layer["contenders"]
        cells = [cell(contenders[n]) if n in contenders else "" for n in names]
        rows.append([name, *numbers, *cells])
    sums = [sum(c.get(n, c[OURS])["seconds"] for c in columns) for n in names]
    rows.append(["sum", "", "", *(f"{1e3 * total:.3g} ms" for total in sums)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
