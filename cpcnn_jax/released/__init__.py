"""Trained networks that have a name: what each is, where it lies, what it hashes to."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from cpcnn_jax.released import hub

FOLDER = Path(__file__).parent


class Release(NamedTuple):
    """A file NAME.safetensors in this folder; NAME.md beside it is its model card."""

    sha256: str  # of the file
    about: str


RELEASES = {}


def find(name):
    """The weights file that a name stands for.

    Args:
      name: of `RELEASES`, or OWNER/NAME of a repository on Hugging Face, unless there
        is a folder OWNER here.

    Returns:
      Its path.

    Raises:
      ValueError: no such name, or its file is not the one that was released.
    """
    if hub.is_name(name) and not Path(name).parent.exists():
        return hub.fetch(name)
    if str(name) not in RELEASES:
        raise ValueError(
            f"no weights at {name}: expected a weights.safetensors file, the workdir "
            f"of a run, a released name ({', '.join(RELEASES) or 'none yet'}) or "
            "OWNER/NAME on Hugging Face"
        )
    file = FOLDER / f"{name}.safetensors"
    if hashlib.sha256(file.read_bytes()).hexdigest() != RELEASES[str(name)].sha256:
        raise ValueError(f"{file} is damaged: install cpcnn_jax again")
    return file
