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

pytestmark = pytest.mark.quick_compile

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
    """Draws a padding of `jax.lax.conv_transpose` that leaves an output."""
    pairs = tuple((rng.randint(4, 6), rng.randint(4, 6)) for _ in range(n))
    return rng.choice(["SAME", "VALID", pairs])


def torch_layer(rng, numbers, x, arrays):
    torch = pytest.importorskip("torch")
    kind = getattr(torch.nn, f"ConvTranspose{numbers['n']}d")
    layer = kind(
        numbers["c_in"],
        numbers["c_out"],
        numbers["k"],
        stride=numbers["s"],
        padding=below(rng, [k // 2 + 1 for k in numbers["k"]]),
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
    variables = normal_like(jax.eval_shape(layer.init, jax.random.key(0), x), arrays)
    return (layer, variables), converters.to_flax, apply_linen


def apply_linen(layer_and_variables, x):
    layer, variables = layer_and_variables
    return layer.apply(variables, x)


def equinox_layer(rng, numbers, x, arrays):
    equinox = pytest.importorskip("equinox")
    half = [k // 2 + 1 for k in numbers["k"]]
    pairs = tuple(zip(below(rng, half), below(rng, half), strict=True))
    layer = equinox.filter_eval_shape(
        equinox.nn.ConvTranspose,
        *(numbers[name] for name in ("n", "c_in", "c_out", "k", "s")),
        padding=rng.choice([pairs, 0, "VALID", "SAME", "SAME_LOWER"]),
        output_padding=below(rng, numbers["s"]),
        dilation=numbers["d"],
        groups=numbers["groups"],
        use_bias=numbers["bias"],
        key=jax.random.key(0),
    )
    return (normal_like(layer, arrays),), converters.to_equinox, apply_equinox


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
    params = normal_like(jax.eval_shape(transformed.init, jax.random.key(0), x), arrays)
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
    rng = random.Random(library)
    for _ in range(LAYERS_PER_LIBRARY):
        numbers, x, arrays = draw(rng)
        if library in ("keras", "flax", "haiku"):
            numbers["groups"] = 1
        given, back, apply = make(rng, numbers, x, arrays)
        expected = apply(given if len(given) > 1 else given[0], x)
        module, variables = convert(*given)
        assert isinstance(module, FractionallyStridedConv)
        assert module.use_bias == numbers["bias"]
        got = module.apply(variables, x)
        np.testing.assert_allclose(got, expected, atol=1e-5, err_msg=f"{given}")
        again = apply(back(module, variables), x)
        np.testing.assert_allclose(again, expected, atol=1e-5, err_msg=f"{module}")


X = np.random.default_rng(0).normal(size=(2, 4, 5, 4)).astype(np.float32)


@pytest.mark.parametrize("transpose_kernel", [False, True])
def test_layer_of_nnx_holds_its_variables(transpose_kernel):
    mask = np.arange(3 * 3 * 4 * 4).reshape(3, 3, 4, 4) % 3 > 0
    layer = nnx.ConvTranspose(
        *(4, 4, (3, 3)),
        strides=2,
        mask=jnp.asarray(mask, jnp.float32),
        transpose_kernel=transpose_kernel,
        dtype=jnp.bfloat16,
        rngs=nnx.Rngs(0),
    )
    module, variables = converters.from_flax(layer)
    y = module.apply(variables, X)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(*(a.astype(float) for a in (y, layer(X))), atol=0.02)
    assert (variables["params"]["kernel"] == 0).sum() == (~mask).sum()


def test_kernel_of_torch_with_a_gradient_and_in_bfloat16():
    torch = pytest.importorskip("torch")
    layer = torch.nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1)
    params, options = converters.from_torch(layer.weight, layer.bias, stride=2)
    np.testing.assert_array_equal(params["bias"], layer.bias.detach().numpy())
    module, variables = converters.from_torch(layer.to(torch.bfloat16))
    kernel = variables["params"]["kernel"]
    assert kernel.dtype == module.param_dtype == jnp.bfloat16
    assert kernel.flags.c_contiguous
    expected = params["kernel"].astype(jnp.bfloat16)
    np.testing.assert_array_equal(kernel.astype(float), expected.astype(float))
    back = converters.to_torch(module, variables)
    assert back.weight.dtype == torch.bfloat16 and torch.equal(
        back.weight, layer.weight
    )


def test_double_precision_stays():
    torch = pytest.importorskip("torch")
    layer = torch.nn.ConvTranspose1d(4, 3, 5, stride=2, dtype=torch.float64)
    module, variables = converters.from_torch(layer)
    assert module.param_dtype == np.float64
    with jax.enable_x64(True):
        y = module.apply(variables, X[:, 0].astype(np.float64))
    expected = apply_torch(layer, X[:, 0].astype(np.float64))
    np.testing.assert_allclose(y, expected, atol=1e-13)
    assert converters.to_torch(module, variables).weight.dtype == torch.float64


def test_module_with_other_fields_converts_to_every_library():
    """A transposed kernel, padding by name, and the default initializers."""
    layer = FractionallyStridedConv(
        6, (4, 3), (2, 1), "SAME", transpose_kernel=True, lowering="auto"
    )
    expected, variables = layer.init_with_output(jax.random.key(0), X)
    for library in ("flax", "equinox", "haiku"):
        pytest.importorskip(library)
        converted = getattr(converters, f"to_{library}")(layer, variables)
        apply = globals()[f"apply_{library.replace('flax', 'linen')}"]
        np.testing.assert_allclose(apply(converted, X), expected, atol=1e-5)


def refused_of_torch():
    torch = pytest.importorskip("torch")
    lazy = torch.nn.LazyConvTranspose2d(4, 3)
    circular = torch.nn.ConvTranspose2d(4, 4, 3)
    circular.padding_mode = "circular"
    yield (lazy,), "weight: got a lazy layer without weights, call it once"
    yield (circular,), "padding_mode: got 'circular', expected 'zeros'"
    yield (torch.nn.Conv2d(4, 4, 3),), r"layer: got torch.*Conv2d, expected an inst"
    yield (torch.nn.ConvTranspose2d,), "layer: got torch.*, or its kernel"


def refused_of_keras():
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    kind = keras.layers.Conv2DTranspose
    first = kind(4, 3, data_format="channels_first")
    yield (first,), "data_format: got 'channels_first', expected 'channels_last'"
    yield (kind(4, 3, activation="relu"),), "activation: got 'relu', expected 'linear'"
    yield (kind(4, 3),), "kernel: got a layer without weights, call it once first"


def refused_of_flax():
    layer = nn.ConvTranspose(4, (3, 3))
    yield (layer,), "variables: got None, expected those of the linen layer"
    circular = layer.clone(padding="CIRCULAR")
    variables = layer.init(jax.random.key(0), X)
    yield (circular, variables), "padding: got 'CIRCULAR', expected 'SAME', 'VALID'"
    wide = layer.clone(preferred_element_type=jnp.float32)
    yield (wide, variables), "preferred_element_type: got .*, expected None"
    own = layer.clone(promote_dtype=lambda *arrays, dtype: arrays)
    yield (own, variables), "promote_dtype: got .*, expected 'flax'"
    yield (nn.Conv(4, (3, 3)), variables), r"layer: got flax\.linen\..*Conv, expected"


def refused_of_equinox():
    equinox = pytest.importorskip("equinox")
    layer = equinox.nn.ConvTranspose2d(
        *(4, 4, 3), padding="SAME", padding_mode="CIRCULAR", key=jax.random.key(0)
    )
    yield (layer,), "padding_mode: got 'CIRCULAR', expected 'ZEROS'"
    convolution = equinox.nn.Conv2d(4, 4, 3, key=jax.random.key(0))
    yield (convolution,), "layer: got equinox.*Conv2d, expected an instance of"


def refused_of_haiku():
    haiku = pytest.importorskip("haiku")

    def make(**arguments):
        made = []
        transform = haiku.transform(
            lambda: made.append(haiku.Conv2DTranspose(4, 3, **arguments))
        )
        transform.init(None)
        return made[0]

    w = {"w": np.ones((3, 3, 4, 4))}
    yield (make(output_shape=8), w), r"output_shape: got \(8, 8\), expected None"
    yield (make(data_format="NCHW"), w), "data_format: got 'NCHW', expected 'channels_"
    yield (make(), {"other": w}), r"params: got \['other'\], expected 'conv2_d_trans"


@pytest.mark.parametrize("library", LIBRARIES)
def test_layer_that_cannot_be_expressed_is_refused(library, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    _, convert = LIBRARIES[library]
    for given, text in globals()[f"refused_of_{library}"]():
        with pytest.raises(ValueError, match=text):
            convert(*given)


def test_module_that_cannot_be_expressed_is_refused():
    for fields, library, text in [
        (dict(feature_group_count=2), "flax", "feature_group_count: got 2, expected 1"),
        (dict(feature_group_count=2), "haiku", "feature_group_count: got 2, expected"),
        (dict(kernel_dilation=2), "haiku", r"kernel_dilation: got \(2, 2\), expected"),
        (dict(padding=((0, 1), 1)), "torch", r"padding: got \(0, 1\), expected one p"),
    ]:
        layer = FractionallyStridedConv(4, **fields)
        variables = layer.init(jax.random.key(0), X)
        with pytest.raises(ValueError, match=text):
            getattr(converters, f"to_{library}")(layer, variables)
    with pytest.raises(
        ValueError, match=r"variables: got params \['kernel'\], expected"
    ):
        converters.to_equinox(FractionallyStridedConv(4), {"params": {"kernel": 1}})
