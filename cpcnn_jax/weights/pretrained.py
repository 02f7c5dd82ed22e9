"""Pretrained weights: names, files and checksums."""

import hashlib
import os
import re
from pathlib import Path

import numpy as np

from cpcnn_jax.io import user_cache
from cpcnn_jax.io.suggestion import suggest
from cpcnn_jax.weights import hub, serialization

DEFAULT = "shared_backbone"
FOLDER = Path(__file__).parent / "files"
# Name to the SHA-256 of NAME.safetensors in this folder; NAME.md is its model card.
PRETRAINED = {
    "shared_backbone": (
        "83830b8e143fbb8b671a0eb80034c5a406fe2ecafeb4fe3b32d9097321d3d9fe"
    ),
    "shanghaitech_a": (
        "bd56a73e6c2b2957def53b5ff2a530c74e460a5714727b0c6fb991f10f4fae39"
    ),
}
# Help text for arguments of `find_weights`.
HELP = (
    f"a pretrained name ({', '.join(PRETRAINED)}), an imported one "
    f"({', '.join(serialization.BASELINES)}), a weights file, the workdir of a run, or "
    "OWNER/NAME on Hugging Face"
)


def find_weights(path: str | os.PathLike[str]) -> Path:
    """Finds a weights file.

    A known name is never a file or folder of the current folder; ./NAME is one.

    Args:
      path: a name of `PRETRAINED`; a baseline that `import-weights` wrote to the user's
        cache; a weights file; the workdir of a run; or OWNER/NAME of a repository on
        Hugging Face, unless a folder OWNER exists.

    Raises:
      ValueError: there is none, or a pretrained file is not installed or has another
        checksum.
    """
    if path in PRETRAINED:
        return _check_file(path)
    if path in serialization.BASELINES:
        return _find_baseline(path)
    file = Path(path)
    if file.is_dir():
        file = serialization.weights_file(file)
        if not file.exists():
            raise ValueError(f"no weights at {file}: has the run ended?")
    if file.exists():
        return file
    if hub.is_repository(path) and not file.parent.exists():
        return hub.fetch(str(path))
    near = suggest(str(path), [*PRETRAINED, *serialization.BASELINES])
    raise ValueError(f"no weights at {path}{near or f': expected {HELP}'}")


def license_line(name: str) -> str:
    """Reads the terms of pretrained weights in their model card; "" for others."""
    card = FOLDER / f"{name}.md"
    if name not in PRETRAINED or not card.exists():
        return ""
    found = re.search(r"^License: (.*)$", card.read_text("utf-8"), re.MULTILINE)
    return found[1] if found else ""


def describe_weights(name: str) -> str:
    """The name of weights and their terms, if they are pretrained, in a line."""
    terms = license_line(name)
    return f"weights: {name}" + (f", {terms}" if terms else "")


def load_params(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Loads the weights of a CP-CNN.

    Args:
      path: any argument of `find_weights`.

    Returns:
      Flat dict of float32 arrays.

    Raises:
      ValueError: there are no weights.
    """
    params = serialization.load(find_weights(path))
    return {name: value.astype(np.float32) for name, value in params.items()}


def _find_baseline(name):
    file = user_cache.weights_file(name)
    if not file.exists():
        raise ValueError(
            f"no weights {name} in {file.parent}: `cpcnn_jax import-weights {name}` "
            "writes them"
        )
    return file


def _check_file(name):
    """Returns a pretrained file after a test of its checksum."""
    file = FOLDER / f"{name}.safetensors"
    if not file.exists():
        raise ValueError(
            f"the weights {name} are not part of this installation: pass the path of "
            f"cpcnn_jax/weights/files/{file.name} in a clone of the repository"
        )
    if hashlib.sha256(file.read_bytes()).hexdigest() != PRETRAINED[name]:
        raise ValueError(f"{file} is damaged: install cpcnn_jax again")
    return file
