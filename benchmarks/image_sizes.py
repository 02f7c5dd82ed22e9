"""Time, memory and compilation against the image size, and start-up time.

    python benchmarks/image_sizes.py [--weights NAME] [--sizes 256x192,1024x768]
        [--rounds 3] [--photographs 200] [--json FILE]

Each measurement of `cp.load(...).count(...)` runs in a new process, with random weights
of DME and F-CNN or with --weights. One process for each size counts an image of noise:
the first count compiles the programs, and the table shows the median of the later ones
and the largest resident set. One process counts images of different sizes, with sides
from 64 to 2048 pixels, uniform on a logarithmic scale; JAX reports the compiled
programs and their time. Two processes start one after the other with the same empty
cache of compiled programs. This process does not import JAX, because a child process
would inherit its peak memory.
"""

import argparse
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import timing

SIZES = "256x192,512x384,1024x768,2048x1536,4096x3072,8192x6144"
START = "1024x768"
SIDES = (64, 2048)  # pixels, of the images of different sizes


def size_of(text):
    """Parses "1024x768" to (width, height)."""
    width, height = text.split("x")
    return int(width), int(height)


def peak():
    """Reads the largest resident set of this process so far, in MiB."""
    maximum = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return maximum / (2**20 if sys.platform == "darwin" else 2**10)


def alone(weights, sizes):
    """Counts an image of noise of each size, in this process.

    Args:
      weights: argument of `cp.load`.
      sizes: (width, height) of each image, pixels.

    Returns:
      A dict: "import" and "load", seconds; "count", seconds of each image; "compiled",
      a list of [program, seconds]; "kept", the number of programs read from the
      compilation cache; "loaded" and "peak", MiB.
    """
    began = time.perf_counter()
    import cpcnn_jax as cp  # timed

    imported = time.perf_counter()
    import jax
    import numpy as np

    from cpcnn_jax.inference import compilation_cache

    compiled, cache_hits = [], []

    def on_duration(event, seconds, **details):
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append([details.get("fun_name", ""), seconds])

    def on_event(event, **_):
        if event == "/jax/compilation_cache/cache_hits":
            cache_hits.append(event)

    jax.monitoring.register_event_duration_secs_listener(on_duration)
    jax.monitoring.register_event_listener(on_event)
    compilation_cache.enable()
    load_start = time.perf_counter()
    counter = cp.load(weights)
    load_seconds = time.perf_counter() - load_start
    loaded, seconds = peak(), []
    for width, height in sizes:
        noise = np.random.default_rng(0).bytes(height * width * 3)
        image = np.frombuffer(noise, np.uint8).reshape(height, width, 3)
        seconds.append(timing.seconds_of(counter.count, image))
    return {
        "import": imported - began,
        "load": load_seconds,
        "count": seconds,
        "compiled": compiled,
        "kept": len(cache_hits),
        "loaded": loaded,
        "peak": peak(),
    }


