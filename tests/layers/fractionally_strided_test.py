"""The layer against results by hand, and the transpose of the convolution."""

import inspect
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from cpcnn_jax.layers.fractionally_strided import (
    LOWERINGS,
    FractionallyStridedConv,
    fractionally_strided_conv,
    insert_zeros,
)

pytestmark = pytest.mark.quick_compile


def test_insert_zeros_by_hand():
    x = jnp.array([[1, 2], [3, 4]]).reshape(1, 2, 2, 1)
    stretched = insert_zeros(x, (2, 3))[0, ..., 0]
    assert stretched.tolist() == [[1, 0, 0, 2], [0, 0, 0, 0], [3, 0, 0, 4]]
    assert stretched.dtype == x.dtype
    np.testing.assert_array_equal(insert_zeros(x[0], (2, 3))[..., 0], stretched)
    assert insert_zeros(jnp.ones((2, 1, 3, 5, 4)), 4).shape == (2, 1, 9, 17, 4)


def test_insert_zeros_errors_raise_value_error():
    with pytest.raises(ValueError, match="got strides 0, expected at least 1"):
        insert_zeros(jnp.ones((1, 2, 1)), 0)
    with pytest.raises(ValueError, match=r"got shape \(2, 1\), expected \[batch, "):
        insert_zeros(jnp.ones((2, 1)), (2, 2))
    with pytest.raises(ValueError, match=r"got shape \(2, 1\), expected \[batch, "):
        insert_zeros(jnp.ones((2, 1)), 2)


def test_box_kernel_repeats_every_unit():
    x = jnp.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
    y = fractionally_strided_conv(x, jnp.ones((2, 2, 1, 1)), padding=0)
    assert y[0, ..., 0].tolist() == [
        [1, 1, 2, 2],
        [1, 1, 2, 2],
        [3, 3, 4, 4],
        [3, 3, 4, 4],
    ]


def test_kernel_as_stored_and_transposed_by_hand():
    # Stretched: 1 0 10. As stored, w = 1 2 3 slides over 0 0 1 0 10 0 0. Transposed,
    # each input scales a copy of w: 1 2 3 + (10 20 30 shifted by two units).
    x, w = jnp.array([1.0, 10.0]).reshape(2, 1), jnp.arange(1.0, 4).reshape(3, 1, 1)
    y = fractionally_strided_conv(x, w, padding=0)
    assert y.ravel().tolist() == [3, 2, 1 + 30, 20, 10]
    y = fractionally_strided_conv(x, w, padding=0, transpose_kernel=True)
    assert y.ravel().tolist() == [1, 2, 3 + 10, 20, 30]


def test_output_padding_adds_computed_units_at_the_end():
    x, w = jnp.array([1.0, 10.0]).reshape(2, 1), jnp.arange(1.0, 4).reshape(3, 1, 1)
    y = fractionally_strided_conv(x, w, padding=1)
    assert y.ravel().tolist() == [2, 31, 20]
    y = fractionally_strided_conv(x, w, padding=1, output_padding=1)
    assert y.ravel().tolist() == [2, 31, 20, 10]


def test_more_padding_than_kernel_crops():
    x, w = jnp.array([1.0, 10.0]).reshape(2, 1), jnp.arange(1.0, 4).reshape(3, 1, 1)
    y = fractionally_strided_conv(x, w, padding=((3, 0),))
    assert y.ravel().tolist() == [20, 10]


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (3, 5), (64, 48)])
def test_default_doubles_every_size(size):
    y = fractionally_strided_conv(jnp.ones((1, *size, 1)), jnp.ones((4, 4, 1, 1)))
    assert y.shape == (1, 2 * size[0], 2 * size[1], 1)


