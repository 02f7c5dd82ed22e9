"""Whole modules: between a module with its variables and parameters with options.

Other libraries are not imported here. Nobody has a layer of a library that is not
loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from cpcnn_jax.layers.converters.canonical import Options, Params, pack

if TYPE_CHECKING:
    from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv

Variables = Mapping[str, Any]
_OPTIONS = (
    "strides",
    "padding",
    "output_padding",
    "kernel_dilation",
    "feature_group_count",
    "transpose_kernel",
)


class Layer(Protocol):
    """The field by which a type checker tells a layer of a library from a kernel."""

    @property
    def kernel_size(self) -> Any:
        """Kernel size k."""


def is_layer(value: Any, *classes: str) -> bool:
    """Tests whether a value is a layer of a library, and not its kernel.

    Args:
      value: layer, or array.
      *classes: full names, for example "torch.nn.ConvTranspose2d".

    Raises:
      ValueError: value is neither a layer of these classes nor an array.
    """
    for module, _, name in (known.rpartition(".") for known in classes):
        if module in sys.modules:
            if isinstance(value, getattr(sys.modules[module], name)):
                return True
    if hasattr(value, "__array__") or isinstance(value, (list, tuple)):
        return False
    got = value if isinstance(value, type) else type(value)
    raise ValueError(
        f"layer: got {got.__module__}.{got.__qualname__}, expected an instance of "
        f"{' or '.join(classes)}, or its kernel"
    )


def require(name: str, value: Any, expected: Any) -> None:
    """Raises ValueError unless an attribute of a layer has the expected value."""
    if value != expected:
        raise ValueError(f"{name}: got {value!r}, expected {expected!r}")


def to_module(
    params: Params, options: Options, **fields: Any
) -> tuple[FractionallyStridedConv, Variables]:
    """Makes the module of parameters and options, and its variables.

    Args:
      params: kernel `[*k, C_in / groups, C_out]`, and bias `[C_out]` if there is one.
      options: arguments of `fractionally_strided_conv`.
      **fields: further fields of the module.
    """
    from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv

    kernel = params["kernel"]
    module = FractionallyStridedConv(
        features=kernel.shape[-1],
        kernel_size=kernel.shape[:-2],
        use_bias="bias" in params,
        param_dtype=kernel.dtype,
        **options,
        **fields,
    )
    return module, {"params": params}


def from_module(
    module: FractionallyStridedConv, variables: Variables
) -> tuple[Params, Options]:
    """Returns the parameters and options of a module with its variables.

    Raises:
      ValueError: variables without the module's kernel or bias.
    """
    names = ["kernel", "bias"] if module.use_bias else ["kernel"]
    stored = variables.get("params", {})
    if missing := [name for name in names if name not in stored]:
        raise ValueError(
            f"variables: got params {sorted(stored)}, expected also {missing}"
        )
    params = pack(**{name: stored[name] for name in names})
    return params, {name: getattr(module, name) for name in _OPTIONS}
