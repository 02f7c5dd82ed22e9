"""Speed of exact density maps against the usual public recipe.

    python benchmarks/density_map.py [--rounds 5] [--sample 100] [--json FILE]

An image of 1024 x 768 with 12,000 heads and geometry-adaptive kernels. The recipe is
CSRNet's, written from its description: a KD-tree for the three nearest heads, then one
scipy gaussian_filter over the whole image for each head. Each round times the filters
of a sample of the heads and scales the time to all heads; the KD-tree holds all heads.
Both maps of heads far from the border are compared before the timing.
"""

import argparse
import os
import platform

import numpy as np
import scipy
import timing
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree

from cpcnn_jax.data import density_map

SHAPE, HEADS = (768, 1024), 12_000  # (height, width) in pixels
TITLE = f"{HEADS:,} heads, {SHAPE[1]} x {SHAPE[0]}"


def crowd() -> np.ndarray:
    """Draws heads `[N, 2]` as (x, y) pixels, denser towards the top."""
    random = np.random.default_rng(0)
    x = random.uniform(0, SHAPE[1], HEADS)
    y = random.uniform(0, 1, HEADS) ** 2 * SHAPE[0]
    return np.stack([x, y], axis=1)


def recipe_sigmas(points) -> np.ndarray:
    """Computes a tenth of the summed distances to the three nearest heads."""
    distances, _ = KDTree(points).query(points, k=4)
    return 0.1 * distances[:, 1:].sum(axis=1)


def recipe_map(points, sigmas, shape) -> np.ndarray:
    """Filters the whole image once per head."""
    people = np.zeros(shape, np.float32)
    for (x, y), sigma in zip(points.astype(int), sigmas, strict=True):
        head = np.zeros(shape, np.float32)
        head[y, x] = 1
        people += gaussian_filter(head, sigma, mode="constant")
    return people


def agree() -> None:
    """Checks that both maps are equal where no border cuts a Gaussian."""
    points = np.random.default_rng(1).uniform(80, 120, (30, 2))
    exact = density_map.density_map(points, shape=(200, 200), sigma="adaptive")
    recipe = recipe_map(points, recipe_sigmas(points), (200, 200))
    if np.abs(exact - recipe).max() > 1e-4 * recipe.max():
        raise SystemExit("the two maps differ: nothing was timed")


def measure(rounds: int, sample: int) -> dict[str, list[float]]:
    """Measures the seconds of each contender in each round, in turns."""
    points = crowd()
    sigmas = recipe_sigmas(points)
    chosen = np.random.default_rng(2).choice(HEADS, sample, replace=False)
    times = {"cpcnn_jax, adaptive": [], "cpcnn_jax, fixed": [], "recipe": []}
    for _ in range(rounds):
        for name, sigma in (("adaptive", "adaptive"), ("fixed", 4.0)):
            seconds = timing.seconds_of(
                density_map.density_map, points, shape=SHAPE, sigma=sigma
            )
            times[f"cpcnn_jax, {name}"].append(seconds)
        filters = timing.seconds_of(recipe_map, points[chosen], sigmas[chosen], SHAPE)
        tree = timing.seconds_of(recipe_sigmas, points)
        times["recipe"].append(tree + filters * HEADS / sample)
    return times


def markdown(rows: dict[str, dict[str, float]], sample: int) -> str:
    """Formats one row per contender."""
    scaled = f"a gaussian_filter per head ({sample} of them timed, scaled)"
    lines = [
        f"| {TITLE} | seconds | times faster |",
        "| --- | ---: | ---: |",
    ]
    for name, row in rows.items():
        faster, low, high = (1 / row[key] for key in ("median", "high", "low"))
        faster = f"{faster:,.0f} ({low:,.0f}-{high:,.0f})"
        faster = "1" if name == "recipe" else faster
        label = scaled if name == "recipe" else name
        lines.append(f"| {label} | {row['seconds']:.3f} | {faster} |")
    return "\n".join(lines)


def main() -> None:
    """Measures, prints the table and optionally adds it to a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="at least 2")
    parser.add_argument(
        "--sample", type=int, default=100, help="number of filtered heads"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the table here")
    flags = parser.parse_args()
    agree()
    rows = timing.ratios(measure(flags.rounds, flags.sample), "recipe")
    where = (
        f"{platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}, scipy "
        f"{scipy.__version__}, Python {platform.python_version()}"
    )
    print(f"{markdown(rows, flags.sample)}\n\n{where}, {flags.rounds} rounds")
    if flags.json:
        table = dict(where=where, rounds=flags.rounds, columns={TITLE: rows})
        timing.write(flags.json, "density", table)


if __name__ == "__main__":
    main()
