"""Weights files: arrays, headers, errors, and the insertion of VGG-16."""

import dataclasses

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from cpcnn_jax.config import Model
from cpcnn_jax.config.constants import VGG16_BLOCKS, VGG16_LAYERS
from cpcnn_jax.weights import serialization

RANDOM = np.random.default_rng(0)


def arrays():
    transposed = RANDOM.normal(size=(3, 5)).astype(np.float32).T
    return {"dme/a/kernel": transposed, "fcnn/t1/bias": np.float32([np.pi, -0.0])}


def test_weights_are_restored_bit_for_bit(tmp_path):
    file, written = tmp_path / "w.safetensors", arrays()
    serialization.save(file, written, Model())
    read = serialization.load(file)
    assert read.keys() == written.keys()
    for name, value in written.items():
        assert read[name].dtype == value.dtype
        assert read[name].tobytes() == value.tobytes()


def test_header_holds_the_configuration(tmp_path):
    file = tmp_path / "w.safetensors"
    model = Model(
        vgg_width_multiplier=0.5, use_fcnn=False, dme_columns=(((4, 5), (4, 3)),)
    )
    serialization.save(file, arrays(), model)
    assert serialization.load_model(file) == model
    with safe_open(file, "numpy") as opened:
        assert '"vgg_width_multiplier": 0.5' in opened.metadata()["model"]


def test_header_holds_the_blocks_of_the_gce(tmp_path):
    file = tmp_path / "w.safetensors"
    serialization.save(file, arrays(), Model(), blocks=3)
    assert serialization.load_blocks(file) == 3
    save_file(arrays(), file, {"model": "{}"})  # a file of an early version
    assert serialization.load_blocks(file) == 4


def test_header_names_a_baseline(tmp_path):
    file = tmp_path / "new" / "w.safetensors"
    serialization.save_baseline(file, arrays(), "csrnet")
    assert serialization.load_name(file) == "csrnet"
    with pytest.raises(ValueError, match="does not say which .* argument 'name'"):
        serialization.load_model(file)
    serialization.save(file, arrays(), Model())
    assert serialization.load_name(file) == "cpcnn"
    serialization.save_baseline(file, arrays(), "resnet")
    text = f"{file} does not .*: expected one of cpcnn, mcnn, csrnet, got 'resnet'"
    with pytest.raises(ValueError, match=text):
        serialization.load_name(file)


def test_same_weights_are_the_same_bytes(tmp_path):
    """The evaluation distinguishes weights by their file's digest."""
    weights, files = arrays(), [tmp_path / f"{i}.safetensors" for i in range(5)]
    for file in files:
        serialization.save(file, weights, Model(), blocks=3)
    assert len({file.read_bytes() for file in files}) == 1


def test_files_without_weights_are_named(tmp_path):
    text = tmp_path / "w.safetensors"
    with pytest.raises(ValueError, match=f"no weights at {text}"):
        serialization.load(text)
    with pytest.raises(ValueError, match=f"no weights at {text}"):
        serialization.load_model(text)
    text.write_text("these are words")
    with pytest.raises(ValueError, match=f"{text} is not a safetensors file"):
        serialization.load(text)
    with pytest.raises(ValueError, match=f"{text} is not a safetensors file"):
        serialization.load_model(text)
    with pytest.raises(ValueError, match=f"{tmp_path} is not a safetensors file"):
        serialization.load(tmp_path)


@pytest.mark.parametrize("header", [None, {"model": "{"}, {"model": '{"depth": 3}'}])
def test_header_without_a_configuration_raises_value_error(tmp_path, header):
    file = tmp_path / "w.safetensors"
    save_file(arrays(), file, header)
    with pytest.raises(ValueError, match=f"{file} does not say which networks"):
        serialization.load_model(file)


def vgg16(width=1.0, scope=""):
    """Constant weights with the shapes of VGG-16, narrowed by a width multiplier."""
    params, inputs = {}, 3
    layers = iter(VGG16_LAYERS)
    for features, depth in VGG16_BLOCKS:
        for _ in range(depth):
            outputs, layer = int(features * width), next(layers)
            shape = (3, 3, inputs, outputs)
            params[f"{scope}{layer}/kernel"] = np.full(shape, inputs, np.float32)
            params[f"{scope}{layer}/bias"] = np.full(outputs, -1, np.float32)
            inputs = outputs
    return params


