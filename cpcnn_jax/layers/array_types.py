"""Types of the layer's arguments, each array with its shape and dtype."""

from collections.abc import Sequence
from typing import Annotated

import jax
from jax.typing import ArrayLike

Input = Annotated[ArrayLike, "[B, *spatial, C_in] or [*spatial, C_in], any number"]
Kernel = Annotated[ArrayLike, "[*k, C_in / groups, C_out], dtype promoted with Input"]
Bias = Annotated[ArrayLike, "[C_out]"]
Output = Annotated[jax.Array, "[B, *output, C_out], dtype of Input and Kernel promoted"]
PerAxis = int | Sequence[int]  # for all spatial axes, or per axis
