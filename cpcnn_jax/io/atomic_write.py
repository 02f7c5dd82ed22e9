"""Files that are replaced whole or not at all: what was there outlives a full disk."""

import contextlib
import errno
from pathlib import Path


@contextlib.contextmanager
def open_atomic(path):
    """Write a file beside its place and move it there at the end.

    Args:
      path: of the file.

    Yields:
      An open binary file.

    Raises:
      OSError: it cannot be written, and the text names it; what was there is still.
    """
    path = Path(path)
    half = path.with_name(path.name + ".tmp")
    try:
        with open(half, "wb") as file:
            yield file
        half.replace(path)
    except OSError as error:
        number, text = error.errno or errno.EIO, error.strerror or str(error)
        raise OSError(number, text, str(path)) from None
    finally:
        with contextlib.suppress(OSError):
            half.unlink(missing_ok=True)


def write_atomic(path, data: bytes):
    """Write a whole file, as `open_atomic` does.

    Args:
      path: of the file.
      data: all that it shall hold.

    Raises:
      OSError: as there.
    """
    with open_atomic(path) as file:
        file.write(data)
