"""Speed of the networks on a CPU against the same networks in PyTorch.

    python benchmarks/networks_cpu.py [--rounds 5] [--compile] [--json FILE]

Tasks of DME and F-CNN: one 1024 x 768 image forward, a batch of eight 256 x 192 crops
forward, and a training step (loss L_E, Adam) on such a batch, in float32, with given
context maps. cpcnn_jax splits a batch over two virtual devices. The last task counts a
1024 x 768 image with the network with a shared backbone, and with CSRNet. All
contenders take turns in every
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
import shared_twin
import timing
import torch
import torch_twins
from torch.utils.flop_counter import FlopCounterMode
from torch_twins import CPU, REFERENCE

CSRNET = "CSRNet in cpcnn_jax"


def torch_options(with_compiled):
    """Lists the contenders of PyTorch and their options, by name."""
    layouts = {
        REFERENCE: dict(layout=torch.channels_last),
        "torch contiguous": dict(layout=torch.contiguous_format),
    }
    if with_compiled:
        layouts["torch.compile"] = dict(layout=torch.channels_last, compiled=True)
    return layouts


def contenders(weights, batch, *, train, with_compiled):
    """Makes all timed calls of DME and F-CNN, by name."""
    calls = {
        name: torch_twins.torch_calls(weights, batch, **options)[train]
        for name, options in torch_options(with_compiled).items()
    }
    devices = jax.devices("cpu")[: len(batch["image"])]
    make_call = torch_twins.jax_training if train else torch_twins.jax_forward
    return calls | {"cpcnn_jax": make_call(weights, batch, devices=devices)}


def shared_contenders(image, *, with_compiled):
    """Makes all timed calls of the network with a shared backbone, by name."""
    weights = shared_twin.draw_weights()
    calls = {
        name: shared_twin.torch_call(weights, image, **options)
        for name, options in torch_options(with_compiled).items()
    }
    return calls | {"cpcnn_jax": shared_twin.jax_call(weights, image)}


def rates(seconds, operations):
    """Computes `timing.ratios` and the GFLOP/s of each contender."""
    table = timing.ratios(seconds, REFERENCE)
    for row in table.values():
        row["gflops"] = operations / row["seconds"] / 1e9
    return table


def operations(weights, batch, *, train, place=CPU):
    """Counts the FLOPs of the convolutions of DME and F-CNN."""
    options = torch.contiguous_format, place
    return count_flops(torch_twins.torch_calls(weights, batch, *options)[train])


def count_flops(call):
    """Counts the FLOPs of the convolutions of a call, with PyTorch's counter."""
    with FlopCounterMode(display=False) as counter:
        call()
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
    text = f"{row['median']:.2f} ({row['low']:.2f}-{row['high']:.2f})"
    rate = f", {row['gflops']:.0f} GFLOP/s" if "gflops" in row else ""
    return f"{text}, {row['seconds']:.2f} s{rate}"


def markdown(columns, cell=cell, head=f"time / time of {REFERENCE}"):
    """Formats one row per contender, one column per task."""
    rows = [[head, *columns], ["---"] + ["---:"] * len(columns)]
    for name in dict.fromkeys(name for column in columns.values() for name in column):
        cells = (cell(c[name]) if name in c else "" for c in columns.values())
        rows.append([name, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def shared_column(flags):
    """Measures the network with a shared backbone, and CSRNet beside it."""
    image = np.random.default_rng(0).random((768, 1024, 3), np.float32)
    calls = shared_contenders(image, with_compiled=flags.compile)
    torch_twins.agree(calls, times=1)
    csrnet = shared_twin.csrnet_call(image)
    csrnet()  # compiles
    seconds = timing.interleaved(calls | {CSRNET: csrnet}, flags.rounds)
    table = rates(seconds, count_flops(calls[REFERENCE]))
    table[CSRNET].pop("gflops")  # of other operations
    return table


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
    columns["shared backbone, 1024 x 768"] = shared_column(flags)
    print(markdown(columns))
    where = machine(flags.rounds)
    print(f"\n{where}")
    if flags.json:
        table = dict(where=where, rounds=flags.rounds, columns=columns)
        timing.write(flags.json, "network", table)


if __name__ == "__main__":
    main()
