"""The command doctor with valid and with missing weights."""

import hashlib
import re
import shutil

import jax
import pytest
import tiny_experiment

from cpcnn_jax.cli import doctor, extras
from cpcnn_jax.weights import pretrained, serialization

LINES = (
    *("python", "packages", "extras", "devices", "weights", "cache", "programs"),
    *("data", "disk", "count"),
)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A file of tiny networks as the default weights; returns the file."""
    folder = tmp_path / "installed"
    folder.mkdir()
    name = pretrained.DEFAULT
    shutil.copy(pretrained.FOLDER / f"{name}.md", folder)
    file = folder / f"{name}.safetensors"
    model = tiny_experiment.get_config().model
    serialization.save(file, tiny_experiment.networks()[1], model)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    monkeypatch.setattr(pretrained, "PRETRAINED", {name: digest})
    return file


@pytest.fixture
def run_doctor(installed, tmp_path, monkeypatch, capsys):
    """Function from arguments to (status, dict of the lines, stderr)."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CPCNN_CACHE", str(tmp_path / "cache"))

    def run_doctor(*args):
        status = doctor.main([*map(str, args)])
        out, err = capsys.readouterr()
        return status, dict(line.split(maxsplit=1) for line in out.splitlines()), err

    return run_doctor


def test_each_line_is_printed(run_doctor, installed, tmp_path):
    prepared = tmp_path / "cpcnn_jax" / "0123" / "mall" / "1.0.0"
    prepared.mkdir(parents=True)
    (prepared / "dataset_info.json").touch()
    imported = tmp_path / "cache" / "weights" / "csrnet.safetensors"
    imported.parent.mkdir(parents=True)
    imported.touch()
    status, lines, err = run_doctor()
    assert (status, err, tuple(lines)) == (0, "", LINES)
    assert f"jax {jax.__version__}" in lines["packages"]
    assert "missing" not in lines["packages"]
    assert lines["extras"] == ", ".join(extras.EXTRAS)
    assert lines["devices"].count("cpu") == jax.device_count()
    name, size = pretrained.DEFAULT, installed.stat().st_size / 1e6
    terms = pretrained.license_line(name)
    assert lines["weights"] == f"{name}, the default, {size:.1f} MB, {terms}"
    assert lines["cache"] == f"{tmp_path}/cache, imported weights: csrnet"
    assert lines["data"] == f"prepared: {prepared}"
    pattern = (
        r"[\d.]+ s with loading and compilation, then [\d.]+ s, for 640x480 pixels "
        rf"with \d+ drawn people; {name} counts \d+ \(weights of photographs .*\)"
    )
    assert re.fullmatch(pattern, lines["count"])


def test_missing_extra_has_its_command(run_doctor, monkeypatch, capsys):
    real = extras.missing_modules
    lacking = {"video": ["av"]}
    monkeypatch.setattr(
        extras, "missing_modules", lambda name: lacking.get(name) or real(name)
    )
    assert doctor.main([]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "extras" in line]
    assert "video" not in lines[0] and "serve" in lines[0] and len(lines) == 2
    assert lines[1].endswith("video is missing: pip install 'cpcnn_jax[video]'")


def test_missing_default_weights_are_reported(run_doctor, installed):
    installed.unlink()
    status, lines, err = run_doctor()
    assert (
        status == 1 and "count" not in lines and err.startswith("doctor: the weights")
    )
    assert lines["weights"].startswith(f"{pretrained.DEFAULT}, the default, is not th")


def test_missing_weights_are_reported(run_doctor, tmp_path):
    status, lines, err = run_doctor("--weights", tmp_path)
    assert status == 1 and "count" not in lines
    assert lines["data"] == "none prepared, none in its default folder"
    assert err.startswith("doctor: no weights at")
