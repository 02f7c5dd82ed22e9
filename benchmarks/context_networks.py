"""Cost of the context networks relative to DME and F-CNN.

    python benchmarks/context_networks.py [--rounds 5] [--json FILE]

The three parts of CP-CNN on one 1024 x 768 image, as the counter runs them, at the
default widths and strides, with random weights: LCE on 192 windows, GCE on 16 blocks,
and DME with F-CNN. The parts take turns in every round. The table holds the ratio of
each part's time to that of DME and F-CNN in the same round (median and quartiles), and
the ratio of the convolutions' operations. GCE has the same work for images of all
sizes. The parts are compared with the counter before the timing.
"""

import argparse
import math
import os

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")  # as in a counter

import jax
import networks_cpu
import numpy as np
import timing

from cpcnn_jax import config
from cpcnn_jax.inference import context_scores, counter, tiling
from cpcnn_jax.models import cpcnn, flops
from cpcnn_jax.models.gce import SIDE
from cpcnn_jax.training.init import params as init_params

SIZE = (768, 1024)
BLOCKS = 4
MAP, LOCAL, GLOBAL = "DME + F-CNN", "LCE", "GCE"
BOTH = "cpcnn_jax: LCE, DME, F-CNN"


def parts(model, weights, pixels, whole):
    """Makes the calls of the counter's parts, by name.

    Args:
      model: CPCNN with all four networks.
      weights: flat parameter dict.
      pixels: `[H, W, 3]` uint8, sides that are multiples of 4.
      whole: the counter's `Count` of the image; DME and F-CNN take its context.
    """
    given = jax.device_put(weights)
    score, estimate = (
        context_scores.context_estimator(model),
        tiling.density_estimator(model),
    )
    grids = model.grids(pixels.shape[:2], blocks=BLOCKS)

    scores = {"global": whole.global_scores, "local": whole.local_scores}
    context = context_scores.spread_scores(scores, grids, pixels.shape[:2])
    return {
        LOCAL: lambda: score(given, pixels, {"local": grids["local"]}),
        GLOBAL: lambda: score(given, pixels, {"global": grids["global"]}),
        MAP: lambda: estimate(given, pixels, context),
    }


def agree(calls, whole):
    """Checks that the parts return the counter's results.

    Raises:
      SystemExit: a part differs.
    """
    results = [calls[LOCAL]()["local"], calls[GLOBAL]()["global"], calls[MAP]()]
    expected = whole.local_scores, whole.global_scores, whole.density
    for name, a, b in zip((LOCAL, GLOBAL, MAP), results, expected, strict=True):
        if np.abs(a - b).max() > 1e-5 * np.abs(b).max():
            raise SystemExit(f"{name} differs from the counter's: nothing was timed")


def operations(model, shape):
    """Counts the FLOPs of each part, by name."""
    grids = model.grids(shape, blocks=BLOCKS)
    patches, images = (math.prod(map(len, grids[name])) for name in ("local", "global"))
    window = [stop - start for (start, stop), *_ in grids["local"]]
    layers = flops.layer_flops(model, (1, *shape, 3))
    map_flops = [
        work for name, work in layers.items() if name.startswith(("dme", "fcnn"))
    ]
    return {
        LOCAL: sum(flops.layer_flops(model.lce, (patches, *window, 3)).values()),
        GLOBAL: sum(flops.layer_flops(model.gce, (images, SIDE, SIDE, 3)).values()),
        MAP: sum(map_flops),
    }


def ratios(seconds, work):
    """Computes `timing.ratios` of the parts, and of LCE with DME and F-CNN."""
    both = [a + b for a, b in zip(seconds[LOCAL], seconds[MAP], strict=True)]
    work = work | {BOTH: work[LOCAL] + work[MAP]}
    table = timing.ratios(seconds | {BOTH: both}, MAP)
    for name, row in table.items():
        row["operations"] = work[name] / work[MAP]
        row["gflops"] = work[name] / row["seconds"] / 1e9
    return table


def markdown(table):
    """Formats one row per part."""
    rows = [
        ["", "time / DME + F-CNN", "operations / DME + F-CNN", "seconds", "GFLOP/s"],
        ["---", "---:", "---:", "---:", "---:"],
    ]
    for name, row in table.items():
        cell = f"{row['median']:.2f} ({row['low']:.2f}-{row['high']:.2f})"
        rows.append([name, cell, f"{row['operations']:.2f}"])
        rows[-1] += [f"{row['seconds']:.2f}", f"{row['gflops']:.0f}"]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main():
    """Measures, prints the table and optionally adds it to a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="at least 2")
    parser.add_argument("--json", metavar="FILE", help="also write the table here")
    flags = parser.parse_args()
    model = cpcnn.build(config.Model())
    weights = init_params.random_params(model, 0, "weights")
    pixels = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    whole = counter.Counter(model, weights, blocks=BLOCKS).count(pixels)
    calls = parts(model, weights, pixels, whole)
    agree(calls, whole)
    seconds = timing.interleaved(calls, flags.rounds)
    table = ratios(seconds, operations(model, SIZE))
    print(markdown(table))
    where = networks_cpu.machine(flags.rounds)
    print(f"\n{where}")
    if flags.json:
        columns = {"1024 x 768": table}
        timing.write(
            flags.json,
            "context",
            dict(where=where, rounds=flags.rounds, columns=columns),
        )


if __name__ == "__main__":
    main()
