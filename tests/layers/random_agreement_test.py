"""The layer against PyTorch on random sets of parameters, in float64.

A set has a geometry, arrays, a lowering and a transformation. It may have an empty
batch, a unit of x that is not finite, integers of NumPy, no batch axis, unequal
padding, a named padding or an output size.
"""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from jax import lax

from cpcnn_jax.layers.fractionally_strided import LOWERINGS, fractionally_strided_conv

# Thousands of programs run once each, so compilation is most of the time.
FAST_COMPILE = dict(xla_backend_optimization_level=0, xla_cpu_use_fusion_emitters=False)
SETS_PER_PROGRAM = 42
MEMBERS = 2  # of a mapped or scanned axis
NOT_FINITE = [np.nan, np.inf, -np.inf]


class Axis(NamedTuple):
    """Numbers of one spatial axis, and where the output lies in the whole one."""

    i: int
    k: int
    s: int
    d: int
    low: int  # padding: units that the output lacks before
    size: int  # of the output

    @property
    def reach(self):
        """Size of the output without padding."""
        return self.s * (self.i - 1) + self.d * (self.k - 1) + 1


class Set(NamedTuple):
    """Parameters and arrays of one comparison."""

    axes: list[Axis]
    groups: int
    transposed: bool
    options: dict[str, Any]  # arguments of the layer
    under: str  # jit, vmap or scan
    mapped: tuple[int | None, ...]  # axis of each array that is mapped or scanned
    arrays: list[np.ndarray]  # x, kernel, their tangents, the output's cotangent
    kinds: set[str]


def draw(rng):
    """Draws a set with an output, of one to three spatial axes."""
    while True:
        padding = rng.choice(["equal", "equal", "unequal", "SAME", "VALID"])
        n = rng.choice([1, 1, 1, 1, 1, 2, 2, 3])
        drawn = [draw_axis(rng, padding) for _ in range(n)]
        axes = [axis for axis, *_ in drawn]
        if min(axis.size for axis in axes) >= 1:
            break
    kinds, groups = {padding}, rng.choice([1, 1, 2, 3])
    _, pads, extra = zip(*drawn, strict=True)
    options = dict(
        strides=tuple(axis.s for axis in axes),
        padding=padding if padding.isupper() else pads,
        kernel_dilation=tuple(axis.d for axis in axes),
        feature_group_count=groups,
        transpose_kernel=rng.random() < 0.5,
        lowering=rng.choice(LOWERINGS),
    )
    if padding != "SAME" and rng.random() < 0.2:
        options["output_size"] = tuple(axis.size for axis in axes)
        kinds.add("output size")
    else:
        options["output_padding"] = extra
    if rng.random() < 0.25:
        kinds.add("NumPy integers")
        numbers = ("strides", "kernel_dilation", "output_padding", "output_size")
        for name in options.keys() & {*numbers}:
            options[name] = np.array(options[name], rng.choice([np.int64, np.uint8]))
        options["feature_group_count"] = np.int32(groups)
    return draw_arrays(rng, axes, groups, options, kinds)


def draw_axis(rng, padding):
    """Returns the axis, its padding and its output padding."""
    i, k, s, d = (rng.randint(1, most) for most in (5, 4, 4, 3))
    extra = rng.randrange(max(s, d))
    low = rng.randint(-2, 4) if padding == "unequal" else rng.randint(0, 4)
    high = rng.randint(-2, 4) if padding == "unequal" else low
    if padding.isupper():
        low = high = 0
    if padding == "SAME":
        extra, low = 0, max(d * (k - 1) + 1 - s, 0) // 2
        return Axis(i, k, s, d, low, s * i), None, 0
    axis = Axis(i, k, s, d, low, 0)
    axis = axis._replace(size=axis.reach - low - high + extra)
    return axis, low if padding == "equal" else (low, high), extra


