"""Persistent cache of compiled programs, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from cpcnn_jax.inference import compilation_cache

PROGRAM = """
import jax, jax.numpy as jnp
from cpcnn_jax.inference import compilation_cache
print(compilation_cache.enable(), compilation_cache.folder())
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.jit(lambda x: x * 2)(jnp.ones(3))
"""


def start(**changes):
    """Returns (enabled, folder) of a process with a changed environment."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, env=environment | changes, capture_output=True, text=True, check=True
    )
    enabled, folder = done.stdout.split()
    return enabled == "True", Path(folder)


def test_programs_are_stored_in_the_users_cache(tmp_path):
    enabled, folder = start(XDG_CACHE_HOME=str(tmp_path))
    assert enabled and folder.parent == tmp_path / "cpcnn_jax"
    assert list(folder.glob("*-cache"))


def test_jax_setting_has_priority(tmp_path):
    own = str(tmp_path / "own")
    enabled, folder = start(JAX_COMPILATION_CACHE_DIR=own, XDG_CACHE_HOME=str(tmp_path))
    assert enabled and folder == Path(own)
    assert list(folder.glob("*-cache"))
    assert not (tmp_path / "cpcnn_jax").exists()


@pytest.fixture
def without_setting():
    """JAX without a cache folder."""
    configured = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", configured)


def test_default_is_below_the_home_folder(without_setting, tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert compilation_cache.folder().parent == tmp_path / ".cache" / "cpcnn_jax"


def test_cache_is_disabled_if_its_folder_cannot_be_made(
    without_setting, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert not compilation_cache.enable()
    assert jax.config.jax_compilation_cache_dir is None
