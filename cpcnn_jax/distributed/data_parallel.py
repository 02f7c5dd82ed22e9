"""Devices: the only file that knows them; those of all processes, where there are more.

Two ways to run one pure step on all devices, each with the batch split between them and
the state whole on each: `jit` over a mesh, where the compiler splits the work, and
`pmap`, where each device runs the step on its share and the steps average what they
have found over the axis "batch".
"""

import collections
import functools
import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from cpcnn_jax.distributed import multihost

AXIS = "batch"


class Strategy(NamedTuple):
    """How to place and run a step."""

    num_devices: int  # of all processes
    axis_name: str | None  # what the step factories are told
    place_state: Callable  # pytree of arrays -> the same, whole on every device
    place_batch: Callable  # this process's rows of [B, ...] -> split over the devices
    wrap: Callable  # step(state, batch) -> compiled step; the old state is given up
    # f(state, batch) whose answers are [B, ...], and a state -> f of batches, computed
    # by this process's own devices.
    answers: Callable


def device_names():
    """What the run's record says of the devices."""
    return [str(device) for device in jax.devices()]


def jit_strategy(devices=None, *, shares=False):
    """One mesh over all devices of all processes, or over the given ones.

    The compiler splits the work as it likes; with `shares` each device runs the step on
    its share of the batch, as under pmap, but in any number of processes.
    """
    devices = devices or jax.devices()
    whole, split = _shardings(devices)

    def on_shares(step):
        specs = whole.spec, split.spec
        return jax.shard_map(
            step, mesh=whole.mesh, in_specs=specs, out_specs=whole.spec, check_vma=False
        )

    return Strategy(
        num_devices=len(devices),
        axis_name=AXIS if shares else None,
        place_state=lambda state: jax.device_put(state, whole),
        place_batch=lambda batch: jax.make_array_from_process_local_data(split, batch),
        wrap=lambda step: jax.jit(
            on_shares(step) if shares else step,
            in_shardings=(whole, split),
            out_shardings=whole,
            donate_argnums=0,
        ),
        answers=functools.partial(_own_answers, devices),
    )


def _shardings(devices):
    """(whole on each of these devices, split over them along the first axis)."""
    axis = (AxisType.Auto,)
    mesh = jax.make_mesh((len(devices),), (AXIS,), axis_types=axis, devices=devices)
    return [NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), (AXIS,))]


def _own_answers(devices, function, state):
    own = [device for device in devices if device in jax.local_devices()]
    whole, split = _shardings(own)
    placed = jax.device_put(state, whole)
    compiled = jax.jit(function, in_shardings=(whole, split), out_shardings=split)
    return lambda batch: compiled(placed, jax.device_put(batch, split))


def pmap_strategy(devices=None):
    """jax.pmap in one process: a program a device, averages over the axis "batch".

    Raises:
      ValueError: there are several processes.
    """
    if multihost.process_rank()[1] > 1:
        raise ValueError(
            "--parallel=pmap is for one process, and there are "
            f"{multihost.process_rank()[1]}: "
            "use --parallel=jit"
        )
    devices = devices or jax.local_devices()
    count = len(devices)

    def place_batch(batch):
        return jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), batch)

    def answers(function, state):
        apart = jax.pmap(function, axis_name=AXIS, in_axes=(None, 0), devices=devices)

        def together(batch):
            found = apart(state, place_batch(batch))
            return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), found)

        return together

    return Strategy(
        num_devices=count,
        axis_name=AXIS,
        place_state=lambda state: state,
        place_batch=place_batch,
        wrap=lambda step: jax.pmap(
            step,
            axis_name=AXIS,
            in_axes=(None, 0),
            out_axes=(None, None),
            devices=devices,
        ),
        answers=answers,
    )


def map_over_devices(function, jobs, devices=None):
    """Compute jobs on this process's devices: each job on the next one, all at once.

    Args:
      function: of a job, to what jax.jit computes of arrays that are on no device yet.
      jobs: iterable; the next is asked for when a device is free.
      devices: to use; all of this process, unless given.

    Yields:
      (job, what was computed), in the order of the jobs.

    Example:
      >>> squared = map_over_devices(jax.jit(lambda n: n * n), [2, 3])
      >>> [(n, int(square)) for n, square in squared]
      [(2, 4), (3, 9)]
    """
    devices = devices or jax.local_devices()
    begun = collections.deque()
    for job, device in zip(jobs, itertools.cycle(devices), strict=False):
        with jax.default_device(device):
            begun.append((job, function(job)))
        if len(begun) == len(devices):
            yield begun.popleft()
    yield from begun


def check_batch(batch_size, num_devices, *, name, parts=1, unit=1):
    """Refuse a batch that does not divide.

    Args:
      batch_size: of a stage.
      num_devices: that share it.
      name: of the stage's field in the configuration.
      parts: in which each device computes its share, one after the other.
      unit: examples that belong together on a device.

    Raises:
      ValueError: with all numbers and the field's name.
    """
    least = num_devices * parts * unit
    if batch_size < 1 or batch_size % least:
        each = f" in {parts} parts each" if parts > 1 else ""
        each += f" in units of {unit}" if unit > 1 else ""
        raise ValueError(
            f"--config.{name}.batch_size={batch_size} cannot be split over "
            f"{num_devices} devices{each}: choose a multiple of {least}"
        )
