"""Speed of DME and F-CNN on a CPU against the same networks in PyTorch.

    python benchmarks/networks_cpu.py [--rounds 5] [--compile] [--json FILE]

Tasks: one 1024 x 768 image forward, a batch of eight 256 x 192 crops forward, and a
training step (loss L_E, Adam) on such a batch, in float32, with given context maps.
cpcnn_jax splits a batch over two virtual devices. All contenders take turns in every
round, each alone on all cores. A cell is the ratio to the time of eager PyTorch with
channels_last in the same round: the median and the quartiles over the rounds. The
results are compared before the timing. GFLOP/s are the convolutions' operations, as
PyTorch counts them; the last line gives those of a large matrix product.
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
    """Makes all timed calls, by name."""
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
    make_call = torch_twins.jax_training if train else torch_twins.jax_forward
    return calls | {"cpcnn_jax": make_call(weights, batch, devices=devices)}


def rates(seconds, operations):
    """Computes `timing.ratios` and the GFLOP/s of each contender."""
    table = timing.ratios(seconds, REFERENCE)
    for row in table.values():
        row["gflops"] = operations / row["seconds"] / 1e9
    return table


def operations(weights, batch, *, train, place=CPU):
    """Counts the FLOPs of the convolutions with PyTorch's counter."""
    with FlopCounterMode(display=False) as counter:
        torch_twins.torch_calls(weights, batch, torch.contiguous_format, place)[train]()
    return counter.get_total_flops()


def peak(side=3000, rounds=5, place=CPU):
    """Measures the GFLOP/s of a large matrix product in JAX and in PyTorch."""
    a = np.random.default_rng(0).random((side, side), np.float32)
    jax_array, tensor = torch_twins.placed(a, place)
    product = jax.jit(jnp.matmul)
    calls = {
        "jax": lambda: torch_twins.finished(product(jax_array, jax_array)),
        "torch": lambda: torch_twins.finished(tensor.matmul(tensor)),
    }
    seconds = timing.interleaved(calls, rounds + 1)  # the first compiles
    return [2e-9 * side**3 / min(times) for times in seconds.values()]


def machine(rounds):
    """Describes the machine and the versions."""
    jax_peak, torch_peak = peak()
    return (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"matrix product {jax_peak:.0f} GFLOP/s in JAX, {torch_peak:.0f} in PyTorch; "
        f"jax {jax.__version__}, torch {torch.__version__}, {rounds} rounds"
    )


def cell(row):
    """Formats a ratio with its quartiles, the seconds and the GFLOP/s."""
    return (
        f"{row['median']:.2f} ({row['low']:.2f}-{row['high']:.2f}), "
        f"{row['seconds']:.2f} s, {row['gflops']:.0f} GFLOP/s"
    )


def markdown(columns, cell=cell, head=f"time / time of {REFERENCE}"):
    """Formats one row per contender, one column per task."""
    rows = [[head, *columns], ["---"] + ["---:"] * len(columns)]
    for name in next(iter(columns.values())):
        rows.append([name, *(cell(column[name]) for column in columns.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main():
    """Measures, prints the table and optionally adds it to a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="at least 2")
    parser.add_argument(
        "--compile",
        action="store_true",
        help="also time torch.compile (needs a C++ compiler)",
    )
    parser.add_argument("--json", metavar="FILE", help="also write the table here")
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
        table = dict(where=where, rounds=flags.rounds, columns=columns)
        timing.write(flags.json, "network", table)


if __name__ == "__main__":
    main()
