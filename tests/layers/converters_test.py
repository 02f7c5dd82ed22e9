"""Converters against the layers of the other libraries."""

import itertools
import subprocess
import sys

import jax
import numpy as np
import pytest

from cpcnn_jax.layers import converters
from cpcnn_jax.layers.fractionally_strided import (
    FractionallyStridedConv,
    fractionally_strided_conv,
)


@pytest.fixture
def random():
    return np.random.default_rng(0)


def run(x, params, options):
    with jax.enable_x64(True):
        y = fractionally_strided_conv(
            x, params["kernel"], params.get("bias"), **options
        )
        return np.asarray(y)


def channels_first(x):
    return np.moveaxis(x, -1, 1)


def assert_trees_equal(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


TORCH_CASES = [
    dict(),
    dict(stride=2, padding=1),
    dict(stride=(2, 3), padding=(0, 2), output_padding=(1, 2), groups=2),
    dict(stride=1, dilation=(2, 1), output_padding=(1, 0)),
]


@pytest.mark.parametrize("arguments", TORCH_CASES, ids=str)
def test_torch_conversion_in_both_directions(arguments, random):
    torch = pytest.importorskip("torch")
    groups = arguments.get("groups", 1)
    layer = torch.nn.ConvTranspose2d(4, 6, (4, 3), **arguments, dtype=torch.float64)
    weight, bias = (p.detach().numpy() for p in (layer.weight, layer.bias))
    params, options = converters.from_torch(weight, bias, **arguments)
    assert params["kernel"].shape == (4, 3, 4 // groups, 6)

    x = random.normal(size=(2, 5, 4, 4))
    expected = layer(torch.tensor(channels_first(x))).detach().numpy()
    y = run(x, params, options)
    np.testing.assert_allclose(channels_first(y), expected, atol=1e-13)

    state, back = converters.to_torch(params, **options)
    assert_trees_equal(state, {"weight": weight, "bias": bias})
    again = torch.nn.ConvTranspose2d(4, 6, (4, 3), **back, dtype=torch.float64)
    again.load_state_dict({name: torch.tensor(a) for name, a in state.items()})
    y = again(torch.tensor(channels_first(x))).detach().numpy()
    np.testing.assert_array_equal(y, expected)


def test_module_with_converted_params_equals_torch(random):
    torch = pytest.importorskip("torch")
    layer = torch.nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1)
    params, options = converters.from_torch(
        layer.weight.detach().numpy(), layer.bias.detach().numpy(), stride=2, padding=1
    )
    x = random.normal(size=(1, 4, 6, 3)).astype(np.float32)
    y = FractionallyStridedConv(5, kernel_size=(4, 4), **options).apply(
        {"params": params}, x
    )
    expected = layer(torch.tensor(channels_first(x))).detach().numpy()
    np.testing.assert_allclose(channels_first(y), expected, atol=1e-5)


def test_padding_that_torch_cannot_express_raises_value_error():
    kernel = {"kernel": np.ones((4, 1, 1))}
    with pytest.raises(ValueError, match=r"got \(0, 1\), expected one p >= 0 for both"):
        converters.to_torch(kernel, strides=2, padding=((0, 1),))


def onnx_cases():
    """Each ConvTranspose node case of the onnx package: name, node, inputs, output."""
    pytest.importorskip("onnx")
    from onnx.backend.test.case.node import convtranspose

    cases = []

    def collect(node, inputs, outputs, name, **_):
        cases.append((name, node, inputs, outputs[0]))

    original, convtranspose.expect = convtranspose.expect, collect
    try:
        methods = vars(convtranspose.ConvTranspose).items()
        for _, method in ((n, m) for n, m in methods if n.startswith("export")):
            getattr(method, "__func__", method)()
    finally:
        convtranspose.expect = original
    return cases


def test_every_onnx_node_case_in_both_directions():
    onnx = pytest.importorskip("onnx")
    cases = onnx_cases()
    assert len(cases) >= 11
    for name, node, (x, *weights), expected in cases:
        attributes = {
            a.name: onnx.helper.get_attribute_value(a) for a in node.attribute
        }
        if "auto_pad" in attributes:
            attributes["auto_pad"] = attributes["auto_pad"].decode()
        params, options = converters.from_onnx(
            *weights, input_size=x.shape[2:], **attributes
        )
        y = channels_first(run(np.moveaxis(x, 1, -1), params, options))
        np.testing.assert_allclose(y, expected, rtol=1e-6, err_msg=name)

        back, node = converters.to_onnx(params, **options)
        params, options = converters.from_onnx(**back, **node)
        assert_trees_equal(back, dict(zip("WB", weights, strict=False)))
        y = channels_first(run(np.moveaxis(x, 1, -1), params, options))
        np.testing.assert_allclose(
            y, expected, rtol=1e-6, err_msg=f"{name}, converted back"
        )


@pytest.mark.parametrize(
    "attributes",
    [
        dict(strides=[2, 3], pads=[1, 0, 0, 2], output_padding=[1, 1]),
        dict(strides=[2, 2], auto_pad="SAME_LOWER", dilations=[2, 1]),
        dict(strides=[3, 2], auto_pad="SAME_UPPER"),
        dict(strides=[2, 2], auto_pad="VALID"),
    ],
    ids=str,
)
def test_conversion_equals_onnx_reference_evaluator(attributes, random):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    x, w = random.normal(size=(1, 4, 4, 5)), random.normal(size=(4, 6, 3, 4))
    node = onnx.helper.make_node("ConvTranspose", ["x", "w"], ["y"], **attributes)
    names = dict.fromkeys("xw", onnx.TensorProto.DOUBLE)
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [onnx.helper.make_tensor_value_info(n, t, None) for n, t in names.items()],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.DOUBLE, None)],
    )
    (expected,) = ReferenceEvaluator(onnx.helper.make_model(graph)).run(
        None, {"x": x, "w": w}
    )
    params, options = converters.from_onnx(w, **attributes)
    y = channels_first(run(np.moveaxis(x, 1, -1), params, options))
    np.testing.assert_allclose(y, expected, atol=1e-13)


