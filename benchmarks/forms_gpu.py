"""Time of the forms that were written for CPUs against JAX's own operations.

networks_gpu.py prints this table. A call computes an operation and its gradients
several times and waits once. The contenders are JAX's operation with its own
gradients, cpcnn_jax on this device, and the form that cpcnn_jax uses on a CPU. The
sizes are those of the networks for a batch of crops.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import layers_gpu
import numpy as np
import timing
import torch_twins
from flax import linen as nn
from jax import lax

from cpcnn_jax.layers import banded_conv, fast_conv
from cpcnn_jax.layers.fractionally_strided import fractionally_strided_conv

PLAIN, OURS, CPU_FORM = "JAX", "cpcnn_jax", "CPU form"
LAYOUT = ("NHWC", "HWIO", "NHWC")


class Form(NamedTuple):
    """An operation, and the one of JAX that it replaces."""

    ours: Callable  # x, or x and kernel, to y
    plain: Callable
    shape: tuple[int, ...]  # of x, without the batch
    kernel: tuple[int, ...] | None


def forms(height: int, width: int) -> dict[str, Form]:
    """Lists the operations by name.

    Args:
      height: of a crop, pixels, a multiple of 4.
      width: of a crop, pixels, a multiple of 4.
    """
    whole, half, quarter = ((height // n, width // n) for n in (1, 2, 4))

    def conv(ours, padding, shape, kernel):
        def call(function):
            options = (1, 1), padding
            return lambda x, kernel: function(
                x, kernel, *options, dimension_numbers=LAYOUT
            )

        return Form(call(ours), call(lax.conv_general_dilated), shape, kernel)

    def upsample(shape, kernel):
        ours = functools.partial(fractionally_strided_conv, lowering="auto")
        return Form(ours, _literal_upsample, shape, kernel)

    pool = functools.partial(nn.max_pool, window_shape=(2, 2), strides=(2, 2))
    folded, valid = fast_conv.folded_conv, fast_conv.valid_conv
    banded = banded_conv.banded_conv
    return {
        "folded_conv 9x9, 3 to 16": conv(folded, "SAME", (*whole, 3), (9, 9, 3, 16)),
        "folded_conv 5x5, 32 to 16": conv(folded, "SAME", (*half, 32), (5, 5, 32, 16)),
        "max_pool, 16": Form(fast_conv.max_pool, pool, (*whole, 16), None),
        "T 4x4, 32 to 32": upsample((*quarter, 32), (4, 4, 32, 32)),
        "T 4x4, 16 to 16": upsample((*half, 16), (4, 4, 16, 16)),
        "valid_conv 3x3, 64 to 64": conv(valid, "VALID", (62, 62, 64), (3, 3, 64, 64)),
        "banded_conv 3x3, 64 to 128": conv(
            banded, "SAME", (*whole, 64), (3, 3, 64, 128)
        ),
    }


def _literal_upsample(x, kernel):
    """Convolves the input with zeros inserted: size 4, stride 2, padding 1."""
    pads = [(2, 2)] * 2
    return lax.conv_general_dilated(
        x, kernel, (1, 1), pads, lhs_dilation=(2, 2), dimension_numbers=LAYOUT
    )


@contextlib.contextmanager
def cpu_forms() -> Iterator[None]:
    """Traces the branches of `lax.platform_dependent` that CPUs take.

    JAX's caches are cleared, because they hold traces of the other branches.
    """
    choose = lax.platform_dependent
    lax.platform_dependent = _choose_cpu
    jax.clear_caches()
    try:
        yield
    finally:
        lax.platform_dependent = choose
        jax.clear_caches()


def _choose_cpu(*args, default, cpu=None, **others):
    del others  # the branches of other platforms
    return (cpu or default)(*args)


def contenders(form: Form, place: torch_twins.Place, batch: int) -> dict[str, Callable]:
    """Compiles all timed calls of an operation, by name.

    Args:
      form: the operation.
      place: device and dtype.
      batch: examples.
    """
    arrays = [torch_twins.placed(x, place)[0] for x in _arrays(form, batch)]
    plain, ours = _compile(form.plain, arrays), _compile(form.ours, arrays)
    with cpu_forms():
        compiled = {
            PLAIN: plain,
            OURS: ours,
            CPU_FORM: _compile(form.ours, arrays),
        }
    return {
        name: layers_gpu.repeated(functools.partial(program, arrays))
        for name, program in compiled.items()
    }


def _arrays(form, batch):
    """x and kernel; values of a 2x2 window differ, so that its maximum is unique."""
    random = np.random.default_rng(0)
    shape = batch, *form.shape
    if form.kernel is None:
        rows, columns = np.indices(shape)[1:3] % 2
        whole = 4 * random.integers(-30, 30, shape) + 2 * rows + columns
        return [whole.astype(np.float32)]  # exact in bfloat16
    kernel = random.standard_normal(form.kernel, np.float32)
    return [random.standard_normal(shape, np.float32), kernel]


def _compile(function, arrays):
    """Compiles value and gradients; the gradient of the value is the value itself."""

    @jax.jit
    def step(arrays):
        y, pull = jax.vjp(lambda *args: function(*args), *arrays)
        return y, pull(y)

    return step.lower(arrays).compile()


def measured(
    form: Form, place: torch_twins.Place, rounds: int, batch: int
) -> dict[str, dict]:
    """Times an operation; returns rows of `timing.ratios` to JAX's operation.

    Args:
      form: the operation.
      place: device and dtype.
      rounds: at least 2.
      batch: examples.

    Raises:
      SystemExit: the results differ.
    """
    calls = contenders(form, place, batch)
    agree(calls, torch_twins.tolerance(place))
    return timing.ratios(timing.interleaved(calls, rounds), PLAIN)


def agree(calls: dict[str, Callable], tolerance: float) -> None:
    """Checks that all contenders compute the same value and gradients.

    Raises:
      SystemExit: a contender differs from JAX's operation.
    """
    results = {
        name: [torch_twins.on_host(value) for value in jax.tree.leaves(call())]
        for name, call in calls.items()
    }
    for name, values in results.items():
        for a, b in zip(values, results[PLAIN], strict=True):
            if not np.abs(a - b).max() <= tolerance * np.abs(b).max():
                raise SystemExit(f"{name} differs from {PLAIN}: nothing was timed")


def markdown(table: dict[str, dict]) -> str:
    """Formats one row per operation and dtype, one column per contender."""
    names = [PLAIN, OURS, CPU_FORM]
    rows = [["value and gradients: time / JAX's", *names], ["---", *["---:"] * 3]]
    for title, columns in table.items():
        cells = (
            f"{row['median']:.2f} ({row['low']:.2f}-{row['high']:.2f}), "
            f"{1e3 * row['seconds'] / layers_gpu.REPEATS:.3g} ms"
            for row in (columns[name] for name in names)
        )
        rows.append([title, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