@pytest.mark.parametrize("padding", ["SAME", "VALID", 0, 2, ((1, 0), (2, 3))])
@pytest.mark.parametrize("k, s, d", [(4, 2, 1), (3, 2, 1), (3, 3, 2), (2, 3, 1)])
def test_layer_is_the_transpose_of_the_strided_convolution(padding, k, s, d):
    """<conv(y), x> = <y, transpose(x)> for several values of output_size."""
    random = np.random.default_rng(0)
    kernel = random.normal(size=(k, k, 2, 3))
    for size in [(9, 7), (8, 8), (10, 11)]:
        with jax.enable_x64(True):

            def forward(y):
                return lax.conv_general_dilated(
                    y,
                    kernel,
                    (s, s),
                    [(padding, padding)] * 2 if isinstance(padding, int) else padding,
                    rhs_dilation=(d, d),
                    dimension_numbers=("NHWC", "HWIO", "NHWC"),
                )

            x, pull = jax.vjp(forward, random.normal(size=(2, *size, 2)))
            y = fractionally_strided_conv(
                x,
                kernel,
                strides=s,
                padding=padding,
                kernel_dilation=d,
                output_size=size,
                transpose_kernel=True,
            )
            np.testing.assert_allclose(y, pull(x)[0], rtol=0, atol=1e-12)


def test_same_multiplies_the_size_by_the_stride():
    for k, s in [(1, 1), (3, 1), (4, 2), (3, 2), (2, 3), (7, 4)]:
        y = fractionally_strided_conv(
            jnp.ones((5, 1)), jnp.ones((k, 1, 1)), strides=s, padding="SAME"
        )
        assert y.shape == (5 * s, 1)


def test_odd_zero_of_an_odd_kernel_is_on_the_guide_s_side():
    # k = 3, s = 2, p = 1, a = 1: zeros (1, 2). jax.lax.conv_transpose has (2, 1).
    x, w = (
        jnp.array([1.0, 10.0]).reshape(1, 2, 1),
        jnp.array([1.0, 2, 3])[:, None, None],
    )
    y = fractionally_strided_conv(x, w, padding=1, output_padding=1)
    assert y.ravel().tolist() == [2, 31, 20, 10]
    mirrored = lax.conv_transpose(
        x, w, (2,), "SAME", dimension_numbers=("NHC", "HIO", "NHC")
    )
    assert mirrored.ravel().tolist() == [3, 2, 31, 20]
    np.testing.assert_array_equal(
        fractionally_strided_conv(x, w, padding=((0, 1),)), mirrored
    )


