"""The wheel in a fresh environment: every command from an empty folder, offline."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cpcnn_jax.weights import pretrained

ROOT = Path(__file__).parents[1]
NOT_COPIED = {".git", ".venv", ".mypy_cache", "build", "runs", "weights"}
PHOTO = ROOT / "docs" / "crowd.jpg"
MAX_BYTES = 50e6
TINY = (
    *("--config.data.num_train=8", "--config.data.num_test=2"),
    *("--config.data.height=128", "--config.data.width=160"),
    *("--config.model.use_gce=false", "--config.model.use_lce=false"),
    *("--config.density.steps=2", "--config.density.warmup_steps=0"),
    *("--config.adversary.steps=0", "--config.num_eval_images=1"),
)

pytestmark = pytest.mark.long


def pip(*words):
    command = ["-m", "pip", "--disable-pip-version-check", "--quiet", *map(str, words)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy of the repository's files."""
    folder = tmp_path_factory.mktemp("wheel")

    def ignore(path, names):
        return NOT_COPIED & {*names} if Path(path) == ROOT else {"__pycache__"}

    shutil.copytree(ROOT, folder / "copy", ignore=ignore)
    pip("wheel", "--no-deps", "--wheel-dir", folder, folder / "copy")
    (file,) = folder.glob("*.whl")
    return file


class Installation:
    """A fresh environment, and an empty folder in which its commands run offline."""

    def __init__(self, folder):
        self.bin, self.folder = folder / "venv" / "bin", folder / "empty"
        self.folder.mkdir()
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        kept = {"PATH", "LANG", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}
        nowhere = {f"{kind}_proxy": "http://127.0.0.1:9" for kind in ("http", "https")}
        self.environment = {
            **{name: os.environ[name] for name in kept & os.environ.keys()},
            **nowhere,
            "HOME": str(folder / "home"),
            "JAX_PLATFORMS": "cpu",
        }
        try_out = subprocess.run(["unshare", "-rn", "true"], capture_output=True)
        self.prefix = [] if try_out.returncode else ["unshare", "-rn"]
        self.seconds = {}

    def install(self, what):
        """Installs requirements with the constraints of the tests."""
        start = time.monotonic()
        python, limits = self.bin / "python", ROOT / "constraints.txt"
        pip("--python", python, "install", "--constraint", limits, what)
        return time.monotonic() - start

    def run(self, *words, name="cpcnn_jax"):
        """Runs a program of the environment; returns its standard output."""
        command = [*self.prefix, str(self.bin / name), *map(str, words)]
        start = time.monotonic()
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        self.seconds[words[0]] = time.monotonic() - start
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def installation(wheel, tmp_path_factory):
    """The base installation, and the seconds of the two commands of a first count."""
    one = Installation(tmp_path_factory.mktemp("installation"))
    installed = one.install(wheel)
    (row,) = json.loads(one.run("count", PHOTO, "--json", "-"))
    one.first = installed + one.seconds["count"], row
    return one


@pytest.fixture(scope="module")
def full(installation, wheel):
    """The installation with the extras of training, serving and export."""
    installation.install(f"{wheel}[export,serve,train]")
    return installation


def test_wheel_has_the_default_weights_and_a_limited_size(wheel):
    assert wheel.stat().st_size <= MAX_BYTES
    names = subprocess.check_output(
        [sys.executable, "-m", "zipfile", "-l", str(wheel)], text=True
    )
    assert f"weights/files/{pretrained.DEFAULT}.safetensors" in names
    assert "share/cpcnn_jax/experiments/demo.py" in names


def test_network_is_cut_off(installation):
    if not installation.prefix:
        pytest.skip("no network namespaces here: a proxy that leads nowhere is set")
    program = "import socket; print(socket.if_nameindex())"
    assert installation.run("-c", program, name="python") == "[(1, 'lo')]\n"


def test_first_count_takes_two_commands(installation, capsys):
    total, row = installation.first
    first = installation.seconds["count"]
    output = installation.run("count", PHOTO)
    second = installation.seconds["count"]
    assert row["error"] is None and row["weights"] == pretrained.DEFAULT
    assert 80 < row["count"] < 250  # of 167 people
    assert f"weights: {pretrained.DEFAULT}, " in output
    assert not list(installation.folder.iterdir())
    home = Path(installation.environment["HOME"])
    assert (home / ".cache" / "cpcnn_jax").is_dir()
    program = (
        "import time; start = time.monotonic(); import cpcnn_jax; "
        "print(time.monotonic() - start)"
    )
    imported = float(installation.run("-c", program, name="python"))
    with capsys.disabled():
        print(
            f"\ninstallation and first count {total:.0f} s, of it the first count "
            f"{first:.1f} s; second start {second:.1f} s; import {imported:.2f} s"
        )


def test_explain_and_doctor_need_no_extra(installation):
    words = "--input 3x3 --kernel 3 --stride 2 --padding 1 --format text"
    golden = ROOT / "tests" / "golden" / "explain_3x3_k3_s2_p1.txt"
    assert installation.run("explain", *words.split()) == golden.read_text()
    output = installation.run("doctor")
    assert f"{pretrained.DEFAULT} counts " in output
    assert "train is missing: pip install 'cpcnn_jax[train]'" in output


def test_training_export_and_serving(full):
    run, file = full.folder / "run", full.folder / "net.bin"
    output = full.run("train", "--config=demo", f"--workdir={run}", *TINY)
    assert "MAE" in output and (run / "report.html").is_file()
    flags = ("--weights", run, "--format", "stablehlo", "--out", file)
    assert str(file) in full.run("export", PHOTO, *flags) and file.stat().st_size > 1000
    script = ROOT / "tests" / "support" / "offline_serve.py"
    output = full.run(script, full.bin / "cpcnn_jax", PHOTO, name="python")
    assert json.loads(output)["count"] == pytest.approx(full.first[1]["count"])
