"""HDF5 files of other projects, restricted to arrays stored in the file itself.

Requires h5py: `pip install 'cpcnn_jax[convert]'`.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def open_hdf5(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Opens an HDF5 file for reading, as an `h5py.File`.

    Raises:
      ValueError: the file is missing or not HDF5, or h5py is not installed.
    """
    try:
        import h5py
    except ImportError:
        text = f"reading {path} needs h5py: pip install 'cpcnn_jax[convert]'"
        raise ValueError(text) from None
    if not Path(path).is_file():
        raise ValueError(f"no file at {path}")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError) as error:  # h5py raises both for damaged files
        raise ValueError(f"{path} cannot be read as HDF5: {error}") from None


def read_array(file: Any, name: str) -> Any:
    """Finds an array of a file from `open_hdf5` without reading its values.

    Returns:
      An `h5py.Dataset`, or None if the file has no array of that name.

    Raises:
      ValueError: the array, or a part of it, lies in another file of this machine.
    """
    dataset = file.get(name)
    if not hasattr(dataset, "shape"):
        return None
    if dataset.file != file or dataset.external or dataset.is_virtual:
        raise ValueError(f"{file.filename}: {name} lies in another file; refused")
    return dataset
