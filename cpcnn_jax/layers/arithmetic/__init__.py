"""Convolution arithmetic of one axis: sizes, padding, receptive fields and cost.

The letters are the guide's: input size i, kernel size k, stride s, padding p (one
integer or a pair low, high), output padding a, dilation d, output size o, all in units
of the axis. A transposed convolution is described by k, s, p and d of the direct
convolution that it transposes, and its i is the output size of that convolution.

Reference: Dumoulin & Visin, A guide to convolution arithmetic for deep learning,
arXiv:1603.07285; `relationship_1` to `relationship_15` are its numbered formulas.
"""

from cpcnn_jax.layers.arithmetic.guide_relationships import *  # noqa: F403
from cpcnn_jax.layers.arithmetic.receptive_fields import *  # noqa: F403
from cpcnn_jax.layers.arithmetic.sizes import *  # noqa: F403
