"""Whole layers of other libraries, drawn at random, against their conversion."""

import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

from cpcnn_jax.layers import converters
from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv

LAYERS_PER_LIBRARY = 20


def draw(rng):
    """Draws the numbers that all libraries have, and an input, channels last."""
    n = rng.choice([1, 2, 2, 3])
    numbers = {
        name: tuple(rng.randint(1, most) for _ in range(n))
        for name, most in dict(k=5, s=3, d=2).items()
    }
    groups = rng.choice([1, 1, 2])
    numbers |= dict(
        n=n,
        groups=groups,
        c_in=groups * rng.randint(1, 3),
        c_out=groups * rng.randint(1, 3),
        bias=rng.random() < 0.7,
    )
    spatial = [rng.randint(3, 6) for _ in range(n)]
    arrays = np.random.default_rng(rng.randrange(2**32))
    x = arrays.normal(size=(2, *spatial, numbers["c_in"])).astype(np.float32)
    return numbers, x, arrays


def below(rng, limits):
    """Draws a number from 0 on below each limit."""
    return tuple(rng.randrange(limit) for limit in limits)


def named_or_pairs(rng, n):
    """Draws a padding of `jax.lax.conv_transpose`."""
    pairs = tuple((rng.randint(0, 4), rng.randint(0, 4)) for _ in range(n))
    return rng.choice(["SAME", "VALID", pairs])


def torch_layer(rng, numbers, x, arrays):
    torch = pytest.importorskip("torch")
    kind = getattr(torch.nn, f"ConvTranspose{numbers['n']}d")
    layer = kind(
        numbers["c_in"],
        numbers["c_out"],
        numbers["k"],
        stride=numbers["s"],
        padding=below(rng, numbers["k"]),
        output_padding=below(rng, numbers["s"]),
        groups=numbers["groups"],
        bias=numbers["bias"],
        dilation=numbers["d"],
    )
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.tensor(arrays.normal(size=parameter.shape)))
    return (layer,), converters.to_torch, apply_torch


def apply_torch(layer, x):
    import torch

    y = layer(torch.tensor(np.moveaxis(x, -1, 1)))
    return np.moveaxis(y.detach().numpy(), 1, -1)


def keras_layer(rng, numbers, x, arrays):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    is_strided = rng.random() < 0.7
    s, d = (numbers["s"], 1) if is_strided else (1, numbers["d"])
    strides = s if is_strided else (1,) * numbers["n"]
    layer = getattr(keras.layers, f"Conv{numbers['n']}DTranspose")(
        numbers["c_out"],
        numbers["k"],
        strides=s,
        padding=rng.choice(["same", "valid"]),
        output_padding=rng.choice([None, below(rng, strides)]),
        dilation_rate=d,
        use_bias=numbers["bias"],
        data_format="channels_last",
    )
    layer.build((None, *x.shape[1:]))
    layer.set_weights([arrays.normal(size=w.shape) for w in layer.get_weights()])
    return (layer,), converters.to_keras, lambda layer, x: layer(x)


def linen_layer(rng, numbers, x, arrays):
    layer = nn.ConvTranspose(
        numbers["c_out"],
        numbers["k"],
        strides=rng.choice([None, numbers["s"]]),
        padding=named_or_pairs(rng, numbers["n"]),
        kernel_dilation=rng.choice([None, numbers["d"]]),
        use_bias=numbers["bias"],
        transpose_kernel=rng.random() < 0.5,
    )
    variables = normal_like(layer.init(jax.random.key(0), x), arrays)
    return (layer, variables), converters.to_flax, apply_linen


def apply_linen(layer_and_variables, x):
    layer, variables = layer_and_variables
    return layer.apply(variables, x)


