"""Common test setup: eight devices, no silent broadcasting, a compilation cache."""

import os
import shutil
from pathlib import Path

import filelock
import jax
import pytest
import tiny_experiment

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session", autouse=True)
def compile_cache(tmp_path_factory):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("xla")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Compiles with few optimizations in tests that are marked `quick_compile`.

    `quick_compile(False)` excepts a test of a marked file: equal bits, and equality on
    several devices, are promised of the programs that users run.
    """
    mark = item.get_closest_marker("quick_compile")
    quick = mark is not None and mark.args != (False,)
    if jax.config.read("jax_disable_most_optimizations") != quick:
        jax.clear_caches()
        jax.config.update("jax_disable_most_optimizations", quick)


@pytest.fixture(scope="session")
def real_data():
    """Folder of real images: CPCNN_DATA, or beside the project."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CPCNN_DATA", default))
    if not (folder / "ShanghaiTech").is_dir():
        pytest.skip(f"no real photographs at {folder}; set CPCNN_DATA")
    return folder


def _run_once(tmp_path_factory, name, *words):
    """(workdir, stdout) of a run of launch.py that all xdist workers share."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    workdir, said = folder / name / "run", folder / name / "stdout.txt"
    with filelock.FileLock(folder / f"{name}.lock"):
        if not said.exists():
            workdir.parent.mkdir()
            status, out, err = tiny_experiment.launch(*words, f"--workdir={workdir}")
            assert status == 0, err
            said.write_text(out)
    return workdir, said.read_text()


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """(workdir, stdout) of an unbroken run of the smallest experiment."""
    return _run_once(tmp_path_factory, "whole", tiny_experiment.CONFIG)


@pytest.fixture(scope="session")
def brief(tmp_path_factory):
    """Workdir of an unbroken run of `tiny_experiment.BRIEF` in one process."""
    return _run_once(tmp_path_factory, "brief", *tiny_experiment.BRIEF)[0]


CHROMIUM = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage --window-size=1280,1000"
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A driven Chromium that records console messages."""
    webdriver = pytest.importorskip("selenium.webdriver")
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("Debian's chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in CHROMIUM.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()
