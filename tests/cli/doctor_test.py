"""The command doctor with valid and with missing weights."""

import re

import jax
import pytest
import tiny_experiment

from cpcnn_jax.cli import doctor
from cpcnn_jax.weights import serialization


@pytest.fixture
def run_doctor(tmp_path, monkeypatch, capsys):
    """Function from arguments to (status, dict of the lines, stderr)."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(doctor, "NARROW", tiny_experiment.get_config().model)

    def run_doctor(*args):
        status = doctor.main([*map(str, args)])
        out, err = capsys.readouterr()
        return status, dict(line.split(maxsplit=1) for line in out.splitlines()), err

    return run_doctor


def test_each_line_is_printed(run_doctor, tmp_path):
    prepared = tmp_path / "cpcnn_jax" / "0123" / "mall" / "1.0.0"
    prepared.mkdir(parents=True)
    (prepared / "dataset_info.json").touch()
    status, lines, err = run_doctor()
    assert (status, err) == (0, "")
    assert list(lines) == [
        *("python", "packages", "devices", "data", "disk", "programs", "inference")
    ]
    assert f"jax {jax.__version__}" in lines["packages"]
    assert "missing" not in lines["packages"]
    assert lines["devices"].count("cpu") == jax.device_count()
    assert lines["data"] == f"prepared: {prepared}"
    pattern = r"[\d.]+ s, then [\d.]+ s for a synthetic image of 640x480 .*untrained"
    assert re.match(pattern, lines["inference"])
    serialization.save(
        tmp_path / "weights.safetensors",
        tiny_experiment.networks()[1],
        tiny_experiment.get_config().model,
    )
    status, lines, _ = run_doctor("--weights", tmp_path)
    assert status == 0
    assert re.search(rf"; {tmp_path} counts -?\d+\.\d$", lines["inference"])


def test_missing_weights_are_reported(run_doctor, tmp_path):
    status, lines, err = run_doctor("--weights", tmp_path)
    assert status == 1 and "inference" not in lines
    assert lines["data"] == "none prepared, none in its default folder"
    assert err.startswith("doctor: ValueError: no weights at")
