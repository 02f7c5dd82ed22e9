"""Common form of all converters: our kernel and our geometry, in NumPy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cpcnn_jax.layers.adjoint_kernel import adjoint_kernel
from cpcnn_jax.layers.geometry import Geometry, Padding, resolve

Params = dict[str, np.ndarray]
Options = dict[str, Any]


def pack(**arrays: ArrayLike | None) -> Params:
    """Returns a dict of the arrays that are not None, by name.

    They are copies in C order, because other libraries refuse negative strides.
    """
    return {
        name: np.array(as_numpy(a), order="C")
        for name, a in arrays.items()
        if a is not None
    }


def as_numpy(array: Any) -> np.ndarray:
    """Returns a NumPy array, also of a tensor with a gradient or in bfloat16."""
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        name = str(array.dtype).removeprefix("torch.")
        if name.startswith(("bfloat", "float8")):
            import ml_dtypes

            return array.float().numpy().astype(getattr(ml_dtypes, name))
    return np.asarray(array)


def to_canonical(
    params: Params,
    *,
    strides: int | Sequence[int] = 2,
    padding: Padding = 1,
    output_padding: int | Sequence[int] = 0,
    kernel_dilation: int | Sequence[int] = 1,
    feature_group_count: int = 1,
    transpose_kernel: bool = False,
) -> tuple[np.ndarray, Geometry]:
    """Returns the kernel `[*k, C_in / groups, C_out]` and the geometry of a layer."""
    kernel = np.asarray(params["kernel"])
    if transpose_kernel:
        kernel = adjoint_kernel(kernel, feature_group_count)
    k = kernel.shape[:-2]
    large = (2**20,) * len(k)  # all large enough inputs have the same geometry
    return kernel, resolve(
        large,
        k,
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        kernel_dilation=kernel_dilation,
        groups=feature_group_count,
    )


def check_one_group(geometry: Geometry, target: str) -> None:
    """Raises ValueError if there are feature groups, which `target` does not have."""
    if geometry.groups > 1:
        raise ValueError(
            f"feature_group_count: got {geometry.groups}, expected 1 for {target}"
        )
