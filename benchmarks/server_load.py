"""Server under load: lost and wrong answers, throughput and latency.

    python benchmarks/server_load.py --weights runs/demo [--clients 50] [--requests 400]
        [--max-queue 32] [--json FILE]

This process first counts synthetic images of three sizes one by one with
`cp.load(...).count`, which gives the baseline and the right answers. Then it starts a
server and the clients. Each client sends its next image after the answer to the last,
and repeats a rejected request after its Retry-After. An answer is wrong if it differs
from the baseline by more than a relative 1e-4.
"""

import argparse
import contextlib
import dataclasses
import io
import itertools
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import timing
import urllib3
from PIL import Image

import cpcnn_jax as cp
from cpcnn_jax import config, data
from cpcnn_jax.inference import compilation_cache

SIZES = ((256, 320), (384, 512), (480, 640))  # (height, width)
IMAGES_PER_SIZE = 4
MAX_WAIT = 600  # seconds that a client waits for an answer, with repeated requests


@dataclasses.dataclass
class Load:
    """Outcome of the requests."""

    # From the first try, and from the successful try, to the answer.
    seconds: list[float] = dataclasses.field(default_factory=list)
    served: list[float] = dataclasses.field(default_factory=list)
    busy: int = 0  # rejected tries
    lost: int = 0
    wrong: int = 0
    elapsed: float = 0.0  # seconds from the first try to the last answer


def make_files() -> list[bytes]:
    """Makes JPEG files."""
    files = []
    for height, width in SIZES:
        crowd = config.SyntheticCrowd(
            num_test=IMAGES_PER_SIZE, height=height, width=width
        )
        for record in data.open_dataset(crowd, "test"):
            file = io.BytesIO()
            Image.fromarray(record["image"]).save(file, "jpeg", quality=92)
            files.append(file.getvalue())
    return files


def send_load(
    address: str,
    files: Sequence[bytes],
    expected: Sequence[float],
    *,
    clients: int,
    requests: int,
) -> Load:
    """Sends requests from several clients at once.

    Args:
      address: address of the server.
      files: image files.
      expected: right count of each file.
      clients: number of clients.
      requests: number of requests of all clients together.
    """
    load, lock = Load(), threading.Lock()
    pool = urllib3.PoolManager(maxsize=clients, block=True, retries=False)
    start = threading.Barrier(clients)
    indices = itertools.islice(itertools.cycle(range(len(files))), requests)

    def client(_):
        start.wait()
        while True:
            with lock:
                index = next(indices, None)
            if index is None:
                return
            _send_file(pool, address, files[index], expected[index], load, lock)

    with ThreadPoolExecutor(clients) as threads:
        started = time.monotonic()
        list(threads.map(client, range(clients)))
        load.elapsed = time.monotonic() - started
    return load


def _send_file(pool, address, file, people, load, lock):
    """Sends one image until it has an answer."""
    started = time.monotonic()
    while time.monotonic() - started < MAX_WAIT:
        tried = time.monotonic()
        try:
            form = {"photograph": ("a.jpg", file)}
            answer = pool.request("POST", f"{address}/count", fields=form, timeout=300)
        except urllib3.exceptions.HTTPError:
            break
        if answer.status == 503:
            with lock:
                load.busy += 1
            time.sleep(float(answer.headers["Retry-After"]))
            continue
        now = time.monotonic()
        if answer.status != 200:
            break
        right = abs(answer.json()["count"] - people) <= 1e-4 * max(1, abs(people))
        with lock:
            load.seconds.append(now - started)
            load.served.append(now - tried)
            load.wrong += not right
        return
    with lock:
        load.lost += 1


def count_alone(
    weights: str, files: Sequence[bytes], rounds: int
) -> tuple[list[float], list[float]]:
    """Counts files one by one after compilation; returns counts and seconds."""
    counter = cp.load(weights)
    expected = [counter.count(io.BytesIO(file)).count for file in files]
    seconds = []
    for file in files * rounds:
        started = time.monotonic()
        counter.count(io.BytesIO(file))
        seconds.append(time.monotonic() - started)
    return expected, seconds


@contextlib.contextmanager
def start_server(weights: str, *flags: str) -> Iterator[str]:
    """Runs a server process and yields its address."""
    args = ["-m", "cpcnn_jax", "serve", "--weights", weights, "--port", "0", *flags]
    with subprocess.Popen(
        [sys.executable, *args], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process.stdout.readline().split()[1]
        finally:
            process.terminate()


def make_row(seconds: Sequence[float], elapsed: float) -> dict[str, float]:
    """Computes throughput and quantiles of the times, seconds."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {
        "photographs": len(seconds),
        "per_second": len(seconds) / elapsed,
        **{f"p{n}": cuts[n - 1] for n in (50, 95, 99)},
    }


def format_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Formats the rows as a Markdown table."""
    lines = [
        "| | images | per second | p50 | p95 | p99 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, r in rows.items():
        times = " | ".join(f"{r[f'p{n}']:.2f} s" for n in (50, 95, 99))
        lines.append(
            f"| {name} | {r['photographs']} | {r['per_second']:.2f} | {times} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measures and prints the table; returns 1 if an answer was lost or wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="a file or a workdir")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--max-queue", type=int, default=32, help="of the server")
    parser.add_argument("--json", metavar="FILE", help="also write the table to FILE")
    flags = parser.parse_args()
    compilation_cache.enable()
    files = make_files()
    expected, alone = count_alone(flags.weights, files, rounds=2)
    limits = ("--max-queue", str(flags.max_queue), "--timeout", "300")
    with start_server(flags.weights, *limits) as address:
        load = send_load(
            *(address, files, expected),
            clients=flags.clients,
            requests=flags.requests,
        )
    rows = {
        "one process, one after the other": make_row(alone, sum(alone)),
        f"server, {flags.clients} clients": make_row(load.seconds, load.elapsed),
        "of these, the try that was answered": make_row(load.served, load.elapsed),
    }
    totals = {name: getattr(load, name) for name in ("busy", "lost", "wrong")}
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(format_table(rows))
    print(
        f"\n{load.lost} lost, {load.wrong} wrong, {load.busy} tries rejected and "
        f"repeated; {len(files)} images of {len(SIZES)} sizes, queue "
        f"{flags.max_queue}; {machine}"
    )
    if flags.json:
        timing.write(flags.json, "serve", {"where": machine, "rows": rows, **totals})
    return int(bool(load.lost or load.wrong))


if __name__ == "__main__":
    sys.exit(main())