def equinox_layer(rng, numbers, x, arrays):
    equinox = pytest.importorskip("equinox")
    pairs = tuple((rng.randrange(k), rng.randrange(k)) for k in numbers["k"])
    layer = equinox.nn.ConvTranspose(
        *(numbers[name] for name in ("n", "c_in", "c_out", "k", "s")),
        padding=rng.choice([pairs, 0, "VALID", "SAME", "SAME_LOWER"]),
        output_padding=below(rng, numbers["s"]),
        dilation=numbers["d"],
        groups=numbers["groups"],
        use_bias=numbers["bias"],
        key=jax.random.key(rng.randrange(1000)),
    )
    return (layer,), converters.to_equinox, apply_equinox


def apply_equinox(layer, x):
    return np.moveaxis(jax.vmap(layer)(np.moveaxis(x, -1, 1)), 1, -1)


def haiku_layer(rng, numbers, x, arrays):
    haiku = pytest.importorskip("haiku")
    arguments = dict(
        output_channels=numbers["c_out"],
        kernel_shape=numbers["k"],
        stride=numbers["s"],
        padding=named_or_pairs(rng, numbers["n"]),
        with_bias=numbers["bias"],
    )
    made = []

    def forward(x):
        kind = getattr(haiku, f"Conv{numbers['n']}DTranspose")
        made.append(kind(**arguments))
        return made[-1](x)

    transformed = haiku.without_apply_rng(haiku.transform(forward))
    params = normal_like(transformed.init(jax.random.key(0), x), arrays)
    (layer,) = made
    given = (layer, params) if rng.random() < 0.5 else (layer, params[layer.name])
    return given, converters.to_haiku, apply_haiku


def apply_haiku(given, x):
    """Applies (layer, parameters), or what `to_haiku` returns."""
    import haiku

    params, arguments = given
    if isinstance(params, haiku.Module):
        layer, params = given
        names = ("num_spatial_dims", "output_channels", "kernel_shape", "stride")
        names += ("padding", "with_bias")
        arguments = {name: getattr(layer, name) for name in names}
        params = params.get(layer.name, params)

    def forward(x):
        return haiku.ConvNDTranspose(**arguments, name="layer")(x)

    transformed = haiku.without_apply_rng(haiku.transform(forward))
    return transformed.apply({"layer": params}, x)


def normal_like(tree, arrays):
    """Draws arrays of the shapes of a tree."""
    return jax.tree.map(
        lambda a: jnp.asarray(arrays.normal(size=a.shape), jnp.float32), tree
    )


LIBRARIES = {
    "torch": (torch_layer, converters.from_torch),
    "keras": (keras_layer, converters.from_keras),
    "flax": (linen_layer, converters.from_flax),
    "equinox": (equinox_layer, converters.from_equinox),
    "haiku": (haiku_layer, converters.from_haiku),
}


@pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning")  # in Keras
@pytest.mark.parametrize("library", LIBRARIES)
def test_random_layers_convert_in_both_directions(library, monkeypatch):
    """One hundred layers of five libraries."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    make, convert = LIBRARIES[library]
    rng, converted = random.Random(library), 0
    while converted < LAYERS_PER_LIBRARY:
        numbers, x, arrays = draw(rng)
        if library in ("keras", "flax", "haiku"):
            numbers |= dict(groups=1)
        try:
            given, back, apply = make(rng, numbers, x, arrays)
            expected = np.asarray(apply(given if len(given) > 1 else given[0], x))
        except (ValueError, RuntimeError, TypeError) as error:
            assert "output" in str(error) or "size" in str(error), error
            continue  # no output
        if not expected.size:
            continue
        module, variables = convert(*given)
        assert isinstance(module, FractionallyStridedConv)
        assert module.use_bias == numbers["bias"]
        got = module.apply(variables, x)
        np.testing.assert_allclose(got, expected, atol=1e-5, err_msg=f"{given}")
        again = apply(back(module, variables), x)
        np.testing.assert_allclose(again, expected, atol=1e-5, err_msg=f"{module}")
        converted += 1