def draw(file):
    """Writes random weights of DME and F-CNN at full width."""
    import jax
    import jax.numpy as jnp
    from flax.traverse_util import flatten_dict

    from cpcnn_jax import config
    from cpcnn_jax.models import cpcnn
    from cpcnn_jax.weights import serialization

    model = config.Model(use_gce=False, use_lce=False)
    init = jax.jit(cpcnn.build(model).init)
    tree = init(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    serialization.save(
        file, jax.device_get(flatten_dict(tree["params"], sep="/")), model
    )


def in_a_process(weights, sizes, folder):
    """Runs `alone` in its own process, with the folder as compilation cache."""
    arguments = json.dumps([weights, sizes])
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": folder}
    done = subprocess.run(
        [sys.executable, __file__, "--alone", arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def of_size(weights, size, rounds):
    """Measures images of one size; returns a row."""
    with tempfile.TemporaryDirectory() as folder:
        result = in_a_process(weights, [size] * (1 + rounds), folder)
    megapixels, later = size[0] * size[1] / 1e6, result["count"][1:]
    return {
        "megapixels": megapixels,
        "first": result["count"][0],
        "later": statistics.median(later),
        "low": min(later),
        "high": max(later),
        "each": statistics.median(later) / megapixels,
        "loaded": result["loaded"],
        "peak": result["peak"],
        **compiling(result),
    }


def compiling(result):
    """Counts the programs and those of 0.1 s and more, and sums their seconds."""
    times = [seconds for _, seconds in result["compiled"]]
    return {
        "programs": len(times),
        "large": sum(seconds >= 0.1 for seconds in times),
        "compiling": sum(times),
    }


def of_many(weights, number):
    """Measures images of many sizes; returns a row."""
    rng, (low, high) = random.Random(0), SIDES
    sizes = [
        [round(low * (high / low) ** rng.random()) for _ in "xy"] for _ in range(number)
    ]
    with tempfile.TemporaryDirectory() as folder:
        result = in_a_process(weights, sizes, folder)
    names = [name for name, _ in result["compiled"]]
    return {
        "photographs": len(set(map(tuple, sizes))),
        "megapixels": sum(width * height for width, height in sizes) / 1e6,
        "seconds": sum(result["count"]),
        "by_name": {name: names.count(name) for name in dict.fromkeys(names)},
        "peak": result["peak"],
        **compiling(result),
    }


def of_starts(weights, size):
    """Measures two starts, the second with a filled cache; returns rows by name."""
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("nothing kept", "programs kept"):
            result = in_a_process(weights, [size, size], folder)
            first, second = result["count"]
            rows[name] = {
                "import": result["import"],
                "load": result["load"],
                "first": first,
                "second": second,
                "kept": result["kept"],
                **compiling(result),
            }
    return rows


def markdown(sizes, many, starts):
    """Formats the measured ones of the three tables."""
    lines = []
    if sizes:
        lines += [
            "| image | seconds (min-max) | a megapixel | first | compiling | "
            "peak, MiB | above the weights |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
    for name, r in sizes.items():
        lines.append(
            f"| {name} | {r['later']:.2f} ({r['low']:.2f}-{r['high']:.2f}) | "
            f"{r['each']:.2f} | {r['first']:.2f} | {r['compiling']:.2f}, "
            f"{r['programs']} programs | {r['peak']:.0f} | "
            f"{r['peak'] - r['loaded']:.0f} |"
        )
    if many:
        lines.append(
            f"\n{many['photographs']} images of different sizes, "
            f"{many['megapixels']:.0f} megapixels: {many['seconds']:.1f} s, including "
            f"{many['compiling']:.1f} s to compile {many['programs']} programs "
            f"({', '.join(f'{n} {k}' for k, n in many['by_name'].items())}), "
            f"{many['large']} of them in 0.1 s and more; peak {many['peak']:.0f} MiB"
        )
    if starts:
        lines += [
            "\n| start | import | load | first count | compiling | second count |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
        ]
    for name, r in starts.items():
        lines.append(
            f"| {name} | {r['import']:.2f} s | {r['load']:.2f} s | {r['first']:.2f} s "
            f"| {r['compiling']:.2f} s, {r['kept']} of {r['programs']} programs kept | "
            f"{r['second']:.2f} s |"
        )
    return "\n".join(lines)


def main():
    """Measures, prints the tables and optionally adds them to a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", help="as for cp.load (default: random)")
    parser.add_argument("--sizes", default=SIZES, help="WIDTHxHEIGHT,...; '' for none")
    parser.add_argument("--rounds", type=int, default=3, help="counts after the first")
    parser.add_argument(
        "--photographs", type=int, default=200, help="images of many sizes; 0: none"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the tables here")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    parser.add_argument("--draw", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.alone:
        print(json.dumps(alone(*json.loads(flags.alone))))
    elif flags.draw:
        draw(flags.draw)
    else:
        measure(flags)


def measure(flags):
    """Measures, prints and writes all tables."""
    names = flags.sizes.split(",") if flags.sizes else []
    with tempfile.TemporaryDirectory() as folder:
        weights = flags.weights or f"{folder}/weights.safetensors"
        if not flags.weights:
            subprocess.run([sys.executable, __file__, "--draw", weights], check=True)
        sizes = {n: of_size(weights, size_of(n), flags.rounds) for n in names}
        many = of_many(weights, flags.photographs) if flags.photographs else {}
        starts = of_starts(weights, size_of(START))
    which = flags.weights or "DME and F-CNN, random weights"
    where = f"{which}; {platform.machine()}, {os.cpu_count()} cores"
    print(f"{markdown(sizes, many, starts)}\n\n{where}, {flags.rounds} rounds")
    if flags.json:
        tables = dict(where=where, sizes=sizes, many=many, starts=starts)
        timing.write(flags.json, "sizes", tables)


if __name__ == "__main__":
    main()
