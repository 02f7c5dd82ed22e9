"""Processes of one run: joining, shared work, barriers, agreed stops and exits.

Built on JAX's distributed service. In a run of one process these functions have no
effect. Every process calls the collective functions equally often.
"""

import contextlib
import itertools
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import jax
import numpy as np
from jax.experimental import multihost_utils

CONNECT = 300  # seconds, the timeout of joining
HEARTBEAT = 60  # seconds without a heartbeat after which a process counts as dead


def initialize(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
) -> bool:
    """Joins the processes of a run, before any computation.

    Without arguments JAX detects a job of SLURM, Open MPI, Kubernetes or Cloud TPU;
    outside of a job the process runs alone.

    Args:
      coordinator: "host:port" of process 0.
      num_processes: number of processes; 1 without a coordinator runs alone, also
        inside of a job.
      process_id: index of this process, from 0.

    Returns:
      True if the process has joined others.

    Raises:
      ValueError: an argument is missing or invalid, or the job's environment is
        incomplete.
    """
    if num_processes == 1 and coordinator is None:
        return False
    explicit = _explicit_arguments(coordinator, num_processes, process_id)
    try:
        jax.distributed.initialize(
            **explicit,
            initialization_timeout=CONNECT,
            heartbeat_timeout_seconds=HEARTBEAT,
        )
    except (ValueError, RuntimeError) as error:
        if "coordinator_address should be defined" in str(error):
            return False  # JAX's message outside of a job
        raise ValueError(
            f"cannot join the other processes: {error}; --num_processes=1 runs alone"
        ) from None
    barrier("joined")  # Gloo opens connections, for which it waits for 30 s only
    return True


def _explicit_arguments(coordinator, num_processes, process_id) -> dict[str, Any]:
    flags = {
        "--coordinator": coordinator,
        "--num_processes": num_processes,
        "--process_id": process_id,
    }
    if missing := [name for name, value in flags.items() if value is None]:
        if len(missing) == 3:
            return {}
        raise ValueError(
            "--coordinator, --num_processes and --process_id belong together: "
            f"{' and '.join(missing)} is missing"
        )
    if not coordinator.rpartition(":")[2].isdecimal() or coordinator.startswith(":"):
        raise ValueError(f"--coordinator={coordinator} must be HOST:PORT of process 0")
    if not 0 <= process_id < num_processes:
        raise ValueError(
            f"--process_id={process_id} must be from 0 to {num_processes - 1}, of "
            f"--num_processes={num_processes}"
        )
    return {
        "coordinator_address": coordinator,
        "num_processes": num_processes,
        "process_id": process_id,
        "cluster_detection_method": "deactivate",
    }


def process_rank() -> tuple[int, int]:
    """(index of this process, number of processes)."""
    if not jax.distributed.is_initialized():
        return 0, 1  # does not initialize the devices
    return jax.process_index(), jax.process_count()


def is_main() -> bool:
    """True in the process that writes logs, images and results."""
    return process_rank()[0] == 0


def barrier(name: str) -> None:
    """Waits until all processes have reached the barrier of this name."""
    if process_rank()[1] > 1:
        multihost_utils.sync_global_devices(name)


@contextlib.contextmanager
def main_first(name: str) -> Iterator[None]:
    """Runs the block in the main process before the others, which find its files."""
    if not is_main():
        barrier(name)
    yield
    if is_main():
        barrier(name)


def local_share(items: Sequence[Any]) -> list[Any]:
    """Selects every n-th item, of n processes; pads with None to equal lengths.

    Example:
      >>> local_share([3, 5, 8])
      [3, 5, 8]
    """
    index, count = process_rank()
    share = list(items)[index::count]
    return share + [None] * (-(-len(items) // count) - len(share))


def gather(results: list[Any]) -> list[Any]:
    """Gathers the JSON results of all processes' `local_share`, in the items' order."""
    if process_rank()[1] == 1:
        return results
    data = np.frombuffer(json.dumps(results).encode(), np.uint8)
    sizes = multihost_utils.process_allgather(np.array(len(data), np.int32))
    padded = np.pad(data, (0, int(sizes.max()) - len(data)))
    rows = multihost_utils.process_allgather(padded)
    parts = [
        json.loads(row[:size].tobytes()) for row, size in zip(rows, sizes, strict=True)
    ]
    rounds = itertools.zip_longest(*parts, fillvalue=...)
    return [result for turn in rounds for result in turn if result is not ...]


@contextlib.contextmanager
def agreed_stop() -> Iterator[Callable[[], int | None]]:
    """Defers SIGTERM to any process of a job; all processes stop at the same call.

    JAX's preemption service receives the signal and chooses the call. SIGINT is passed
    on as SIGTERM; a second SIGINT kills the process.

    Yields:
      A function that all processes call equally often; it returns SIGTERM after the
      signal, or None.
    """
    calls = itertools.count()
    received: list[int] = []

    def stop():
        if not received and multihost_utils.reached_preemption_sync_point(next(calls)):
            received.append(signal.SIGTERM)
        return received[0] if received else None

    def pass_on(signum, _):
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

    previous = signal.signal(signal.SIGINT, pass_on)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)


def exit_process(message: str) -> NoReturn:
    """Prints the reason and ends this process of several, without waiting for others.

    The closed connection ends processes that wait for this one. After the death of
    another process the reason is only a broken connection.
    """
    index, count = process_rank()
    print(
        f"{message} (process {index} of {count}; if another process ended first, its "
        "last lines give the reason)",
        file=sys.stderr,
    )
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
