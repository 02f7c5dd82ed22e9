"""Pretrained weights: half precision, `release`, names and Hugging Face."""

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
from safetensors.numpy import load_file

import cpcnn_jax as cp
from cpcnn_jax.cli import release
from cpcnn_jax.evaluation import predictions
from cpcnn_jax.inference.prediction_interval import fit_intervals
from cpcnn_jax.io import user_cache
from cpcnn_jax.models import networks
from cpcnn_jax.models.params import param_shapes
from cpcnn_jax.weights import hub, pretrained, serialization

MODEL = tiny_experiment.get_config().model


@pytest.fixture(scope="module")
def trained():
    return tiny_experiment.drawn(tiny_experiment.networks()[0])


@pytest.fixture
def here(tmp_path, monkeypatch, trained):
    """A folder with a run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    serialization.save("run/weights.safetensors", trained, MODEL)
    return tmp_path


def test_loaded_arrays_are_the_rounded_ones_as_float32(here, trained):
    small = serialization.to_float16(trained)
    assert {value.dtype for value in small.values()} == {np.dtype(np.float16)}
    serialization.save("small.safetensors", small, MODEL)
    params = pretrained.load_params("small.safetensors")
    assert params.keys() == trained.keys()
    for name, value in trained.items():
        assert params[name].dtype == np.float32
        np.testing.assert_array_equal(params[name], np.float32(small[name]))
        np.testing.assert_allclose(params[name], value, rtol=5e-4, atol=1e-7)


def test_weight_too_large_for_float16_raises_value_error():
    with pytest.raises(ValueError, match="dme/x does not fit into float16"):
        serialization.to_float16({"dme/x": np.float32([1e5])})


def test_released_file_has_the_density_of_the_run(here, capsys):
    assert release.main(["run", "--out", "small.safetensors"]) == 0
    output = capsys.readouterr().out
    data = (here / "small.safetensors").read_bytes()
    assert f"SHA-256 {hashlib.sha256(data).hexdigest()}" in output
    assert len(data) < 0.6 * (here / "run" / "weights.safetensors").stat().st_size
    image = np.random.default_rng(0).random((96, 130, 3), np.float32)
    result, expected = (
        cp.load(file).count(image) for file in ("small.safetensors", "run")
    )
    highest = np.abs(expected.density).max()
    np.testing.assert_allclose(result.density, expected.density, atol=0.01 * highest)


def evaluated_run(run, split="validation", number=12, columns=""):
    """Files of an evaluated run, as far as `release` reads them."""
    folder = predictions.results_folder(run, split)
    folder.mkdir(parents=True)
    lines = [f"{n},{10 * n},{11 * n + 1},80,{60 + n}" for n in range(number)]
    text = "\n".join([f"name,count,predicted,width{columns},height", *lines])
    (folder / "predictions.csv").write_text(text)
    return str(run)


def test_released_file_has_intervals_of_the_validation(here, capsys):
    run = evaluated_run(here / "evaluated")
    assert release.main(["run", "--out", "a.safetensors", "--validation", run]) == 0
    numbers = np.arange(12)
    expected = fit_intervals(10 * numbers, 11 * numbers + 1, 80 * (60 + numbers))
    assert cp.load("a.safetensors").intervals == expected
    assert release.main(["a.safetensors", "--out", "b.safetensors"]) == 0
    assert cp.load("b.safetensors").intervals == expected


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"split": "test"}, "evaluated has no folder validation: evaluate the run w"),
        ({"number": 9}, "at least 10 validation images, got 9"),
        ({"columns": "s"}, "'width'"),
    ],
)
def test_wrong_validation_is_refused(here, capsys, changes, text):
    run = evaluated_run(here / "evaluated", **changes)
    assert release.main(["run", "--out", "a.safetensors", "--validation", run]) == 1
    error = capsys.readouterr().err
    assert text in error and "--validation=" in error and error.count("\n") == 1
    assert not (here / "a.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nowhere", "--out=s"], "no weights at nowhere"),
        (["run", "--out=no/s"], "--out=no/s: there is no folder no\n"),
        (["run", "--out=run"], "--out=run is a folder: name a file in it"),
        (["run", "--out=run/weights.safetensors"], "weights.safetensors is an input"),
    ],
)
def test_release_reports_errors_in_one_sentence(here, capsys, arguments, text):
    assert release.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("release: ") and text in error and error.count("\n") == 1
    assert not (here / "s").exists()


def test_default_is_a_pretrained_name():
    assert pretrained.DEFAULT in pretrained.PRETRAINED


def test_a_name_is_never_a_file_of_the_current_folder(tmp_path, monkeypatch):
    file = tmp_path / "files" / "a.safetensors"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    monkeypatch.setattr(pretrained, "PRETRAINED", {"a": digest})
    monkeypatch.setattr(pretrained, "FOLDER", file.parent)
    monkeypatch.setenv("CPCNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name in ("a", "csrnet"):
        (tmp_path / name).write_text("a file of the current folder")
        assert pretrained.find_weights(f"./{name}").samefile(tmp_path / name)
    assert pretrained.find_weights("a") == file
    with pytest.raises(ValueError, match="no weights csrnet in .*/cache/weights: "):
        pretrained.find_weights("csrnet")
    imported = user_cache.weights_file("csrnet")
    imported.parent.mkdir(parents=True)
    imported.touch()
    assert pretrained.find_weights("csrnet") == imported
    with pytest.raises(ValueError, match="no weights at cssrnet, did you mean csrnet"):
        pretrained.find_weights("cssrnet")


def test_pretrained_file_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "PRETRAINED", {"a": ""})
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    text = r"^the weights a are not part .* path of .*files/a\.safetensors in a clone"
    with pytest.raises(ValueError, match=text):
        pretrained.find_weights("a")


def test_pretrained_file_with_another_checksum_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    monkeypatch.setattr(pretrained, "PRETRAINED", {"a": digest})
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    assert pretrained.find_weights("a") == file
    file.write_bytes(b"weight")
    with pytest.raises(ValueError, match="a.safetensors is damaged: install"):
        pretrained.find_weights("a")


@pytest.mark.parametrize("name", pretrained.PRETRAINED)
def test_pretrained_files_have_model_cards(name):
    file = pretrained.find_weights(name)
    card = file.with_suffix(".md").read_text()
    assert pretrained.PRETRAINED[name] in card
    shapes = param_shapes(networks.build(serialization.load_model(file)), channels=3)
    found = {name: value.shape for name, value in load_file(file).items()}
    assert found == shapes


# --- The real client of Hugging Face, and a server with one small file


class Hub(http.server.BaseHTTPRequestHandler):
    """The responses of Hugging Face to requests for owner/crowd alone."""

    data = b""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        exists = self.path.startswith("/owner/crowd/resolve/main/weights.safetensors")
        data = self.data if exists else b""
        self.send_response(HTTPStatus.OK if exists else HTTPStatus.NOT_FOUND)
        if exists:
            self.send_header("ETag", '"1"')
            self.send_header("X-Repo-Commit", 40 * "0")
        else:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def endpoint(tmp_path, trained):
    serialization.save(tmp_path / "w.safetensors", trained, MODEL)
    Hub.data = (tmp_path / "w.safetensors").read_bytes()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def find_in_process(name, tmp_path, **environment):
    """Output of a process that looks up a name: start of the file, or an error."""
    program = f"""
