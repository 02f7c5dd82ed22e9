"""How fast is the fractionally-strided layer, next to Flax's and PyTorch's?

    python benchmarks/fractionally_strided.py [--rounds 9] [--threads 2] [--json FILE]

Times the two T layers of F-CNN (kernel 4, stride 2, padding 1, float32): value alone
and value with both gradients, for every lowering, for the same lowerings under JAX's
own differentiation, for flax.linen.ConvTranspose and, where it is installed, PyTorch
with channels_last. All contenders take turns in every round; a cell is the median over
the rounds of time / time of Flax in that round, with its quartiles. Every contender is
checked against the first one before it is timed.
"""

import argparse
import functools
import os
import platform
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import timing
from flax import linen as nn

from cpcnn_jax.layers import lowerings
from cpcnn_jax.layers.fractionally_strided import fractionally_strided_conv
from cpcnn_jax.layers.geometry import Geometry

REFERENCE = "flax.linen.ConvTranspose"
GEOMETRY = Geometry((4, 4), (2, 2), ((2, 2), (2, 2)), (1, 1))

# batch, height, width, channels, whether to differentiate: the inputs of T1 and T2 for
# training crops of 256 x 192 and for a photograph of 1024 x 768.
SIZES = [
    (8, 64, 48, 32, True),
    (8, 128, 96, 16, True),
    (1, 256, 192, 32, False),
    (1, 512, 384, 16, False),
]

Call = Callable[[], list]


def jax_contenders() -> dict[str, Callable]:
    """Functions of (x, kernel), by name."""

    def flax(x, kernel):
        layer = nn.ConvTranspose(kernel.shape[-1], (4, 4), (2, 2), use_bias=False)
        return layer.apply({"params": {"kernel": kernel}}, x)

    def own(lowering):
        return lambda x, kernel: lowering(x, kernel, GEOMETRY, None)

    names = ("zero_insertion", "subpixel", "auto")
    ours = {
        f"cpcnn_jax {name}": functools.partial(fractionally_strided_conv, lowering=name)
        for name in names
    }
    return {
        REFERENCE: flax,
        **ours,
        "zero_insertion, JAX's own gradient": own(lowerings.zero_insertion),
        "subpixel, JAX's own gradient": own(lowerings.subpixel),
    }


def jax_calls(layer, x, kernel, y, differentiate: bool) -> Call:
    """Compile `layer`, or its value and both gradients for the cotangent y."""

    def value_and_gradients(x, kernel, y):
        value, pull = jax.vjp(layer, x, kernel)
        return [value, *pull(y)]

    function = value_and_gradients if differentiate else lambda x, k, _: [layer(x, k)]
    compiled = jax.jit(function).lower(x, kernel, y).compile()
    return lambda: jax.block_until_ready(compiled(x, kernel, y))


def torch_calls(x, kernel, y, differentiate: bool, threads: int) -> Call | None:
    """PyTorch's layer on the same arrays, channels last; None where not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(threads)

    def tensor(array, axes):
        array = torch.tensor(np.asarray(array)).permute(axes)
        return array.contiguous(memory_format=torch.channels_last)

    x, y = tensor(x, (0, 3, 1, 2)), tensor(y, (0, 3, 1, 2))
    flipped = np.flip(kernel, (0, 1)).copy()
    kernel = tensor(flipped, (2, 3, 0, 1)).requires_grad_(differentiate)
    x.requires_grad_(differentiate)

    def call():
        value = torch.nn.functional.conv_transpose2d(x, kernel, stride=2, padding=1)
        if not differentiate:
            return [value.permute(0, 2, 3, 1)]
        dx, dkernel = torch.autograd.grad(value, (x, kernel), y)
        dkernel = dkernel.permute(2, 3, 0, 1).flip(0, 1)
        return [value.detach().permute(0, 2, 3, 1), dx.permute(0, 2, 3, 1), dkernel]

    return call


def contenders(size, differentiate: bool, threads: int) -> dict[str, Call]:
    """Everything there is to time for one input size, checked to agree."""
    batch, height, width, channels = size
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], size)
    kernel = jax.random.normal(keys[1], (4, 4, channels, channels)) / 4
    y = jax.random.normal(keys[2], (batch, 2 * height, 2 * width, channels))
    calls = {
        name: jax_calls(layer, x, kernel, y, differentiate)
        for name, layer in jax_contenders().items()
        if differentiate or not name.endswith("gradient")
    }
    torch = torch_calls(x, kernel, y, differentiate, threads)
    calls |= {} if torch is None else {"torch channels_last": torch}
    expected = calls[REFERENCE]()
    for name, call in calls.items():
        for got, want in zip(call(), expected, strict=True):
            error = jnp.abs(jnp.asarray(np.asarray(got)) - want).max()
            if error > 1e-4 * jnp.abs(want).max():
                raise SystemExit(f"{name} differs from {REFERENCE} by {error}")
    return calls


def markdown(columns: dict[str, dict[str, dict[str, float]]]) -> str:
    """A row per contender, a column per size and task."""
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    rows = [["time / time of flax.linen.ConvTranspose", *columns]]
    rows.append(["---"] + ["---:"] * len(columns))
    for name in names:
        row = [name]
        for column in columns.values():
            c = column.get(name)
            row.append(
                f"{c['median']:.2f} ({c['low']:.2f}-{c['high']:.2f})" if c else ""
            )
        rows.append(row)
    taken = [f"{1e3 * c[REFERENCE]['seconds']:.0f} ms" for c in columns.values()]
    rows.append(["(Flax's time)", *taken])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Measure, print the table, write it as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="at least 2")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="PyTorch's; JAX takes all"
    )
    parser.add_argument("--json", metavar="FILE", help="also put the table here")
    flags = parser.parse_args()

    columns = {}
    for *size, train in SIZES:
        batch, height, width, channels = size
        shape = f"{batch} x {height} x {width} x {channels}"
        for task, differentiate in [("value", False), ("with gradients", True)]:
            if train or not differentiate:
                calls = contenders(tuple(size), differentiate, flags.threads)
                seconds = timing.interleaved(calls, flags.rounds)
                columns[f"{shape}, {task}"] = timing.ratios(seconds, REFERENCE)
    print(markdown(columns))
    where = (
        f"{jax.devices()[0].device_kind}, {os.cpu_count()} cores, jax {jax.__version__}"
    )
    print(f"\n{where}, Python {platform.python_version()}, {flags.rounds} rounds")
    if flags.json:
        found = dict(where=where, rounds=flags.rounds, columns=columns)
        timing.write(flags.json, "fractionally_strided", found)


if __name__ == "__main__":
    main()
