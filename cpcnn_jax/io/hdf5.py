"""HDF5 files from elsewhere: only arrays that lie in the file itself are read.

Needs h5py: `pip install 'cpcnn_jax[convert]'`.
"""

import contextlib
from pathlib import Path


@contextlib.contextmanager
def open_hdf5(path):
    """Opens a file to read; what is wrong with it is a ValueError that names it.

    Args:
      path: the file.

    Yields:
      An `h5py.File`.

    Raises:
      ValueError: no such file, h5py is not installed, or it is no HDF5.
    """
    try:
        import h5py
    except ImportError:
        raise ValueError(
            f"reading {path} needs h5py: pip install 'cpcnn_jax[convert]'"
        ) from None
    if not Path(path).is_file():
        raise ValueError(f"no file at {path}")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError) as error:  # h5py's words for damage
        raise ValueError(f"{path} cannot be read as HDF5: {error}") from None


def read_array(file, name):
    """An array of the file, not yet read.

    Args:
      file: from `open_hdf5`.
      name: of the array.

    Returns:
      An `h5py.Dataset`; None where the file has none of that name.

    Raises:
      ValueError: it, or a part of it, lies in another file, which may be any of this
        machine's.
    """
    found = file.get(name)
    if not hasattr(found, "shape"):
        return None
    if found.file != file or found.external or found.is_virtual:
        raise ValueError(f"{file.filename}: {name} lies in another file; refused")
    return found