def test_onnx_errors_raise_value_error():
    w = np.ones((1, 1, 3))
    with pytest.raises(ValueError, match=r"kernel_shape: got \(4,\), expected \(3,\)"):
        converters.from_onnx(w, kernel_shape=[4])
    with pytest.raises(ValueError, match="auto_pad: got 'SAME', expected NOTSET"):
        converters.from_onnx(w, auto_pad="SAME")
    with pytest.raises(ValueError, match="got output_shape, expected input_size"):
        converters.from_onnx(w, output_shape=[9])
    with pytest.raises(ValueError, match=r"got \(-1, 0\), expected low >= 0"):
        converters.to_onnx({"kernel": np.ones((3, 1, 1))}, padding=((-1, 0),))


@pytest.mark.parametrize("auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("more", [-1, 0, 1, 2])
def test_onnx_output_shape_equals_onnxruntime(auto_pad, more, random):
    """Sizes above the natural ones have zeros, and the bias, at the end."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    x, w = random.normal(size=(1, 2, 3, 4)), random.normal(size=(2, 5, 3, 2))
    feed = dict(x=x, w=w, b=random.normal(size=5))
    feed = {name: a.astype(np.float32) for name, a in feed.items()}
    attributes = dict(
        strides=[3, 3],
        auto_pad=auto_pad,
        output_shape=[9 + more, 11 + more],
    )
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in "xwby"
    ]
    node = onnx.helper.make_node("ConvTranspose", list("xwb"), ["y"], **attributes)
    graph = onnx.helper.make_graph([node], "one", values[:3], values[3:])
    opset = onnx.helper.make_opsetid("", 13)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString())
    (expected,) = session.run(None, feed)
    params, options = converters.from_onnx(
        feed["w"], feed["b"], input_size=np.array([3, 4]), **attributes
    )
    y = channels_first(run(np.moveaxis(feed["x"], 1, -1), params, options))
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_onnx_output_shape_far_above_the_natural_size_adds_zeros_at_the_end():
    for auto_pad in ("NOTSET", "SAME_UPPER", "SAME_LOWER"):
        params, options = converters.from_onnx(
            np.array([[[1.0, 2.0]]]),
            input_size=3,
            strides=[3],
            output_shape=[12],
            auto_pad=auto_pad,
        )
        y = run(np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1), params, options)
        assert y.ravel().tolist() == [1, 2, 0, 2, 4, 0, 3, 6, 0, 0, 0, 0]


def test_arguments_of_numpy_equal_plain_ones():
    w = np.ones((2, 3, 4, 4))
    two, pads = np.array([2, 2]), np.array([1, 1, 1, 1])
    for got, plain in [
        (
            converters.from_onnx(w, strides=two, dilations=two, pads=pads),
            converters.from_onnx(w, strides=[2, 2], dilations=[2, 2], pads=[1] * 4),
        ),
        (
            converters.from_flax(w, strides=np.int64(2), padding=pads.reshape(2, 2)),
            converters.from_flax(w, strides=2, padding=((1, 1), (1, 1))),
        ),
        (
            converters.from_keras(w, strides=two, dilation_rate=np.int8(1)),
            converters.from_keras(w, strides=(2, 2)),
        ),
    ]:
        assert got[1] == plain[1]
        assert "int64" not in repr(got[1])
    back = converters.to_torch({"kernel": w}, strides=two, padding=np.int64(1))[1]
    assert back == converters.to_torch({"kernel": w}, padding=1)[1]
    with pytest.raises(ValueError, match=r"got strides 2\.0, expected an integer"):
        converters.from_onnx(w, strides=[2.0, 2])


def test_results_are_contiguous_copies():
    """torch.from_numpy and others refuse negative strides and read-only arrays."""
    source = np.ones((6, 8, 8, 6))[::2, ::-2, ::-2, ::2]
    source.flags.writeable = False
    bias = np.arange(6.0)[::-2]
    for name in ("torch", "onnx", "keras", "flax"):
        shaped = source if name in ("torch", "onnx") else source.T
        params, options = getattr(converters, f"from_{name}")(shaped, bias)
        weights, _ = getattr(converters, f"to_{name}")(params, **options)
        for a in (*params.values(), *weights.values()):
            assert a.flags.c_contiguous and a.flags.writeable
            assert not np.shares_memory(a, source) and not np.shares_memory(a, bias)


FLAX_CASES = [
    dict(strides=s, padding=p, kernel_dilation=d, transpose_kernel=t)
    for s, p, d, t in itertools.product(
        [(1, 2), (3, 2)],
        ["SAME", "VALID", 0, ((1, 2), (3, 0))],
        [None, (2, 1)],
        [False, True],
    )
]


@pytest.mark.parametrize("fields", FLAX_CASES, ids=str)
def test_flax_conversion_in_both_directions(fields, random):
    from flax import linen as nn

    layer = nn.ConvTranspose(5, (3, 4), **fields)
    x = random.normal(size=(2, 6, 5, 3)).astype(np.float32)
    expected, variables = layer.init_with_output(jax.random.key(0), x)
    params, options = converters.from_flax(**variables["params"], **fields)
    np.testing.assert_allclose(run(x, params, options), expected, atol=2e-6)

    weights, back = converters.to_flax(params, **options)
    y = nn.ConvTranspose(5, **back).apply({"params": weights}, x)
    np.testing.assert_allclose(y, expected, atol=2e-6)


def test_flax_errors_raise_value_error():
    kernel = np.ones((3, 2, 2))
    with pytest.raises(ValueError, match="padding: got 'CIRCULAR', expected 'SAME'"):
        converters.from_flax(kernel, padding="CIRCULAR")
    with pytest.raises(ValueError, match="feature_group_count: got 2, expected 1"):
        converters.to_flax({"kernel": kernel}, feature_group_count=2)


# Values of keras 3.15.1 with its JAX backend, for x = 1, 10, 100 and kernel = 1, 2, 3:
# keras.ops.conv_transpose(x, kernel, strides, padding, output_padding, "channels_last")
KERAS_GOLDENS = {
    (2, "valid", None): [1.0, 2.0, 13.0, 20.0, 130.0, 200.0, 300.0],
    (2, "same", None): [1.0, 2.0, 13.0, 20.0, 130.0, 200.0],
    (2, "valid", 1): [1.0, 2.0, 13.0, 20.0, 130.0, 200.0, 300.0, 0.0],
    (2, "same", 1): [1.0, 2.0, 13.0, 20.0, 130.0, 200.0],
    (3, "same", 2): [1.0, 2.0, 3.0, 10.0, 20.0, 30.0, 100.0, 200.0, 300.0],
    (4, "valid", None): [
        *(1.0, 2.0, 3.0, 0.0, 10.0, 20.0, 30.0, 0.0, 100.0, 200.0, 300.0, 0.0)
    ],
}


@pytest.mark.parametrize("case", KERAS_GOLDENS, ids=str)
def test_keras_golden_values_in_both_directions(case):
    strides, padding, output_padding = case
    kernel = np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    params, options = converters.from_keras(
        kernel, strides=strides, padding=padding, output_padding=output_padding
    )
    y = run(np.array([1.0, 10.0, 100.0]).reshape(1, 3, 1), params, options)
    assert y.ravel().tolist() == KERAS_GOLDENS[case]

    weights, back = converters.to_keras(params, **options)
    np.testing.assert_array_equal(weights["kernel"], kernel)
    del back["kernel_size"]
    assert converters.from_keras(**weights, **back)[1] == options


@pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning")  # in Keras
def test_conversion_equals_keras(random, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    for k, s, padding in itertools.product((3, 4), (1, 2), ("same", "valid")):
        layer = keras.layers.Conv2DTranspose(5, k, s, padding, bias_initializer="ones")
        x = random.normal(size=(2, 4, 6, 3)).astype(np.float32)
        expected = np.asarray(layer(x))
        params, options = converters.from_keras(
            *layer.get_weights(), strides=s, padding=padding
        )
        np.testing.assert_allclose(run(x, params, options), expected, atol=1e-5)


def test_keras_errors_raise_value_error():
    kernel = {"kernel": np.ones((4, 2, 2))}
    with pytest.raises(ValueError, match="padding: got 'SAME', expected 'valid' or"):
        converters.from_keras(kernel["kernel"], padding="SAME")
    with pytest.raises(ValueError, match="feature_group_count: got 2, expected 1"):
        converters.to_keras(kernel, feature_group_count=2)
    with pytest.raises(
        ValueError, match=r"got zeros \(\(0, 3\),\) around the stretched"
    ):
        converters.to_keras(kernel, padding=((3, 0),))


def test_converters_import_no_other_library():
    code = (
        "import sys, cpcnn_jax.layers.converters; "
        "print({'torch', 'keras', 'onnx', 'tensorflow', 'equinox', 'haiku', 'jax'} "
        "& set(sys.modules))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert output.stdout.strip() == "set()", output.stderr
