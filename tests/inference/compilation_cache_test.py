"""Compiled programs outlive a process, where a folder can be written."""

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
    """(whether they are kept, where) of a process in this environment."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    words = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        words, env=environment | changes, capture_output=True, text=True, check=True
    )
    kept, folder = done.stdout.split()
    return kept == "True", Path(folder)


def test_programs_go_to_the_user_s_cache(tmp_path):
    kept, folder = start(XDG_CACHE_HOME=str(tmp_path))
    assert kept and folder.parent == tmp_path / "cpcnn_jax"
    assert list(folder.glob("*-cache"))


def test_where_jax_was_told_to_is_where_they_go(tmp_path):
    place = str(tmp_path / "mine")
    kept, folder = start(JAX_COMPILATION_CACHE_DIR=place, XDG_CACHE_HOME=str(tmp_path))
    assert kept and folder == Path(place)
    assert list(folder.glob("*-cache"))
    assert not (tmp_path / "cpcnn_jax").exists()


@pytest.fixture
def untold():
    """JAX as it is where nobody has said where programs go."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", before)


def test_the_default_is_below_the_home(untold, tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert compilation_cache.folder().parent == tmp_path / ".cache" / "cpcnn_jax"


def test_without_a_place_nothing_is_kept(untold, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert not compilation_cache.enable()
    assert jax.config.jax_compilation_cache_dir is None
