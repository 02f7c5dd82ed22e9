"""Files that are replaced whole or not at all: what was there outlives a full disk."""

import contextlib
from pathlib import Path


def replace(path, data: bytes):
    """Write a file beside its place and move it there.

    Args:
      path: of the file.
      data: all that it shall hold.

    Raises:
      OSError: it cannot be written, and the text names it; what was there is still.
    """
    path = Path(path)
    half = path.with_name(path.name + ".tmp")
    try:
        half.write_bytes(data)
        half.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            half.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from None
