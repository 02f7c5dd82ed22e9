"""Step-by-step explanations of convolution layers."""

from cpcnn_jax.explain.explanation import Explanation, explain

__all__ = ["Explanation", "explain"]
