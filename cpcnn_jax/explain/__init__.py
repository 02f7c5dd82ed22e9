"""The fractionally-strided convolution, shown: python -m cpcnn_jax explain."""

from cpcnn_jax.explain.explanation import Explanation, explain

__all__ = ["Explanation", "explain"]
