"""Weights with a name: made small, put together again, found, fetched, refused."""

import dataclasses
import hashlib
import http.server
import os
import subprocess
import sys
import threading
from http import HTTPStatus

import numpy as np
import pytest
import tiny_experiment
from safetensors.numpy import load_file, save_file

import cpcnn_jax as cp
from cpcnn_jax.cli import release as release_command
from cpcnn_jax.config.constants import VGG16_LAYERS
from cpcnn_jax.inference import counter
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.params import param_shapes
from cpcnn_jax.weights import compression, hub, pretrained, serialization

LEARNT = ("conv5_2", "conv5_3")
MODEL = tiny_experiment.get_config().model
PREFIX = "gce/vgg16/"


@pytest.fixture(scope="module")
def trained():
    return tiny_experiment.drawn(tiny_experiment.networks()[0])


@pytest.fixture
def here(tmp_path, monkeypatch, trained):
    """A folder with a run, and with the VGG-16 that its GCE began with."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    serialization.save(
        "run/weights.safetensors", trained, tiny_experiment.get_config().model
    )
    (tmp_path / "weights").mkdir()
    save_file(imagenet(trained), serialization.VGG16)
    return tmp_path


def imagenet(trained):
    """VGG-16 of which the last two convolutions have learnt since."""
    arrays = {
        name.removeprefix(PREFIX): value
        for name, value in trained.items()
        if name.startswith(PREFIX)
    }
    return {n: v + n.startswith(LEARNT) for n, v in arrays.items()}


@pytest.fixture
def release(here, trained, monkeypatch):
    """A released name, "a", of the run's weights."""
    small, digest = compression.compress(trained, compression.imagenet_params(MODEL))
    serialization.save(
        "a.safetensors", small, tiny_experiment.get_config().model, vgg16=digest
    )
    digest = hashlib.sha256((here / "a.safetensors").read_bytes()).hexdigest()
    monkeypatch.setattr(pretrained, "RELEASES", {"a": digest})
    monkeypatch.setattr(pretrained, "FOLDER", here)
    return "a"


def test_what_is_imagenet_s_comes_back_whole_and_the_rest_rounded(here, trained):
    small, digest = compression.compress(trained, compression.imagenet_params(MODEL))
    kept = {f"{layer}/{part}" for layer in LEARNT for part in ("kernel", "bias")}
    assert {n.removeprefix(PREFIX) for n in small if PREFIX in n} == kept
    assert {value.dtype for value in small.values()} == {np.dtype(np.float16)}
    again = compression.decompress(small, digest, compression.imagenet_params(MODEL))
    assert again.keys() == trained.keys()
    for name, value in trained.items():
        assert again[name].dtype == np.float32
        if name in small:
            np.testing.assert_allclose(again[name], value, rtol=5e-4, atol=1e-7)
        else:
            np.testing.assert_array_equal(again[name], value)


def test_networks_without_the_gce_need_no_vgg16(trained):
    alone = {n: v for n, v in trained.items() if not n.startswith("gce")}
    small, digest = compression.compress(alone, {})
    assert digest is None and small.keys() == alone.keys()
    assert compression.decompress(small, digest, {}).keys() == alone.keys()


def test_an_lce_on_vgg16_leaves_out_what_it_has_of_it(here):
    model = dataclasses.replace(MODEL, lce_vgg_blocks=4)
    known = compression.imagenet_params(model)
    theirs = {n for n in known if n.startswith("lce/vgg16/")}
    assert {n.split("/")[2] for n in theirs} == {n for n in VGG16_LAYERS if n < "conv5"}
    begun = tiny_experiment.drawn(cpcnn.build(model)) | known
    learnt = {n: x + ("conv4" in n or "head" in n) for n, x in begun.items()}
    small, digest = compression.compress(learnt, known)
    assert {n.split("/")[2] for n in small if n.startswith("lce/vgg16/")} == {
        "conv4_1",
        "conv4_2",
        "conv4_3",
    }
    serialization.save("small.safetensors", small, model, vgg16=digest)
    again = pretrained.load_params("small.safetensors")
    assert again.keys() == learnt.keys()
    for name, value in learnt.items():
        np.testing.assert_allclose(again[name], value, rtol=5e-4, atol=1e-7)


def test_a_weight_too_large_for_half_precision():
    with pytest.raises(ValueError, match="dme/x does not fit into float16"):
        compression.compress({"dme/x": np.float32([1e5])}, {})


def test_another_vgg16_is_not_taken(here, trained, release):
    other = imagenet(trained)
    other["conv1_1/bias"] = other["conv1_1/bias"] + 1
    save_file(other, serialization.VGG16)
    with pytest.raises(ValueError, match="weights/vgg16.safetensors has not"):
        pretrained.load_params(release)
    (here / serialization.VGG16).unlink()
    with pytest.raises(ValueError, match="vgg16.safetensors is not .*`make vgg16`"):
        pretrained.load_params(release)


def test_what_goes_on_from_a_release_is_only_what_has_learnt(here, release, capsys):
    before = pretrained.load_params(release)
    after = {n: v + n.startswith(("dme/", "fcnn/")) for n, v in before.items()}
    serialization.save("b.safetensors", after, tiny_experiment.get_config().model)
    assert (
        release_command.main(["b.safetensors", "--base=a", "--out=small.safetensors"])
        == 0
    )
    assert " arrays of a\n" in capsys.readouterr().out
    kept = load_file("small.safetensors")
    assert kept and all(name.startswith(("dme/", "fcnn/")) for name in kept)
    again = pretrained.load_params("small.safetensors")
    assert again.keys() == after.keys()
    for name, value in after.items():
        np.testing.assert_allclose(again[name], value, rtol=5e-4, atol=1e-7)
        if name not in kept:
            np.testing.assert_array_equal(again[name], value)


