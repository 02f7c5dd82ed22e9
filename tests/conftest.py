"""The contract of the tests: eight devices, no silent broadcasting, compile once."""

import os
from pathlib import Path

import jax
import pytest
import tiny

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session", autouse=True)
def compile_cache(tmp_path_factory):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("xla")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


@pytest.fixture(scope="session")
def real_data():
    """The folder of real photographs: CPCNN_DATA, or beside the project."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CPCNN_DATA", default))
    if not (folder / "ShanghaiTech").is_dir():
        pytest.skip(f"no real photographs at {folder}; set CPCNN_DATA")
    return folder


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """(workdir, stdout) of the smallest experiment, run by launch.py without a stop."""
    workdir = tmp_path_factory.mktemp("whole") / "run"
    status, out, err = tiny.launch(tiny.CONFIG, f"--workdir={workdir}")
    assert status == 0, err
    return workdir, out