def draw_arrays(rng, axes, groups, options, kinds):
    """Draws the transformation and the arrays of a set."""
    under = rng.choice(["jit"] * 5 + ["vmap"] * 3 + ["scan"])
    x_axis, kernel_axis = rng.choice([(0, None), (None, 0), (0, 0)])
    mapped = (x_axis, kernel_axis, x_axis, kernel_axis, 0)
    if under == "jit":
        mapped = (None,) * 5
    batch = rng.choice([(), (1,), (1,), (2,), (2,), (0,)])
    kinds.add({(): "no batch axis", (0,): "empty batch"}.get(batch, "batch"))
    is_finite = 0 in batch or rng.random() < 0.8
    # In float64 on a CPU, XLA multiplies a group of one channel by zeros for others.
    c_in = groups * (rng.randint(1, 2) if is_finite else 2)
    c_out = groups * rng.randint(1, 2)
    transposed = options["transpose_kernel"]
    channels = (c_out // groups, c_in) if transposed else (c_in // groups, c_out)
    x = (*batch, *(axis.i for axis in axes), c_in)
    kernel = (*(axis.k for axis in axes), *channels)
    y = (*batch, *(axis.size for axis in axes), c_out)
    arrays = np.random.default_rng(rng.randrange(2**32))
    drawn = [
        arrays.normal(size=shape if axis is None else (MEMBERS, *shape))
        for shape, axis in zip((x, kernel, x, kernel, y), mapped, strict=True)
    ]
    if not is_finite:
        kinds.add("not finite")
        drawn[0].flat[rng.randrange(drawn[0].size)] = rng.choice(NOT_FINITE)
    if rng.random() < 0.5:
        options["bias"] = arrays.normal(size=c_out)
    kinds |= {under, options["lowering"]}
    return Set(axes, groups, transposed, options, under, mapped, drawn, kinds)


def with_derivatives(layer):
    """Value, gradients, and their derivatives in the direction of the tangents."""

    def derived(x, kernel, dx, dkernel, y):
        def gradients(x, kernel):
            value, pull = jax.vjp(layer, x, kernel)
            return value, *pull(y)

        primals, tangents = jax.jvp(gradients, (x, kernel), (dx, dkernel))
        return *primals, *tangents

    return derived


def run_ours(given):
    """Differentiates each member of `vmap`, and a `scan` as a whole."""

    def layer(x, kernel):
        return fractionally_strided_conv(x, kernel, **given.options)

    def scanned(x, kernel):
        arrays = dict(x=x, kernel=kernel)
        mapped = {
            name: arrays[name]
            for name, axis in zip(arrays, given.mapped[:2], strict=True)
            if axis == 0
        }

        def step(carry, member):
            return carry, layer(**arrays | member)

        return lax.scan(step, None, mapped)[1]

    if given.under == "scan":
        return with_derivatives(scanned)(*given.arrays)
    if given.under == "vmap":
        return jax.vmap(with_derivatives(layer), given.mapped)(*given.arrays)
    return with_derivatives(layer)(*given.arrays)


def run_torch(given):
    """Value, gradients and their derivatives by PyTorch, member by member."""
    if given.under == "jit":
        return torch_derivatives(given, *given.arrays)
    members = [
        torch_derivatives(
            given,
            *(
                a if axis is None else a[i]
                for a, axis in zip(given.arrays, given.mapped, strict=True)
            ),
        )
        for i in range(MEMBERS)
    ]
    results = [np.stack(parts) for parts in zip(*members, strict=True)]
    if given.under == "scan":  # one gradient of what all members share
        for place, axis in zip((1, 2, 4, 5), 2 * given.mapped[:2], strict=True):
            if axis is None:
                results[place] = results[place].sum(0)
    return results


def torch_derivatives(given, *arrays):
    """Differentiates twice in reverse, where ours goes forward over reverse."""
    import torch

    x, kernel, dx, dkernel, y = map(torch.tensor, arrays)
    x.requires_grad_(), kernel.requires_grad_()
    value = torch_layer(given, x, kernel)
    gradients = torch.autograd.grad(value, (x, kernel), y, create_graph=True)
    second = torch.autograd.grad(
        gradients, (x, kernel), (dx, dkernel), materialize_grads=True
    )
    bias = torch.tensor(given.options.get("bias", 0.0))
    tangent = torch_layer(given, dx, kernel) + torch_layer(given, x, dkernel)
    results = value + bias, *gradients, tangent, *second
    return [result.detach().numpy() for result in results]


def torch_layer(given, x, kernel):
    """The whole output of PyTorch, padded with zeros and cropped to the axes."""
    from torch.nn import functional

    n, groups = len(given.axes), given.groups
    batch = x.movedim(-1, x.ndim - n - 1)
    batch = batch if x.ndim == n + 2 else batch[None]
    if given.transposed:
        weight = kernel.movedim((-1, -2), (0, 1))
    else:
        k, (c_in, c_out) = kernel.shape[:n], kernel.shape[n:]
        weight = kernel.flip([*range(n)]).reshape(*k, c_in, groups, c_out // groups)
        weight = weight.movedim((-2, -3, -1), (0, 1, 2)).flatten(0, 1)
    weight = weight.contiguous()
    whole = getattr(functional, f"conv_transpose{n}d")(
        batch,
        weight,
        stride=[axis.s for axis in given.axes],
        dilation=[axis.d for axis in given.axes],
        groups=groups,
    )
    padded = functional.pad(whole, 2 * n * [8])
    crops = [slice(8 + a.low, 8 + a.low + a.size) for a in given.axes]
    value = padded[:, :, *crops].movedim(1, -1)
    return value if x.ndim == n + 2 else value[0]


NAMES = "value, x's gradient, kernel's gradient".split(", ")
NAMES += [f"tangent of the {name}" for name in NAMES]
KINDS = (
    *("equal", "unequal", "SAME", "VALID", "output size", "NumPy integers"),
    *("empty batch", "no batch axis", "not finite"),
    *("jit", "vmap", "scan", *LOWERINGS),
)


@pytest.fixture
def one_thread():
    """PyTorch without parallel loops, which cost more than such small arrays."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "seed, number",
    [
        (0, 84),
        *(pytest.param(n, 252, marks=pytest.mark.long) for n in range(1, 4)),
        *(pytest.param(n, 252, marks=pytest.mark.nightly) for n in range(4, 21)),
    ],
)
def test_random_sets_equal_torch(seed, number, one_thread):
    """756 sets in the long tests, 5,040 with the nightly ones."""
    rng = random.Random(seed)
    sets = [draw(rng) for _ in range(number)]
    assert set().union(*(given.kinds for given in sets)) >= {*KINDS}

    def compiled(sets):
        def all_of(arrays):
            return [
                run_ours(given._replace(arrays=drawn))
                for given, drawn in zip(sets, arrays, strict=True)
            ]

        with jax.enable_x64(True):
            program = jax.jit(all_of, compiler_options=FAST_COMPILE)
            return jax.device_get(program([given.arrays for given in sets]))

    with ThreadPoolExecutor(2) as pool:
        starts = range(0, number, SETS_PER_PROGRAM)
        parts = pool.map(compiled, [sets[i : i + SETS_PER_PROGRAM] for i in starts])
        results = [result for part in parts for result in part]
    for given, result in zip(sets, results, strict=True):
        expected = run_torch(given)
        for name, got, right in zip(NAMES, result, expected, strict=True):
            if "not finite" in given.kinds and name == "kernel's gradient":
                got = np.where(np.isnan(right), right, got)  # PyTorch's padding times x
            np.testing.assert_allclose(
                *(got, right), rtol=1e-11, atol=1e-11, err_msg=f"{name}: {given}"
            )
