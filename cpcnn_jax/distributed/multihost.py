"""The processes of one run: how they meet, share work, wait, agree to stop, and end.

All of it is JAX's own distributed service; a run without it is a single process, to
which nothing here does anything. What every process calls, each calls equally often.
"""

import contextlib
import itertools
import json
import os
import signal
import sys

import jax
import numpy as np
from jax.experimental import multihost_utils

CONNECT = 300  # seconds that the processes have to meet
HEARTBEAT = 60  # seconds without a sign of life after which a process is taken for dead


def initialize(coordinator=None, num_processes=None, process_id=None):
    """Become one of the processes of a run; before anything is computed.

    Without arguments JAX takes what SLURM, Open MPI, Kubernetes or Cloud TPU say of the
    job, and outside of them the process stays alone.

    Args:
      coordinator: "host:port" at which process 0 can be reached.
      num_processes: how many there are; 1 and no coordinator: alone, whatever the
        environment says.
      process_id: the number of this one, from 0.

    Returns:
      Whether the process is now one of a job's.

    Raises:
      ValueError: an argument is missing or cannot be, or the job's environment does not
        say enough.
    """
    if num_processes == 1 and coordinator is None:
        return False
    given = _explicit(coordinator, num_processes, process_id)
    try:
        jax.distributed.initialize(
            **given,
            initialization_timeout=CONNECT,
            heartbeat_timeout_seconds=HEARTBEAT,
        )
    except (ValueError, RuntimeError) as error:
        if "coordinator_address should be defined" in str(error):
            return False  # JAX's words where there is no cluster
        raise ValueError(
            f"cannot join the other processes: {error}; --num_processes=1 runs alone"
        ) from None
    return True


def _explicit(coordinator, num_processes, process_id):
    given = {
        "--coordinator": coordinator,
        "--num_processes": num_processes,
        "--process_id": process_id,
    }
    if missing := [name for name, value in given.items() if value is None]:
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


def process_rank():
    """(number of this process, how many there are)."""
    if not jax.distributed.is_initialized():
        return 0, 1  # without waking the devices up
    return jax.process_index(), jax.process_count()


def is_main():
    """Whether this process writes what is written once: logs, pictures, results."""
    return process_rank()[0] == 0


def barrier(place):
    """Wait until all processes have come here.

    Args:
      place: its name, the same in all of them.
    """
    if process_rank()[1] > 1:
        multihost_utils.sync_global_devices(place)


@contextlib.contextmanager
def main_first(place):
    """Within, the main process goes first, and the others find what it has written."""
    if not is_main():
        barrier(place)
    yield
    if is_main():
        barrier(place)


def local_share(items):
    """This process's part of a list, of one length in all: filled up with None.

    Args:
      items: any sequence, the same in every process.

    Returns:
      A list: every n-th item, of n processes.

    Example:
      >>> local_share([3, 5, 8])
      [3, 5, 8]
    """
    number, count = process_rank()
    ours = list(items)[number::count]
    return ours + [None] * (-(-len(items) // count) - len(ours))


def gather(ours):
    """What the processes found for their `local_share`, in the order of the whole list.

    Args:
      ours: a list of what JSON can hold, without the Nones.

    Returns:
      A list, the same in every process.
    """
    if process_rank()[1] == 1:
        return ours
    data = np.frombuffer(json.dumps(ours).encode(), np.uint8)
    sizes = multihost_utils.process_allgather(np.array(len(data), np.int32))
    padded = np.pad(data, (0, int(sizes.max()) - len(data)))
    rows = multihost_utils.process_allgather(padded)
    parts = [
        json.loads(row[:size].tobytes()) for row, size in zip(rows, sizes, strict=True)
    ]
    rounds = itertools.zip_longest(*parts, fillvalue=...)
    return [found for turn in rounds for found in turn if found is not ...]


@contextlib.contextmanager
def agreed_stop():
    """Within, SIGTERM to any process of a job is noted, and all are told together.

    JAX's preemption service takes the signal and chooses the call at which all stop.
    SIGINT is passed on to it; a second one kills at once.

    Yields:
      A function, called equally often by all: SIGTERM if one came, or None.
    """
    calls, came = itertools.count(), []

    def stop():
        if not came and multihost_utils.reached_preemption_sync_point(next(calls)):
            came.append(signal.SIGTERM)
        return came[0] if came else None

    def pass_on(signum, _):
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGINT, pass_on)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def exit_process(words):
    """End this process of several now, with the reason; never wait for the others.

    They may be waiting for this one, and its closed connection tells them; or one is
    dead, and what this one met was only a broken connection.
    """
    number, count = process_rank()
    print(
        f"{words} (process {number} of {count}; if another process ended first, its "
        "last words say why)",
        file=sys.stderr,
    )
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
