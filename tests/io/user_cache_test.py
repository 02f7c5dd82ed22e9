"""The user's cache: its folder by the system, by XDG and by our own variable."""

import sys
from pathlib import Path

import pytest

from cpcnn_jax.io import user_cache


@pytest.mark.skipif(sys.platform != "linux", reason="folders of Linux")
def test_folder_is_that_of_the_system(monkeypatch, tmp_path):
    monkeypatch.delenv("CPCNN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_cache.folder() == tmp_path / ".cache" / "cpcnn_jax"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert user_cache.folder() == tmp_path / "xdg" / "cpcnn_jax"


def test_variable_names_another_folder(monkeypatch):
    monkeypatch.setenv("CPCNN_CACHE", "/elsewhere")
    assert user_cache.folder() == Path("/elsewhere")
    file = user_cache.weights_file("vgg16")
    assert file == Path("/elsewhere/weights/vgg16.safetensors")
