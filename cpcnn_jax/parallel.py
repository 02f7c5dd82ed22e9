"""Devices: the only file that knows them.

Two ways to run one pure step on all devices, each with the batch split between them and
the state whole on each: `jit` over a mesh, where the compiler splits the work, and
`pmap`, where each device runs the step on its share and the steps average what they
have found over the axis "batch".
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

AXIS = "batch"


class Strategy(NamedTuple):
    """How to place and run a step."""

    num_devices: int
    host: tuple  # (number of this process, how many there are)
    axis_name: str | None  # what the step factories are told
    place_state: Callable  # pytree of arrays -> the same, whole on every device
    place_batch: Callable  # pytree of [B, ...] -> split over the devices
    wrap: Callable  # step(state, batch) -> compiled step; the old state is given up
    wrap_answers: Callable  # f(state, batch) -> compiled f, whose answers are [B, ...]


def device_names():
    """What the run's record says of the devices."""
    return [str(device) for device in jax.devices()]


def jit_strategy(devices=None):
    """One mesh over all devices, or the given ones; jax.jit splits the batch."""
    devices = devices or jax.devices()
    mesh = jax.make_mesh(
        (len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices
    )
    whole, split = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), (AXIS,)))
    return Strategy(
        num_devices=len(devices),
        host=(jax.process_index(), jax.process_count()),
        axis_name=None,
        place_state=lambda state: jax.device_put(state, whole),
        place_batch=lambda batch: jax.make_array_from_process_local_data(split, batch),
        wrap=lambda step: jax.jit(
            step,
            in_shardings=(whole, split),
            out_shardings=whole,
            donate_argnums=0,
        ),
        wrap_answers=lambda answer: jax.jit(
            answer, in_shardings=(whole, split), out_shardings=split
        ),
    )


def pmap_strategy(devices=None):
    """jax.pmap: one program a device, averages over the axis "batch"."""
    devices = devices or jax.local_devices()
    count = len(devices)

    def place_batch(batch):
        return jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), batch)

    def wrap_answers(answer):
        apart = jax.pmap(answer, axis_name=AXIS, in_axes=(None, 0), devices=devices)

        def together(state, batch):
            answers = apart(state, batch)
            return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), answers)

        return together

    return Strategy(
        num_devices=count,
        host=(0, 1),
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
        wrap_answers=wrap_answers,
    )


def check_batch(batch_size, num_devices, *, name, parts=1):
    """Refuse a batch that does not divide.

    Args:
      batch_size: of a stage.
      num_devices: that share it.
      name: of the stage's field in the configuration.
      parts: in which each device computes its share, one after the other.

    Raises:
      ValueError: with all numbers and the field's name.
    """
    least = num_devices * parts
    if batch_size < 1 or batch_size % least:
        each = f" in {parts} parts each" if parts > 1 else ""
        raise ValueError(
            f"--config.{name}.batch_size={batch_size} cannot be split over "
            f"{num_devices} devices{each}: choose a multiple of {least}"
        )
