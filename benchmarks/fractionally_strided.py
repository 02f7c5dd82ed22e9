"""Speed of the fractionally-strided layer against Flax's and PyTorch's.

    python benchmarks/fractionally_strided.py [--rounds 9] [--threads 2] [--json FILE]

Tasks: the two T layers of F-CNN (kernel 4, stride 2, padding 1, float32), value alone
and value with both gradients. Contenders: every lowering, the same lowerings with JAX's
own differentiation, flax.linen.ConvTranspose and, if installed, PyTorch with
channels_last. All contenders take turns in every round. A cell is the ratio to Flax's
time in the same round: the median and the quartiles over the rounds. The results are
compared before the timing.
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
from cpcnn_jax.layers.fractionally_strided import LOWERINGS, fractionally_strided_conv
from cpcnn_jax.layers.geometry import Geometry

REFERENCE = "flax.linen.ConvTranspose"
GEOMETRY = Geometry((4, 4), (2, 2), ((2, 2), (2, 2)), (1, 1))

# Batch, height, width, channels, whether to differentiate: the inputs of T1 and T2 for
# training crops of 256 x 192 and for an image of 1024 x 768.
SIZES = [
    (8, 64, 48, 32, True),
    (8, 128, 96, 16, True),
    (1, 256, 192, 32, False),
    (1, 512, 384, 16, False),
]

Call = Callable[[], list]


def jax_contenders() -> dict[str, Callable]:
    """Returns functions of (x, kernel), by name."""

    def flax(x, kernel):
        layer = nn.ConvTranspose(kernel.shape[-1], (4, 4), (2, 2), use_bias=False)
        return layer.apply({"params": {"kernel": kernel}}, x)

    def without_primitive(lowering):
        return lambda x, kernel: lowering(x, kernel, GEOMETRY, None)

    layers = {
        f"cpcnn_jax {name}": functools.partial(fractionally_strided_conv, lowering=name)
        for name in LOWERINGS
    }
    return {
        REFERENCE: flax,
        **layers,
        "zero_insertion, JAX's own gradient": without_primitive(
            lowerings.zero_insertion
        ),
        "subpixel, JAX's own gradient": without_primitive(lowerings.subpixel),
    }


def jax_calls(layer, x, kernel, y, differentiate: bool) -> Call:
    """Compiles `layer`, or its value and both gradients for the cotangent y."""

    def value_and_gradients(x, kernel, y):
        value, pull = jax.vjp(layer, x, kernel)
        return [value, *pull(y)]

    function = value_and_gradients if differentiate else lambda x, k, _: [layer(x, k)]
    compiled = jax.jit(function).lower(x, kernel, y).compile()
    return lambda: jax.block_until_ready(compiled(x, kernel, y))


def torch_calls(x, kernel, y, differentiate: bool, threads: int) -> Call | None:
    """Returns PyTorch's layer with channels last, or None if it is not installed."""
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
    """Makes all timed calls for one input size.

    Raises:
      SystemExit: the results differ.
    """
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
    """Formats one row per contender, one column per size and task."""
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
    times = [f"{1e3 * c[REFERENCE]['seconds']:.0f} ms" for c in columns.values()]
    rows.append(["(Flax's time)", *times])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Measures, prints the table and optionally adds it to a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="at least 2")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="of PyTorch; JAX uses all"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the table here")
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
        table = dict(where=where, rounds=flags.rounds, columns=columns)
        timing.write(flags.json, "fractionally_strided", table)


if __name__ == "__main__":
    main()
