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


def jit_strategy():
    """One mesh over all devices; jax.jit splits the batch."""
    mesh = jax.make_mesh((jax.device_count(),), (AXIS,), axis_types=(AxisType.Auto,))
    whole, split = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), (AXIS,)))
    return Strategy(
        num_devices=jax.device_count(),
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


def pmap_strategy():
    """jax.pmap: one program a device, averages over the axis "batch"."""
    count = jax.local_device_count()

    def place_batch(batch):
        return jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), batch)

    def wrap_answers(answer):
        apart = jax.pmap(answer, axis_name=AXIS, in_axes=(None, 0))

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
            step, axis_name=AXIS, in_axes=(None, 0), out_axes=(None, None)
        ),
        wrap_answers=wrap_answers,
    )


def check_batch(batch_size, num_devices, *, name):
    """Refuse a batch that does not divide.

    Raises:
      ValueError: with both numbers and the field's name.
    """
    if batch_size < 1 or batch_size % num_devices:
        raise ValueError(
            f"--config.{name}={batch_size} cannot be split over {num_devices} devices: "
            f"choose a multiple of {num_devices}"
        )