def test_default_equals_lax_bit_for_bit():
    x = jax.random.normal(jax.random.key(0), (2, 6, 5, 3))
    w = jax.random.normal(jax.random.key(1), (4, 4, 3, 7))
    expected = lax.conv_general_dilated(
        x,
        w,
        (1, 1),
        ((2, 2), (2, 2)),
        lhs_dilation=(2, 2),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    np.testing.assert_array_equal(fractionally_strided_conv(x, w), expected)


def test_unbatched_input_and_bias():
    x = jax.random.normal(jax.random.key(0), (2, 3, 4, 5, 2))
    w, b = jnp.ones((2, 3, 2, 2, 3)), jnp.arange(3.0)
    batched = fractionally_strided_conv(x, w, b)
    single = fractionally_strided_conv(x[1], w, b)
    np.testing.assert_array_equal(single, batched[1])
    np.testing.assert_array_equal(
        batched, fractionally_strided_conv(x, w) + b[None, None, None, None]
    )


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_accumulates_in_float32(dtype):
    # 2,304 products of 1: in bfloat16 a running sum stops at 256.
    x, w = jnp.ones((1, 6, 6, 256), dtype), jnp.ones((6, 6, 256, 1), dtype)
    for lowering in ("zero_insertion", "subpixel"):
        y = fractionally_strided_conv(x, w, padding=2, lowering=lowering)
        assert y.dtype == dtype
        assert y[0, 5, 5, 0] == 9 * 256


def test_mixed_dtypes_promote():
    y = fractionally_strided_conv(
        jnp.ones((2, 2, 1), jnp.bfloat16), jnp.ones((4, 4, 1, 1), jnp.float32)
    )
    assert y.dtype == jnp.float32


@pytest.mark.parametrize("dtype", [jnp.int8, jnp.uint8, jnp.int16, jnp.bool_])
@pytest.mark.parametrize("lowering", LOWERINGS)
def test_narrow_integers_accumulate_in_int32(dtype, lowering):
    x, w = jnp.ones((1, 1, 1, 800), dtype), jnp.ones((3, 3, 800, 1), dtype)
    y = fractionally_strided_conv(x, w, padding=0, lowering=lowering)
    assert y.dtype == jnp.int32
    assert (y == 800).all()


def test_float8_accumulates_in_float32():
    dtype = jnp.float8_e5m2
    x, w = jnp.ones((1, 6, 6, 256), dtype), jnp.ones((6, 6, 256, 1), dtype)
    assert fractionally_strided_conv(x, w, padding=2)[0, 5, 5, 0] == 9 * 256 - 256


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("k, groups", [(4, 1), (3, 2)])
def test_empty_batch_has_values_and_derivatives(lowering, k, groups):
    x, w = jnp.ones((0, 5, 6, 4)), jnp.ones((k, k, 4 // groups, 6))

    def layer(x, w):
        return fractionally_strided_conv(
            x, w, padding=1, feature_group_count=groups, lowering=lowering
        )

    def loss(x, w):
        return (layer(x, w) ** 2).sum()

    shape = (0, 8 + k - 2, 10 + k - 2, 6)
    assert layer(x, w).shape == shape
    assert jax.jvp(layer, (x, w), (x, w))[1].shape == shape
    assert jax.vmap(layer, (None, 0))(x, jnp.stack([w, w])).shape == (2, *shape)
    assert jax.vmap(layer, (0, None))(jnp.stack([x, x]), w).shape == (2, *shape)
    slope = jax.grad(loss, (0, 1))
    dx, dw = slope(x, w)
    assert dx.shape == x.shape
    np.testing.assert_array_equal(dw, jnp.zeros(w.shape))
    (_, dw), _ = jax.jvp(slope, (x, w), (x, w))
    np.testing.assert_array_equal(dw, jnp.zeros(w.shape))


NUMPY_ARGUMENTS = [
    (dict(strides=np.int64(3)), dict(strides=3)),
    (dict(strides=np.array([2, 3], np.uint8)), dict(strides=(2, 3))),
    (dict(strides=np.array(3)), dict(strides=3)),
    (dict(padding=np.uint8(2)), dict(padding=2)),
    (dict(padding=np.array([[1, 0], [2, 1]])), dict(padding=((1, 0), (2, 1)))),
    (dict(padding=(np.int8(1), [0, 1])), dict(padding=(1, (0, 1)))),
    (dict(output_padding=np.int32(1)), dict(output_padding=1)),
    (dict(kernel_dilation=jnp.array(2)), dict(kernel_dilation=2)),
    (dict(output_size=np.array([10, 13])), dict(output_size=(10, 13))),
    (dict(feature_group_count=np.int64(1)), dict(feature_group_count=1)),
]


@pytest.mark.parametrize("given, plain", NUMPY_ARGUMENTS, ids=str)
def test_numbers_of_numpy_equal_plain_ones(given, plain):
    x, w = np.ones((2, 5, 6, 3)), np.ones((4, 4, 3, 2))
    got = fractionally_strided_conv(x, w, **given)
    np.testing.assert_array_equal(got, fractionally_strided_conv(x, w, **plain))


@pytest.mark.parametrize(
    "name, value",
    [
        ("strides", 2.0),
        ("strides", (2, np.float32(2))),
        ("padding", 1.0),
        ("padding", ((1, 0.5), 1)),
        ("padding", None),
        ("output_padding", np.float64(0)),
        ("kernel_dilation", 1.0),
        ("output_size", 10.0),
        ("feature_group_count", 1.0),
    ],
)
def test_number_that_is_no_integer_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"got {name} .*, expected an integer"):
        fractionally_strided_conv(X, KERNEL, **{name: value})


def test_insert_zeros_takes_numbers_of_numpy():
    assert insert_zeros(jnp.ones((0, 3, 4, 1)), np.int64(2)).shape == (0, 5, 7, 1)
    assert insert_zeros(jnp.ones((3, 4, 1)), np.array([2, 3])).shape == (5, 10, 1)
    with pytest.raises(ValueError, match=r"got strides 2\.0, expected an integer"):
        insert_zeros(jnp.ones((1, 3, 1)), 2.0)


def test_module_takes_numbers_of_numpy():
    layer = FractionallyStridedConv(
        np.int64(4), np.int64(3), np.int64(2), np.array([1, 1]), np.uint8(1)
    )
    y, variables = layer.init_with_output(jax.random.key(0), jnp.ones((0, 3, 4, 2)))
    assert y.shape == (0, 6, 8, 4)
    assert variables["params"]["kernel"].shape == (3, 3, 2, 4)
    for fields, name in [
        (dict(features=4.0), "features"),
        (dict(features=4, kernel_size=4.0), "kernel_size"),
        (dict(features=4, kernel_size=(4, np.float64(4))), "kernel_size"),
    ]:
        with pytest.raises(ValueError, match=rf"got {name} 4\.0, expected an integer"):
            FractionallyStridedConv(**fields).init(
                jax.random.key(0), jnp.ones((1, 3, 4, 2))
            )


def test_integer_kernel_size_is_refused_for_three_axes():
    x = jnp.ones((8, 100, 3))
    with pytest.raises(
        ValueError, match=r"got kernel_size 4 .*expected \(4,\) .*\(4, 4\)"
    ):
        FractionallyStridedConv(5).init(jax.random.key(0), x)
    for size, shape in (((4,), (8, 200, 5)), ((4, 4), (16, 200, 5))):
        y, _ = FractionallyStridedConv(5, size).init_with_output(jax.random.key(0), x)
        assert y.shape == shape


def test_module_with_a_kernel_is_mapped_over_images():
    layer, x = FractionallyStridedConv(5), jnp.arange(240.0).reshape(2, 5, 8, 3)
    variables = layer.init(jax.random.key(0), x)
    mapped = jax.vmap(lambda image: layer.apply(variables, image))(x)
    np.testing.assert_allclose(mapped, layer.apply(variables, x), rtol=1e-5)


def test_module_without_channels_is_refused():
    for features, channels in ((0, 3), (5, 0)):
        with pytest.raises(ValueError, match="got 0, expected at least one channel"):
            x = jnp.ones((1, 5, 6, channels))
            FractionallyStridedConv(features).init(jax.random.key(0), x)


X, KERNEL = np.ones((2, 5, 6, 4)), np.ones((4, 4, 4, 6))
ERRORS = {
    r"x: got 2 axes \(shape \(5, 6\)\), expected 4 \(batch, 2 spatial, channels\) or 3 "
    r"for a kernel of \(4, 4, 4, 6\)": dict(x=X[0, ..., 0]),
    r"kernel: got shape \(4, 6\), expected 1 to 3 spatial": dict(kernel=KERNEL[0, 0]),
    r"x: got 3 channels \(shape \(2, 5, 6, 3\)\), expected 4 for a kernel of \(4, 4, "
    r"4, 6\) and 1 group\(s\)$": dict(x=X[..., :3]),
    r"expected 4 .*; channels come last: move them with jnp.moveaxis\(x, 1, -1\)": dict(
        x=np.ones((2, 4, 5, 6))
    ),
    r"channels come last: move them with jnp.moveaxis\(x, 0, -1\)": dict(
        x=np.ones((4, 5, 6))
    ),
    r"got output padding a = 2, expected 0 <= a < max\(s, d\) = 2": dict(
        output_padding=2
    ),
    r"got output_padding -1, expected at least 0": dict(output_padding=-1),
    r"got output size 13 for input size 5 with k=4, s=2, .*: expected 10 to 11": dict(
        output_size=13
    ),
    r"got output size 8 for input size 5 with padding 'SAME', s=2: expected 9 to 10": (
        dict(output_size=8, padding="SAME")
    ),
    r"got output_padding 1 and output_size 11, expected one of them": dict(
        output_size=11, output_padding=1
    ),
    r"feature_group_count: got 4, expected a divisor of c_out = 6": dict(
        kernel=KERNEL[:, :, :1], feature_group_count=4
    ),
    r"got padding p = \(9, 9\) that leaves an output of size -6": dict(padding=9),
    r"got padding 'same', expected 'SAME', 'VALID', an integer, or": dict(
        padding="same"
    ),
    r"got padding \(1, 1, 1\) for 2 spatial axes, expected 1 or 2": dict(
        padding=(1, 1, 1)
    ),
    r"got padding \(1, 1, 1\), expected an integer or \(low, high\)": dict(
        padding=((1, 1, 1), 1)
    ),
    r"got strides \(2, 2, 2\) for 2 spatial axes, expected 1 or 2": dict(
        strides=(2, 2, 2)
    ),
    r"got kernel_dilation 0, expected at least 1": dict(kernel_dilation=0),
    r"bias: got shape \(4,\), expected \(6,\)": dict(bias=np.ones(4)),
    r"lowering: got 'fast', expected one of \('zero_insertion', 'subpixel', ": dict(
        lowering="fast"
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_wrong_arguments_raise_value_error(text):
    with pytest.raises(ValueError, match=text):
        fractionally_strided_conv(**({"x": X, "kernel": KERNEL} | ERRORS[text]))


def test_module_parameters_and_value():
    x = jax.random.normal(jax.random.key(1), (2, 3, 4, 6))
    layer = FractionallyStridedConv(4, (2, 3), (1, 2), (0, 1), feature_group_count=2)
    y, variables = layer.init_with_output(jax.random.key(0), x)
    params = variables["params"]
    assert jax.tree.map(jnp.shape, params) == {"kernel": (2, 3, 3, 4), "bias": (4,)}
    expected = fractionally_strided_conv(
        x, **params, strides=(1, 2), padding=(0, 1), feature_group_count=2
    )
    np.testing.assert_array_equal(y, expected)


def test_module_with_transposed_kernel_and_no_bias():
    layer = FractionallyStridedConv(
        4, (3,), 2, 1, feature_group_count=2, use_bias=False, transpose_kernel=True
    )
    variables = layer.init(jax.random.key(0), jnp.ones((2, 5, 6)))
    assert jax.tree.map(jnp.shape, variables["params"]) == {"kernel": (3, 2, 6)}
    y = layer.apply(variables, jnp.ones((2, 5, 6)), output_size=10)
    assert y.shape == (2, 10, 4)


def test_module_computes_in_dtype_and_stores_float32():
    layer = FractionallyStridedConv(3, dtype=jnp.bfloat16)
    y, variables = layer.init_with_output(jax.random.key(0), jnp.ones((1, 2, 2, 1)))
    assert y.dtype == jnp.bfloat16
    assert {a.dtype for a in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


def test_default_initializer_preserves_the_variance_with_relu():
    x = jax.nn.relu(jax.random.normal(jax.random.key(1), (8, 32, 32, 64)))
    y, _ = FractionallyStridedConv(64).init_with_output(jax.random.key(0), x)
    inner = y[:, 2:-2, 2:-2]
    np.testing.assert_allclose((inner**2).mean(), 2 * (x**2).mean(), rtol=0.05)


def test_module_errors_raise_value_error():
    layer = FractionallyStridedConv(6)
    variables = layer.init(jax.random.key(0), jnp.ones((1, 5, 6, 4)))
    with pytest.raises(ValueError, match=r"expected 4 .*jnp.moveaxis\(x, 1, -1\)"):
        layer.apply(variables, jnp.ones((1, 4, 5, 6)))
    for fields, text in [
        (dict(features=6, feature_group_count=4), "expected a divisor of features = 6"),
        (dict(features=3, feature_group_count=3), "expected a divisor of c_in = 4"),
    ]:
        with pytest.raises(ValueError, match=text):
            FractionallyStridedConv(**fields).init(jax.random.key(0), X)


def test_module_works_in_nnx_through_the_bridge():
    from flax import nnx

    x = jnp.ones((1, 3, 4, 2))
    layer = nnx.bridge.ToNNX(FractionallyStridedConv(5), rngs=nnx.Rngs(0))
    nnx.bridge.lazy_init(layer, x)
    assert layer(x).shape == (1, 6, 8, 5)
    assert layer.kernel[...].shape == (4, 4, 2, 5)
    grads = nnx.grad(lambda layer: layer(x).sum())(layer)
    np.testing.assert_array_equal(grads["bias"][...], np.full(5, 48.0))


def test_signature_names_shapes_in_words():
    """`help` shows names of types, which hold shape and dtype."""
    signature = str(inspect.signature(fractionally_strided_conv))
    assert signature.startswith("(x: 'Input', kernel: 'Kernel', bias: 'Bias | None' =")
    assert signature.endswith("-> 'Output'")
    hints = typing.get_type_hints(fractionally_strided_conv, include_extras=True)
    assert hints["kernel"].__metadata__[0].startswith("[*k, C_in / groups, C_out]")
    assert hints["return"].__metadata__[0].startswith("[B, *output, C_out]")
