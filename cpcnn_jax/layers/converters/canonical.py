"""The form that all converters go through: our kernel and our geometry, in NumPy."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cpcnn_jax.layers.geometry import Geometry, resolve
from cpcnn_jax.layers.lowerings import adjoint_kernel

Params = dict[str, np.ndarray]
Options = dict[str, Any]


def named(**arrays: ArrayLike | None) -> Params:
    """Return the arrays that are there, by their names."""
    return {name: np.asarray(a) for name, a in arrays.items() if a is not None}


def canonical(
    params: Params,
    *,
    strides=2,
    padding=1,
    output_padding=0,
    kernel_dilation=1,
    feature_group_count=1,
    transpose_kernel=False,
) -> tuple[np.ndarray, Geometry]:
    """Return the kernel `[*k, C_in / groups, C_out]` and the geometry."""
    kernel = np.asarray(params["kernel"])
    if transpose_kernel:
        kernel = adjoint_kernel(kernel, feature_group_count)
    k = kernel.shape[:-2]
    anything = (2**20,) * len(k)  # the geometry of large enough inputs is the same
    return kernel, resolve(
        anything,
        k,
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        kernel_dilation=kernel_dilation,
        groups=feature_group_count,
    )


def ungrouped(geometry: Geometry, whose: str) -> None:
    """Raise ValueError if there are feature groups, which `whose` layer has not."""
    if geometry.groups > 1:
        raise ValueError(
            f"feature_group_count: got {geometry.groups}, expected 1 for {whose}"
        )