from cpcnn_jax.weights import pretrained
try:
    print(pretrained.find_weights({name!r}).read_bytes()[:9])
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


def test_weights_are_downloaded_once_and_found_offline(endpoint, tmp_path):
    expected = f"{Hub.data[:9]}\n"
    online = find_in_process("owner/crowd", tmp_path, HF_ENDPOINT=endpoint)
    offline = find_in_process("owner/crowd", tmp_path, HF_HUB_OFFLINE="1")
    assert online == offline == expected
    for name, environment in (
        ("owner/nothing", {"HF_ENDPOINT": endpoint}),
        ("owner/other", {"HF_HUB_OFFLINE": "1"}),
    ):
        output = find_in_process(name, tmp_path, **environment)
        assert output.startswith(f"no file {name}, and no weights.safetensors in that ")
        assert output.count("\n") == 1


def test_paths_are_not_looked_up_on_hugging_face(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "fetch", lambda name: pytest.fail(f"looked up {name}"))
    for name in ("runs/a", "a", "a/b/c", "../a", "/a", "https://a/b"):
        with pytest.raises(ValueError, match=f"no weights at {name}: expected a p"):
            pretrained.find_weights(name)


def test_error_without_the_client_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r"owner/crowd.*pip install 'cpcnn_jax\[hub\]"):
        pretrained.find_weights("owner/crowd")


@pytest.mark.parametrize("name", pretrained.PRETRAINED)
def test_pretrained_weights_have_a_license_line(name):
    line = pretrained.license_line(name)
    assert (
        10 < len(line) < 80 and line in (pretrained.FOLDER / f"{name}.md").read_text()
    )


def test_other_weights_have_no_license_line():
    assert pretrained.license_line("runs/mine") == pretrained.license_line("mcnn") == ""
