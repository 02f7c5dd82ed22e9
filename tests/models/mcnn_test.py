"""MCNN and its public weights files, against PyTorch; resizing keeps a map's sum."""

import sys

import jax
import numpy as np
import pytest
import torch

import cpcnn_jax as cp
from cpcnn_jax.cli import import_weights
from cpcnn_jax.inference import baselines
from cpcnn_jax.models.mcnn import COLUMNS, MCNN
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.weights import serialization
from cpcnn_jax.weights.importers import mcnn

pytestmark = pytest.mark.quick_compile

h5py = pytest.importorskip("h5py")


def _torch_columns():
    """MCNN's layers in PyTorch, by the names of the public file."""
    torch.manual_seed(0)
    layers, features = {}, 1
    for column, convolutions in enumerate(COLUMNS, start=1):
        features = 1
        for place, (out, side) in zip((0, 2, 4, 5), convolutions, strict=True):
            layer = torch.nn.Conv2d(features, out, side, padding=side // 2)
            layers[f"DME.branch{column}.{place}.conv"] = layer
            features = out
    return layers | {"DME.fuse.0.conv": torch.nn.Conv2d(30, 1, 1)}


def _torch_mcnn(layers, image):
    features = []
    for column in (1, 2, 3):
        x = image
        for place in range(6):
            if place in (1, 3):
                x = torch.nn.functional.max_pool2d(x, 2)
            else:
                x = torch.relu(layers[f"DME.branch{column}.{place}.conv"](x))
        features.append(x)
    return torch.relu(layers["DME.fuse.0.conv"](torch.cat(features, dim=1)))


@pytest.fixture(scope="module")
def layers():
    return _torch_columns()


@pytest.fixture
def file(layers, tmp_path):
    """A weights file in the format of the public ones."""
    path = tmp_path / "mcnn.h5"
    with h5py.File(path, "w") as file:
        for name, layer in layers.items():
            for part, array in layer.state_dict().items():
                file[f"{name}.{part}"] = array.numpy()
    return path


def test_module_with_imported_weights_equals_pytorch(layers, file):
    image = np.random.default_rng(0).uniform(0, 255, (1, 20, 28, 1)).astype(np.float32)
    with torch.no_grad():
        expected = _torch_mcnn(layers, torch.from_numpy(image.transpose(0, 3, 1, 2)))
    density = jax.jit(MCNN().apply)(to_variables(mcnn.read(file)), image)
    assert density.shape == (1, 5, 7, 1) and (expected > 0).any()
    np.testing.assert_allclose(density[..., 0], expected[:, 0], rtol=1e-4, atol=1e-4)


def test_missing_or_unreadable_file_raises_value_error(tmp_path):
    with pytest.raises(ValueError, match="no file at .*nothing.h5"):
        mcnn.read(tmp_path / "nothing.h5")
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(ValueError, match="text.h5 cannot be read as HDF5"):
        mcnn.read(tmp_path / "text.h5")


@pytest.mark.parametrize(
    "array, got", [(None, "nothing"), (np.zeros((7, 7, 16, 32)), r"\(7, 7, 16, 32\)")]
)
def test_missing_or_misshapen_array_raises_value_error(file, array, got):
    name = "DME.branch1.2.conv.weight"
    with h5py.File(file, "a") as opened:
        del opened[name]
        if array is not None:
            opened[name] = array
    expected = rf"mcnn.h5: expected {name} of shape \(32, 16, 7, 7\), got {got}"
    with pytest.raises(ValueError, match=expected):
        mcnn.read(file)


def test_external_link_raises_value_error(file, tmp_path):
    name = "DME.fuse.0.conv.bias"
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.zeros(1, np.float32)
    with h5py.File(file, "a") as opened:
        del opened[name]
        opened[name] = h5py.ExternalLink(str(tmp_path / "other.h5"), "secret")
    with pytest.raises(ValueError, match=f"{name} lies in another file; refused"):
        mcnn.read(file)


def test_external_storage_raises_value_error(file, tmp_path):
    name = "DME.fuse.0.conv.bias"
    (tmp_path / "secret").write_bytes(b"\0" * 4)
    with h5py.File(file, "a") as opened:
        del opened[name]
        external = [(str(tmp_path / "secret"), 0, 4)]
        opened.create_dataset(name, (1,), np.float32, external=external)
    with pytest.raises(ValueError, match=f"{name} lies in another file; refused"):
        mcnn.read(file)


def test_missing_h5py_error_names_the_package(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ValueError, match=r"pip install 'cpcnn_jax\[convert\]'"):
        mcnn.read(file)


class _GrayPerCell:
    """A network whose density is the sum of gray levels in each cell of 4x4."""

    def chains(self):
        return [[]]

    def apply(self, variables, gray):
        count, height, width, _ = gray.shape
        assert not variables["params"]
        return gray.reshape(count, height // 4, 4, width // 4, 4, 1).sum((2, 4))


@pytest.mark.parametrize("size", [(64, 64), (67, 101), (70, 66)])
def test_estimate_is_resized_and_keeps_its_sum(size):
    shade = np.linspace(0, 255, size[1]).round().astype(np.uint8)  # along the width
    image = np.stack(np.broadcast_arrays(shade, 255 - shade, 40), -1)
    image = np.broadcast_to(image, (*size, 3)).astype(np.uint8)
    density = baselines.mcnn_estimator(_GrayPerCell())({}, image)
    assert density.shape == size and density.dtype == np.float32
    gray = image @ np.float64([0.299, 0.587, 0.114])  # ITU-R 601, as OpenCV's
    resized = (size[0] // 4 * 4) * (size[1] // 4 * 4)
    assert density.sum() == pytest.approx(gray.mean() * resized, rel=0.005)
    np.testing.assert_allclose(density, gray * resized / gray.size, atol=5)


def test_imported_weights_count(file, tmp_path, capsys):
    out = tmp_path / "new" / "mcnn.safetensors"
    assert import_weights.main(["mcnn", str(file), "--out", str(out)]) == 0
    assert serialization.load_name(out) == "mcnn"
    image = np.random.default_rng(0).integers(0, 256, (64, 68, 3), dtype=np.uint8)
    expected = baselines.mcnn_estimator(MCNN())(mcnn.read(file), image)
    result = cp.load(out).count(image)
    np.testing.assert_allclose(result.density, expected, rtol=1e-5, atol=1e-7)
    assert result.global_scores is None and result.local_scores is None
    assert import_weights.main(["mcnn", str(tmp_path / "none.h5")]) == 1
    assert capsys.readouterr().err == f"import-weights: no file at {tmp_path}/none.h5\n"
