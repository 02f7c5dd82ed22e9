"""The container image, built and run where docker runs."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cpcnn_jax import __main__ as commands
from cpcnn_jax.cli import extras

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text()


def docker(*words):
    return subprocess.run(
        ["docker", *map(str, words)], capture_output=True, text=True, check=False
    )


def test_the_image_installs_extras_that_exist_and_its_commands_parse():
    (names,) = re.findall(r"^ARG EXTRAS=(.*)$", TEXT, re.M)
    assert {*names.split(",")} <= {*extras.EXTRAS}
    runs = re.findall(r"docker run .* cpcnn_jax (\w+)", TEXT)
    assert len(runs) == 2 and {*runs} <= {*commands.COMMANDS}


@pytest.mark.long
def test_the_image_counts(tmp_path):
    if not shutil.which("docker") or docker("info").returncode:
        pytest.skip("docker does not run here")
    built = docker("build", "--tag", "cpcnn_jax_test", ROOT)
    assert built.returncode == 0, built.stderr
    shutil.copy(ROOT / "docs" / "crowd.jpg", tmp_path)
    run = ("run", "--rm", "--volume", f"{tmp_path}:/data", "cpcnn_jax_test")
    counted = docker(*run, "count", "crowd.jpg", "--json", "counts.json")
    assert counted.returncode == 0, counted.stderr
    (row,) = json.loads((tmp_path / "counts.json").read_text())
    assert row["count"] > 0 and row["error"] is None
