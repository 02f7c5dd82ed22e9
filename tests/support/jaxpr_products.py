"""Dtypes of the products in a traced function."""

import jax


def products(jaxpr):
    """(dtypes of the operands) of every convolution and matrix product."""
    for eqn in jaxpr.eqns:
        if eqn.primitive.name.endswith(
            ("conv_general_dilated", "dot_general", "_conv")
        ):
            yield tuple(str(x.aval.dtype) for x in eqn.invars)
        for inner in jax.tree.leaves(
            list(eqn.params.values()), is_leaf=lambda x: hasattr(x, "eqns")
        ):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                yield from products(inner)