def test_what_a_file_leaves_out_was_released(here, trained):
    model = tiny_experiment.get_config().model
    serialization.save(
        "b.safetensors", {}, model, vgg16="1", base="weights.safetensors"
    )
    with pytest.raises(ValueError, match="weights.safetensors, which were not"):
        pretrained.load_params("b.safetensors")


def test_a_release_counts_what_the_run_counts(here, capsys):
    assert release_command.main(["run", "--out", "small.safetensors"]) == 0
    said = capsys.readouterr().out
    data = (here / "small.safetensors").read_bytes()
    assert f"SHA-256 {hashlib.sha256(data).hexdigest()}" in said
    assert f"float16, without {2 * len(VGG16_LAYERS) - 4} arrays of VGG-16" in said
    assert len(data) < 0.6 * (here / "run" / "weights.safetensors").stat().st_size
    image = np.random.default_rng(0).random((96, 130, 3), np.float32)
    found, expected = (
        cp.load(file).count(image) for file in ("small.safetensors", "run")
    )
    highest = np.abs(expected.density).max()
    np.testing.assert_allclose(found.density, expected.density, atol=0.01 * highest)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nowhere", "--out=s"], "no weights at nowhere"),
        (["run", "--vgg16=gone", "--out=s"], "and gone is not there"),
        (["run", "--out=no/s"], "no/s"),
    ],
)
def test_what_cannot_be_released(here, capsys, words, text):
    assert release_command.main(words) == 1
    said = capsys.readouterr().err
    assert said.startswith("release: ") and text in said and said.count("\n") == 1
    assert not (here / "s").exists()


def test_the_default_is_released_where_its_vgg16_is(here):
    assert counter.default_weights() == counter.RELEASED
    assert counter.RELEASED in pretrained.RELEASES
    (here / serialization.VGG16).unlink()
    with pytest.raises(ValueError, match=f"fetch what {counter.RELEASED} needs"):
        counter.default_weights()


def test_a_released_file_is_the_one_that_was_released(tmp_path, monkeypatch):
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    monkeypatch.setattr(pretrained, "RELEASES", {"a": digest})
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    assert pretrained.find_weights("a") == file
    file.write_bytes(b"weight")
    with pytest.raises(ValueError, match="a.safetensors is damaged: install"):
        pretrained.find_weights("a")


@pytest.mark.parametrize("name", pretrained.RELEASES)
def test_what_is_released_is_here_with_its_card(name):
    file = pretrained.find_weights(name)
    card = file.with_suffix(".md").read_text()
    assert pretrained.RELEASES[name] in card
    shapes = param_shapes(cpcnn.build(serialization.load_model(file)), channels=3)
    for name, value in load_file(file).items():
        assert value.shape == shapes[name]


# --- Hugging Face's client, real, and a server of one small file


class Hub(http.server.BaseHTTPRequestHandler):
    """What the client asks of Hugging Face for owner/crowd, and for nothing else."""

    data = b""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        ours = self.path.startswith("/owner/crowd/resolve/main/weights.safetensors")
        data = self.data if ours else b""
        self.send_response(HTTPStatus.OK if ours else HTTPStatus.NOT_FOUND)
        if ours:
            self.send_header("ETag", '"1"')
            self.send_header("X-Repo-Commit", 40 * "0")
        else:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *words):
        pass


@pytest.fixture
def endpoint(tmp_path, trained):
    serialization.save(
        tmp_path / "w.safetensors", trained, tiny_experiment.get_config().model
    )
    Hub.data = (tmp_path / "w.safetensors").read_bytes()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def found(name, tmp_path, **environment):
    """What a program of its own finds under a name."""
    program = f"""
from cpcnn_jax.weights import pretrained
try:
    print(pretrained.find({name!r}).read_bytes()[:9])
except ValueError as error:
    print(error)
"""
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "HF_HOME": str(tmp_path / "hub"), **environment},
        cwd=tiny_experiment.ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_weights_are_fetched_once_and_found_without_a_network(endpoint, tmp_path):
    expected = f"{Hub.data[:9]}\n"
    assert found("owner/crowd", tmp_path, HF_ENDPOINT=endpoint) == expected
    assert found("owner/crowd", tmp_path, HF_HUB_OFFLINE="1") == expected
    for name, environment in (
        ("owner/nothing", {"HF_ENDPOINT": endpoint}),
        ("owner/other", {"HF_HUB_OFFLINE": "1"}),
    ):
        said = found(name, tmp_path, **environment)
        assert said.startswith(f"no file {name}, and no weights.safetensors of that ")
        assert said.count("\n") == 1


def test_what_looks_like_a_path_is_not_asked_of_the_network(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "fetch", lambda name: pytest.fail(f"asked for {name}"))
    for name in ("runs/a", "a", "a/b/c", "../a", "/a", "https://a/b"):
        with pytest.raises(ValueError, match=f"no weights at {name}: expected a w"):
            pretrained.find_weights(name)


def test_without_the_client_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r"owner/crowd.*pip install 'cpcnn_jax\[hub\]"):
        pretrained.find_weights("owner/crowd")
