"""How do time, memory and compiling grow with a photograph, and how long is a start?

    python benchmarks/image_sizes.py [--weights NAME] [--sizes 256x192,1024x768]
    [--rounds 3]
        [--photographs 200] [--json FILE]

What `cp.load(...).count(...)` takes, each time in a new process: of DME and F-CNN with
weights drawn at random, or of any other weights by --weights. One process for each size
counts a photograph of noise: the first time programs are compiled, of the later times
the median is shown, and of memory the largest resident set. One counts photographs of
different sizes, sides drawn evenly on a logarithmic scale from 64 to 2048 pixels: what
JAX itself reports to have compiled, and how long that took. Two start with the same
empty folder for compiled programs, one after the other. This process does not import
JAX: a child would inherit its peak.
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
SIDES = (64, 2048)  # pixels, of the photographs of different sizes


def size_of(text):
    """(width, height) of "1024x768"."""
    width, height = text.split("x")
    return int(width), int(height)


def peak():
    """The largest resident set of this process so far, in MiB."""
    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found / (2**20 if sys.platform == "darwin" else 2**10)


def alone(weights, sizes):
    """Count a photograph of noise of each size, in this process.

    Args:
      weights: what `cp.load` takes.
      sizes: (width, height) of the photographs, in turn.

    Returns:
      A dict: "import" and "load", seconds; "count", seconds of each photograph;
      "compiled", a list of [program, seconds]; "kept", how many of them came from the
      folder of compiled programs; "loaded" and "peak", MiB.
    """
    began = time.perf_counter()
    import cpcnn_jax as cp  # here, to be timed

    imported = time.perf_counter()
    import jax
    import numpy as np

    from cpcnn_jax.inference import compilation_cache

    compiled, kept = [], []

    def lasted(event, seconds, **told):
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append([told.get("fun_name", ""), seconds])

    def happened(event, **_):
        if event == "/jax/compilation_cache/cache_hits":
            kept.append(event)

    jax.monitoring.register_event_duration_secs_listener(lasted)
    jax.monitoring.register_event_listener(happened)
    compilation_cache.enable()
    ready_in = [time.perf_counter()]
    counter = cp.load(weights)
    ready_in.append(time.perf_counter())
    loaded, seconds = peak(), []
    for width, height in sizes:
        noise = np.random.default_rng(0).bytes(height * width * 3)
        image = np.frombuffer(noise, np.uint8).reshape(height, width, 3)
        seconds.append(timing.seconds_of(counter.count, image))
    return {
        "import": imported - began,
        "load": ready_in[1] - ready_in[0],
        "count": seconds,
        "compiled": compiled,
        "kept": len(kept),
        "loaded": loaded,
        "peak": peak(),
    }


def draw(file):
    """Write weights of DME and F-CNN, at full width, drawn at random."""
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
    """`alone`, in a process of its own, which keeps compiled programs in the folder."""
    words = json.dumps([weights, sizes])
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": folder}
    done = subprocess.run(
        [sys.executable, __file__, "--alone", words],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def of_size(weights, size, rounds):
    """What one size takes: a row."""
    with tempfile.TemporaryDirectory() as folder:
        found = in_a_process(weights, [size] * (1 + rounds), folder)
    megapixels, later = size[0] * size[1] / 1e6, found["count"][1:]
    return {
        "megapixels": megapixels,
        "first": found["count"][0],
        "later": statistics.median(later),
        "low": min(later),
        "high": max(later),
        "each": statistics.median(later) / megapixels,
        "loaded": found["loaded"],
        "peak": found["peak"],
        **compiling(found),
    }


def compiling(found):
    """How many programs, how many of them took 0.1 s and more, how long all took."""
    seconds = [taken for _, taken in found["compiled"]]
    return {
        "programs": len(seconds),
        "large": sum(taken >= 0.1 for taken in seconds),
        "compiling": sum(seconds),
    }


def of_many(weights, number):
    """What photographs of many sizes take: a row."""
    chance, (low, high) = random.Random(0), SIDES
    sizes = [
        [round(low * (high / low) ** chance.random()) for _ in "xy"]
        for _ in range(number)
    ]
    with tempfile.TemporaryDirectory() as folder:
        found = in_a_process(weights, sizes, folder)
    names = [name for name, _ in found["compiled"]]
    return {
        "photographs": len(set(map(tuple, sizes))),
        "megapixels": sum(width * height for width, height in sizes) / 1e6,
        "seconds": sum(found["count"]),
        "by_name": {name: names.count(name) for name in dict.fromkeys(names)},
        "peak": found["peak"],
        **compiling(found),
    }


def of_starts(weights, size):
    """Two starts, without and with the programs of an earlier one: rows by name."""
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("nothing kept", "programs kept"):
            found = in_a_process(weights, [size, size], folder)
            first, second = found["count"]
            rows[name] = {
                "import": found["import"],
                "load": found["load"],
                "first": first,
                "second": second,
                "kept": found["kept"],
                **compiling(found),
            }
    return rows


def markdown(sizes, many, starts):
    """The three tables; what was not measured is left out."""
    lines = []
    if sizes:
        lines += [
            "| photograph | seconds (least-most) | a megapixel | first | compiling | "
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
            f"\n{many['photographs']} photographs of different sizes, "
            f"{many['megapixels']:.0f} megapixels: {many['seconds']:.1f} s, of these "
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
    """Measure, print the tables, write them as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", help="what cp.load takes (default: drawn)")
    parser.add_argument("--sizes", default=SIZES, help="WIDTHxHEIGHT,...; '' for none")
    parser.add_argument("--rounds", type=int, default=3, help="after the first count")
    parser.add_argument(
        "--photographs", type=int, default=200, help="of different sizes; 0 for none"
    )
    parser.add_argument("--json", metavar="FILE", help="also put the tables here")
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
    """All tables, by processes of their own."""
    names = flags.sizes.split(",") if flags.sizes else []
    with tempfile.TemporaryDirectory() as folder:
        weights = flags.weights or f"{folder}/weights.safetensors"
        if not flags.weights:
            subprocess.run([sys.executable, __file__, "--draw", weights], check=True)
        sizes = {n: of_size(weights, size_of(n), flags.rounds) for n in names}
        many = of_many(weights, flags.photographs) if flags.photographs else {}
        starts = of_starts(weights, size_of(START))
    which = flags.weights or "DME and F-CNN, drawn weights"
    where = f"{which}; {platform.machine()}, {os.cpu_count()} cores"
    print(f"{markdown(sizes, many, starts)}\n\n{where}, {flags.rounds} rounds")
    if flags.json:
        found = dict(where=where, sizes=sizes, many=many, starts=starts)
        timing.write(flags.json, "sizes", found)


if __name__ == "__main__":
    main()
