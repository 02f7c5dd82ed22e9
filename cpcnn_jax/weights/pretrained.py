"""Pretrained weights: names, files and checksums."""

import hashlib
import os
from pathlib import Path

import numpy as np

from cpcnn_jax.weights import hub, serialization

DEFAULT = "shared_backbone"
FOLDER = Path(__file__).parent / "files"
# Name to the SHA-256 of NAME.safetensors in this folder; NAME.md is its model card.
PRETRAINED = {
    "shared_backbone": (
        "e5a409c684248cc026daa710ba0cc55ec62cec7160f1bc7988af18323b66c07f"
    ),
    "shanghaitech_a": "bd56a73e6c2b2957def53b5ff2a530c74e460a5714727b0c6fb991f10f4fae39",
}
# Help text for arguments of `find_weights`.
HELP = (
    "a weights file, the workdir of a run, a pretrained name "
    f"({', '.join(PRETRAINED)}) or OWNER/NAME on Hugging Face"
)


def find_weights(path: str | os.PathLike[str]) -> Path:
    """Finds a weights file.

    Args:
      path: a weights file; the workdir of a run; a name of `PRETRAINED`; or OWNER/NAME
        of a repository on Hugging Face, unless a folder OWNER exists.

    Raises:
      ValueError: there is none, or a pretrained file is not installed or has another
        checksum.
    """
    file = Path(path)
    if file.is_dir():
        file = serialization.weights_file(file)
        if not file.exists():
            raise ValueError(f"no weights at {file}: has the run ended?")
    if file.exists():
        return file
    if str(path) in PRETRAINED:
        return _check_file(str(path))
    if hub.is_repository(path) and not file.parent.exists():
        return hub.fetch(str(path))
    raise ValueError(f"no weights at {path}: expected {HELP}")


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


def _check_file(name):
    """Returns a pretrained file after a test of its checksum."""
    file = FOLDER / f"{name}.safetensors"
    if not file.exists():
        raise ValueError(
            f"the weights {name} are too large for the package: pass the path of "
            f"{file.name} from cpcnn_jax/weights/files in the repository"
        )
    if hashlib.sha256(file.read_bytes()).hexdigest() != PRETRAINED[name]:
        raise ValueError(f"{file} is damaged: install cpcnn_jax again")
    return file
