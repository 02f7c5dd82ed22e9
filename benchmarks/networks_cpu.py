"""How fast are DME and F-CNN, next to the same networks in PyTorch?

    python benchmarks/networks_cpu.py [--rounds 5] [--compile] [--json FILE]

One 1024 x 768 photograph forward, a batch of eight 256 x 192 crops forward, and a
training step (loss L_E, Adam) on such a batch, float32, context maps given. We divide a
batch over two virtual devices. All contenders take turns in every round, each alone on
all cores; a cell is the median over the rounds of time / time of PyTorch's eager form
with channels_last in that round, with its quartiles. What the contenders compute is
compared before anything is timed. GFLOP/s are the convolutions' operations, as PyTorch
counts them, beside the machine's own for a large matrix product.
"""

import argparse
import os
import platform

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")  # before JAX is imported

import jax
import jax.numpy as jnp
import numpy as np
import timing
import torch
import torch_twins
from torch.utils.flop_counter import FlopCounterMode
from torch_twins import CPU, REFERENCE


def contenders(weights, batch, *, train, with_compiled):
    """Everything there is to time, by name."""
    layouts = {
        REFERENCE: dict(layout=torch.channels_last),
        "torch contiguous": dict(layout=torch.contiguous_format),
    }
    if with_compiled:
        layouts["torch.compile"] = dict(layout=torch.channels_last, compiled=True)
    calls = {
        name: torch_twins.torch_calls(weights, batch, **options)[train]
        for name, options in layouts.items()
    }
    devices = jax.devices("cpu")[: len(batch["image"])]
    ours = torch_twins.jax_training if train else torch_twins.jax_forward
    return calls | {"cpcnn_jax": ours(weights, batch, devices=devices)}


def rates(seconds, operations):
    """`timing.ratios`, and the GFLOP/s that each contender reached."""
    table = timing.ratios(seconds, REFERENCE)
    for row in table.values():
        row["gflops"] = operations / row["seconds"] / 1e9
    return table


def operations(weights, batch, *, train, place=CPU):
    """Floating-point operations of the convolutions, as PyTorch counts them."""
    with FlopCounterMode(display=False) as counter:
        torch_twins.torch_calls(weights, batch, torch.contiguous_format, place)[train]()
    return counter.get_total_flops()


def peak(side=3000, rounds=5, place=CPU):
    """GFLOP/s of a large matrix product in the place's dtype: (JAX's, PyTorch's)."""
    a = np.random.default_rng(0).random((side, side), np.float32)
    ours, theirs = torch_twins.placed(a, place)
    product = jax.jit(jnp.matmul)
    calls = {
        "jax": lambda: torch_twins.finished(product(ours, ours)),
        "torch": lambda: torch_twins.finished(theirs.matmul(theirs)),
    }
    seconds = timing.interleaved(calls, rounds + 1)  # the first compiles
    return [2e-9 * side**3 / min(times) for times in seconds.values()]


def machine(rounds):
    """Where it was measured, with what."""
    ours, theirs = peak()
    return (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"matrix product {ours:.0f} GFLOP/s in JAX, {theirs:.0f} in PyTorch; "
        f"jax {jax.__version__}, torch {torch.__version__}, {rounds} rounds"
    )


def cell(row):
    """A contender's ratio with its quartiles, its seconds and its GFLOP/s."""
    return (
        f"{row['median']:.2f} ({row['low']:.2f}-{row['high']:.2f}), "
        f"{row['seconds']:.2f} s, {row['gflops']:.0f} GFLOP/s"
    )


def markdown(columns, cell=cell, head=f"time / time of {REFERENCE}"):
    """A row per contender, a column per task."""
    rows = [[head, *columns], ["---"] + ["---:"] * len(columns)]
    for name in next(iter(columns.values())):
        rows.append([name, *(cell(column[name]) for column in columns.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main():
    """Measure, print the table, add it to a JSON file if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="at least 2")
    parser.add_argument(
        "--compile",
        action="store_true",
        help="torch.compile too (needs a C++ compiler)",
    )
    parser.add_argument("--json", metavar="FILE", help="also put the table here")
    flags = parser.parse_args()
    weights = torch_twins.first_weights()
    columns = {}
    for title, sizes, train in [
        ("1024 x 768, forward", (1, 768, 1024), False),
        ("8 of 256 x 192, forward", (8, 192, 256), False),
        ("8 of 256 x 192, training step", (8, 192, 256), True),
    ]:
        batch = torch_twins.arrays(*sizes)
        calls = contenders(weights, batch, train=train, with_compiled=flags.compile)
        torch_twins.agree(calls, times=3 if train else 1)
        seconds = timing.interleaved(calls, flags.rounds)
        columns[title] = rates(seconds, operations(weights, batch, train=train))
    print(markdown(columns))
    where = machine(flags.rounds)
    print(f"\n{where}")
    if flags.json:
        found = dict(where=where, rounds=flags.rounds, columns=columns)
        timing.write(flags.json, "network", found)


if __name__ == "__main__":
    main()
