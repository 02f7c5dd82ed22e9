"""Data parallelism: pure steps on all devices of all processes.

Examples are split over the devices; state and data are replicated. `jit` over a mesh
lets the compiler split the work. `pmap` runs the steps on each device's share, and the
steps average their results over the axis "batch". No other module names devices.
"""

import collections
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from cpcnn_jax.distributed import multihost

AXIS = "batch"
Job = TypeVar("Job")


class Strategy(NamedTuple):
    """Placement and compilation of a step."""

    num_devices: int  # of all processes
    num_local_devices: int  # of this process
    axis_name: str | None  # argument of the step factories
    place_state: Callable[[Any], Any]  # pytree of arrays -> the same, replicated
    place_data: Callable[[Any], Any]  # further pytree, replicated, never donated
    local_data: Callable[[Any], Any]  # placed data -> on one device of this process
    place_examples: Callable[[Any], Any]  # this process's [n, B, ...] -> B split
    # Compiles steps(state, data, examples, count) -> (state, metrics); donates state.
    wrap: Callable[[Callable], Callable]
    place_local: Callable[[Any], Any]  # replicated on this process's devices
    # Compiles f(state, batch) on this process's devices; batch and result [B, ...].
    compile_local: Callable[[Callable], Callable]


def device_names() -> list[str]:
    """Names of all devices, for the run's record."""
    return [str(device) for device in jax.devices()]


def jit_strategy(
    devices: Sequence[jax.Device] | None = None, *, shares: bool = False
) -> Strategy:
    """Strategy of jax.jit over one mesh of devices, by default of all processes.

    With `shares` each device runs the steps on its share of the batch, as with pmap, in
    any number of processes.
    """
    devices = devices or jax.devices()
    replicated, _, split = _shardings(devices)
    on_shares = functools.partial(
        jax.shard_map,
        mesh=replicated.mesh,
        in_specs=(replicated.spec, replicated.spec, split.spec, replicated.spec),
        out_specs=replicated.spec,
        check_vma=False,
    )
    place = functools.partial(jax.device_put, device=replicated)
    return Strategy(
        num_devices=len(devices),
        axis_name=AXIS if shares else None,
        place_state=place,
        place_data=place,
        local_data=functools.partial(jax.tree.map, lambda x: x.addressable_data(0)),
        place_examples=functools.partial(jax.make_array_from_process_local_data, split),
        wrap=lambda steps: jax.jit(
            on_shares(steps) if shares else steps,
            in_shardings=(replicated, replicated, split, replicated),
            out_shardings=replicated,
            donate_argnums=0,
        ),
        **_local_fields(devices),
    )


def _shardings(devices):
    """Shardings: replicated; split along the first axis; along the second axis."""
    axis = (AxisType.Auto,)
    mesh = jax.make_mesh((len(devices),), (AXIS,), axis_types=axis, devices=devices)
    specs = ((), (AXIS,), (None, AXIS))
    return [NamedSharding(mesh, PartitionSpec(*axes)) for axes in specs]


def _local_fields(devices):
    local = [d for d in devices if d in jax.local_devices()]
    replicated, split, _ = _shardings(local)

    def compile_local(function):
        placed = {"in_shardings": (replicated, split), "out_shardings": split}
        compiled = jax.jit(function, **placed)
        return lambda state, batch: compiled(state, jax.device_put(batch, split))

    return {
        "num_local_devices": len(local),
        "place_local": functools.partial(jax.device_put, device=replicated),
        "compile_local": compile_local,
    }


def pmap_strategy(devices: Sequence[jax.Device] | None = None) -> Strategy:
    """Strategy of jax.pmap in one process, with averages over the axis "batch".

    Raises:
      ValueError: there are several processes.
    """
    if (processes := multihost.process_rank()[1]) > 1:
        raise ValueError(
            f"--parallel=pmap is for one process, and there are {processes}: use "
            "--parallel=jit"
        )
    devices = devices or jax.local_devices()
    number = len(devices)
    pmap = functools.partial(
        jax.pmap, axis_name=AXIS, axis_size=number, devices=devices
    )

    def place_data(data):  # one copy for each device, once and not at each call
        copy = pmap(lambda data, _: data, in_axes=(None, 0))
        return copy(data, np.zeros(number))

    def place_examples(examples):
        n, _, *rest = examples.shape
        return examples.reshape(n, number, -1, *rest).swapaxes(0, 1)

    return Strategy(
        num_devices=number,
        axis_name=AXIS,
        place_state=lambda state: state,
        place_data=place_data,
        local_data=functools.partial(jax.tree.map, lambda x: x.addressable_data(0)[0]),
        place_examples=place_examples,
        wrap=lambda steps: pmap(
            steps, in_axes=(None, 0, 0, None), out_axes=(None, None)
        ),
        **_local_fields(devices),
    )


def map_over_devices(
    function: Callable[[Job], Any],
    jobs: Iterable[Job],
    devices: Sequence[jax.Device] | None = None,
) -> Iterator[tuple[Job, Any]]:
    """Computes jobs on this process's devices, one job per device at a time.

    Args:
      function: computes a job with jax.jit from arrays that are on no device yet.
      jobs: the jobs; the next one is taken when a device is free.
      devices: the devices; default: all of this process.

    Yields:
      (job, result), in the order of the jobs.

    Example:
      >>> squared = map_over_devices(jax.jit(lambda n: n * n), [2, 3])
      >>> [(n, int(square)) for n, square in squared]
      [(2, 4), (3, 9)]
    """
    devices = devices or jax.local_devices()
    started: collections.deque = collections.deque()
    for job, device in zip(jobs, itertools.cycle(devices), strict=False):
        with jax.default_device(device):
            started.append((job, function(job)))
        if len(started) == len(devices):
            yield started.popleft()
    yield from started


def check_batch(
    batch_size: int, num_devices: int, *, name: str, parts: int = 1, microbatch: int = 1
) -> None:
    """Refuses a batch that cannot be split evenly.

    Args:
      batch_size: examples of a batch, over all devices.
      num_devices: number of devices.
      name: the stage's field of the configuration.
      parts: parts of each device's share that are computed one after the other.
      microbatch: examples that stay together on a device.

    Raises:
      ValueError: the batch size is not a multiple of the product of the others.
    """
    divisor = num_devices * parts * microbatch
    if batch_size < 1 or batch_size % divisor:
        each = f" in {parts} parts each" if parts > 1 else ""
        each += f" in microbatches of {microbatch}" if microbatch > 1 else ""
        raise ValueError(
            f"--config.{name}.batch_size={batch_size} cannot be split over "
            f"{num_devices} devices{each}: choose a multiple of {divisor}"
        )
