"""Folder of the user's cache: imported weights and compiled programs."""

import os
from pathlib import Path

import platformdirs

VARIABLE = "CPCNN_CACHE"  # environment variable that names another folder


def folder() -> Path:
    """Returns the folder; it need not exist.

    On Linux it is ~/.cache/cpcnn_jax, or below $XDG_CACHE_HOME. The environment
    variable CPCNN_CACHE names another folder.
    """
    return Path(os.environ.get(VARIABLE) or platformdirs.user_cache_path("cpcnn_jax"))


def weights_file(name: str) -> Path:
    """Returns the path of imported weights, such as "vgg16" or "csrnet"."""
    return folder() / "weights" / f"{name}.safetensors"
