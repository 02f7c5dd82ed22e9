"""Trained networks by name: where each lies, and what its file hashes to."""

import hashlib
from pathlib import Path

from cpcnn_jax.weights import compression, hub, serialization

FOLDER = Path(__file__).parent / "files"
# Name to the SHA-256 of NAME.safetensors in this folder; NAME.md is its model card.
RELEASES = {
    "shanghaitech_a": (
        "3268bedd1a9ad7e4abeec68b8eaeed1af4d4e6a53e315737a40fce9ee39f6b42"
    ),
    "shanghaitech_a_longer": (
        "363f74a6a23fcb85dbf39621698833e8a94e943a36061c3fae6ef7a14653227c"
    ),
    "cpcnn_plus": "fec959ce69bd6b5b0932a24f8efdd01d7d677b8847cacdf0e58a31688e5a3a9c",
    "cpcnn_plus_context": (
        "259691f069ca46f0b9e8dab9405378c41112491f71371686af1b6a90bb10c282"
    ),
    "cpcnn_plus_around": (
        "2b905e0a7a0370f51ff117167bcb307d7780dcfdaf9a6433aedd7fc19bffa845"
    ),
}
# What `find_weights` takes, for help texts.
ANY = (
    f"a weights file, the workdir of a run, a released name ({', '.join(RELEASES)}) or "
    "OWNER/NAME on Hugging Face"
)


def find_weights(path):
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


def load_params(path):
    """All weights of a CP-CNN, those that its file leaves out too.

    Args:
      path: as of `find_weights`.

    Returns:
      Flat dict of float32 arrays.

    Raises:
      ValueError: as `find_weights`, or the omitted arrays are not there.
    """
    file = find_weights(path)
    digest, base = serialization.load_left_out(file)
    if base and base not in RELEASES:
        raise ValueError(f"{file} needs the weights {base}, which were not released")
    trained = serialization.load(file)
    if base or digest is None:
        known = load_params(base) if base else {}
    else:
        known = compression.imagenet_params(serialization.load_model(file))
    try:
        return compression.decompress(trained, digest, known)
    except ValueError as error:
        source = base or serialization.VGG16
        raise ValueError(f"{file}: {source} has {error}") from None


def _checked(name):
    file = FOLDER / f"{name}.safetensors"
    if hashlib.sha256(file.read_bytes()).hexdigest() != RELEASES[name]:
        raise ValueError(f"{file} is damaged: install cpcnn_jax again")
    return file