def test_vgg16_is_inserted_into_gce_only(tmp_path):
    file = tmp_path / "vgg16.safetensors"
    save_file(vgg16(0.125), file)
    zeros = {n: np.zeros_like(v) for n, v in vgg16(0.125, "gce/vgg16/").items()}
    drawn = {**zeros, "gce/head/fc1/kernel": np.ones(2)}
    params = serialization.insert_vgg16(drawn, file)
    assert params.keys() == drawn.keys()
    assert (params["gce/vgg16/conv1_1/kernel"] == 3).all()
    assert (params["gce/vgg16/conv5_3/bias"] == -1).all()
    assert params["gce/head/fc1/kernel"] is drawn["gce/head/fc1/kernel"]
    assert (drawn["gce/vgg16/conv1_1/kernel"] == 0).all()


def test_vgg16_by_name_is_the_imported_file(tmp_path, monkeypatch):
    monkeypatch.setenv("CPCNN_CACHE", str(tmp_path))
    file = tmp_path / "weights" / "vgg16.safetensors"
    drawn = {n: np.zeros_like(v) for n, v in vgg16(0.125, "gce/vgg16/").items()}
    with pytest.raises(ValueError, match=f"pretrained_vgg16=vgg16: {file} does not"):
        serialization.insert_vgg16(drawn, "vgg16")
    file.parent.mkdir()
    save_file(vgg16(0.125), file)
    params = serialization.insert_vgg16(drawn, "vgg16")
    assert (params["gce/vgg16/conv1_1/kernel"] == 3).all()


def test_vgg16_of_another_width_names_the_layer(tmp_path):
    file = tmp_path / "vgg16.safetensors"
    save_file(vgg16(0.25), file)
    text = (
        rf"--config.gce.pretrained_vgg16={file}: expected conv1_1/kernel of shape "
        r"\(3, 3, 3, 8\), got \(3, 3, 3, 16\) \(--config.model.vgg_width_m"
    )
    with pytest.raises(ValueError, match=text):
        serialization.insert_vgg16(vgg16(0.125, "gce/vgg16/"), file)


def test_missing_vgg16_or_layer_raises_value_error(tmp_path):
    file = tmp_path / "vgg16.safetensors"
    text = f"--config.gce.pretrained_vgg16={file}: {file} does not exist"
    with pytest.raises(ValueError, match=text):
        serialization.insert_vgg16({}, file)
    params = vgg16(0.125)
    del params["conv4_2/bias"]
    save_file(params, file)
    with pytest.raises(ValueError, match="conv4_2/bias of shape .*, got nothing"):
        serialization.insert_vgg16(vgg16(0.125, "gce/vgg16/"), file)


def test_header_holds_every_field_of_a_model(tmp_path):
    file = tmp_path / "w.safetensors"
    serialization.save(file, {}, Model())
    model = serialization.load_model(file)
    assert dataclasses.asdict(model) == dataclasses.asdict(Model())


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("[1]", r"expected a configuration, got \[1\]"),
        ("[" * 100_000, "recursion"),
        ('{"blocks": 0}', "blocks is 0 and must be a whole number from 1 to 64"),
        ('{"blocks": "4"}', "blocks is '4' and must be"),
        ('{"name": ["cpcnn"]}', r"expected one of cpcnn, mcnn, csrnet, got \['cpcnn"),
        ('{"density_scale": "1"}', "density_scale is '1' and must be a number above 0"),
        ('{"num_classes": 1e3}', "num_classes is 1000.0 and must be a whole number"),
        ('{"lce_stride": NaN}', "lce_stride is nan and must be a whole number"),
        ('{"colour": 1}', "argument 'colour'"),
    ],
)
def test_invalid_header_is_refused(tmp_path, model, text):
    file = tmp_path / "w.safetensors"
    save_file(arrays(), file, {"model": model})
    with pytest.raises(ValueError, match=f"{file} does not say which .*: .*{text}"):
        for read in (
            serialization.load_name,
            serialization.load_blocks,
            serialization.load_model,
        ):
            read(file)
