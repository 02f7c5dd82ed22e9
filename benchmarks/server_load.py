"""Does the server lose or mistake an answer under load, and how long does one take?

    python benchmarks/server_load.py --weights runs/demo [--clients 50] [--requests 400]
        [--queue 32] [--json FILE]

Generated photographs of three sizes are counted one after the other in this process, by
`cp.load(...).count`: the baseline, and the right answers. Then a server is started, and
as many clients as asked for, each of which sends its next photograph when it has the
answer to the last; what a full server turns away is sent again after its Retry-After.
An answer is wrong if it is not the baseline's to 1e-4 of it.
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
from concurrent.futures import ThreadPoolExecutor

import timing
import urllib3
from PIL import Image

import cpcnn_jax as cp
from cpcnn_jax import config, data
from cpcnn_jax.inference import compilation_cache

SIZES = ((256, 320), (384, 512), (480, 640))  # (height, width)
EACH = 4  # photographs of each size
PATIENCE = 600  # seconds that a client waits for one photograph's answer, in all


@dataclasses.dataclass
class Load:
    """What became of the requests."""

    seconds: list = dataclasses.field(default_factory=list)  # from first try to answer
    served: list = dataclasses.field(default_factory=list)  # of the try that succeeded
    busy: int = 0  # tries that were turned away
    lost: int = 0
    wrong: int = 0
    took: float = 0.0  # seconds, from the first try of all to the last answer


def photographs():
    """Files, as JPEG."""
    found = []
    for height, width in SIZES:
        crowd = config.SyntheticCrowd(num_test=EACH, height=height, width=width)
        for record in data.open_dataset(crowd, "test"):
            file = io.BytesIO()
            Image.fromarray(record["image"]).save(file, "jpeg", quality=92)
            found.append(file.getvalue())
    return found


def load(address, files, expected, *, clients, requests):
    """Send requests from many clients at once.

    Args:
      address: of the server.
      files: photographs, bytes.
      expected: the count of each.
      clients: how many.
      requests: how many, from all clients together.

    Returns:
      A `Load`.
    """
    found, lock = Load(), threading.Lock()
    pool = urllib3.PoolManager(maxsize=clients, block=True, retries=False)
    start = threading.Barrier(clients)
    turns = itertools.islice(itertools.cycle(range(len(files))), requests)

    def client(_):
        start.wait()
        while True:
            with lock:
                turn = next(turns, None)
            if turn is None:
                return
            _one(pool, address, files[turn], expected[turn], found, lock)

    with ThreadPoolExecutor(clients) as crowd:
        began = time.monotonic()
        list(crowd.map(client, range(clients)))
        found.took = time.monotonic() - began
    return found


def _one(pool, address, file, people, found, lock):
    """One photograph until it is answered."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        tried = time.monotonic()
        try:
            form = {"photograph": ("a.jpg", file)}
            answer = pool.request("POST", f"{address}/count", fields=form, timeout=300)
        except urllib3.exceptions.HTTPError:
            break
        if answer.status == 503:
            with lock:
                found.busy += 1
            time.sleep(float(answer.headers["Retry-After"]))
            continue
        now = time.monotonic()
        if answer.status != 200:
            break
        right = abs(answer.json()["count"] - people) <= 1e-4 * max(1, abs(people))
        with lock:
            found.seconds.append(now - began)
            found.served.append(now - tried)
            found.wrong += not right
        return
    with lock:
        found.lost += 1


def baseline(weights, files, rounds):
    """(counts, seconds of each count): one after the other, compiled before."""
    ready = cp.load(weights)
    expected = [ready.count(io.BytesIO(file)).count for file in files]
    seconds = []
    for file in files * rounds:
        began = time.monotonic()
        ready.count(io.BytesIO(file))
        seconds.append(time.monotonic() - began)
    return expected, seconds


@contextlib.contextmanager
def serving(weights, *flags):
    """The address of a server process."""
    words = ["-m", "cpcnn_jax", "serve", "--weights", weights, "--port", "0", *flags]
    with subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process.stdout.readline().split()[1]
        finally:
            process.terminate()


def row(seconds, took):
    """Throughput and quantiles of the times, in seconds."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {
        "photographs": len(seconds),
        "per_second": len(seconds) / took,
        **{f"p{n}": cuts[n - 1] for n in (50, 95, 99)},
    }


def markdown(rows):
    """A line per row."""
    lines = [
        "| | photographs | per second | p50 | p95 | p99 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, r in rows.items():
        times = " | ".join(f"{r[f'p{n}']:.2f} s" for n in (50, 95, 99))
        lines.append(
            f"| {name} | {r['photographs']} | {r['per_second']:.2f} | {times} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure, print the table, write it as JSON if asked to; 1 if one was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="a file or a workdir")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--max-queue", type=int, default=32, help="of the server")
    parser.add_argument("--json", metavar="FILE", help="also put the table here")
    flags = parser.parse_args()
    compilation_cache.enable()
    files = photographs()
    expected, alone = baseline(flags.weights, files, rounds=2)
    limits = ("--max-queue", str(flags.queue), "--timeout", "300")
    with serving(flags.weights, *limits) as address:
        found = load(
            *(address, files, expected),
            clients=flags.clients,
            requests=flags.requests,
        )
    rows = {
        "one process, one after the other": row(alone, sum(alone)),
        f"server, {flags.clients} clients": row(found.seconds, found.took),
        "of these, the try that was answered": row(found.served, found.took),
    }
    told = {name: getattr(found, name) for name in ("busy", "lost", "wrong")}
    where = f"{platform.machine()}, {os.cpu_count()} cores"
    print(markdown(rows))
    print(
        f"\n{found.lost} lost, {found.wrong} wrong, {found.busy} tries turned away and "
        f"repeated; {len(files)} photographs of {len(SIZES)} sizes, queue "
        f"{flags.queue}; {where}"
    )
    if flags.json:
        timing.write(flags.json, "serve", {"where": where, "rows": rows, **told})
    return int(bool(found.lost or found.wrong))


if __name__ == "__main__":
    sys.exit(main())
