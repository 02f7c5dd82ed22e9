"""Trained networks by name: where each lies, and what its file hashes to."""

import hashlib
from pathlib import Path

from cpcnn_jax.weights import compression, hub, serialization

FOLDER = Path(__file__).parent / "files"
# Name to the SHA-256 of NAME.safetensors in this folder; NAME.md is its model card.
RELEASES = {
    "shanghaitech_a": (
        "3aa170c20902eda0c2ef749ae323b7af24d59609077b7f7cca30c04b6c35d170"
    ),
    "shanghaitech_a_longer": (
        "09e45ebe7a5f82000a0a5e53ca30c03939ce2993776d03ab0d9f34ddfb020684"
    ),
    "cpcnn_plus": "2d1dd257b25d517832827ff8f29d40d805bdf682cbe575c1aefe7f78723b9745",
    "cpcnn_plus_context": (
        "4653d0ad5caaaa87b256ff05e4e70056e0a5b12f4827cc6eb7dbc3a88ab04bd5"
    ),
    "cpcnn_plus_around": (
        "14934de33227424843016f22e6f28d856617c5a1f51bb847e34dfb41442d5680"
    ),
}
# What `find` takes, for help texts.
ANY = (
    f"a weights file, the workdir of a run, a released name ({', '.join(RELEASES)}) or "
    "OWNER/NAME on Hugging Face"
)


def find(path):
    """The weights file that a user means.

    Args:
      path: of a weights file, or of the workdir of a run, which holds one; or a name of
        `RELEASES`; or OWNER/NAME of a repository on Hugging Face, unless there is a
        folder OWNER here.

    Returns:
      Its path.

    Raises:
      ValueError: there is none, or it is not the file that was released.
    """
    file = Path(path)
    if file.is_dir():
        file = serialization.weights_file(file)
        if not file.exists():
            raise ValueError(f"no weights at {file}: has the run ended?")
    if file.exists():
        return file
    if str(path) in RELEASES:
        return _checked(str(path))
    if hub.is_name(path) and not file.parent.exists():
        return hub.fetch(path)
    raise ValueError(f"no weights at {path}: expected {ANY}")


def load(path):
    """All weights of a CP-CNN, those that its file leaves out too.

    Args:
      path: as of `find`.

    Returns:
      Flat dict of float32 arrays.

    Raises:
      ValueError: as of `find`; or what is left out is not there, or is other weights.
    """
    file = find(path)
    digest, base = serialization.load_left_out(file)
    if base and base not in RELEASES:
        raise ValueError(f"{file} needs the weights {base}, which were not released")
    trained = serialization.load(file)
    if base or digest is None:
        known = load(base) if base else {}
    else:
        known = compression.imagenet(serialization.load_model(file))
    try:
        return compression.whole(trained, digest, known)
    except ValueError as error:
        source = base or serialization.VGG16
        raise ValueError(f"{file}: {source} has {error}") from None


def _checked(name):
    file = FOLDER / f"{name}.safetensors"
    if hashlib.sha256(file.read_bytes()).hexdigest() != RELEASES[name]:
        raise ValueError(f"{file} is damaged: install cpcnn_jax again")
    return file
