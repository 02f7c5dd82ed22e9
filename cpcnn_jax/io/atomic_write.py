"""Atomic file writes: a failed write leaves the previous file unchanged."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def open_atomic(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a temporary file and moves it to `path` at the end of the block.

    Args:
      path: the file to write.

    Yields:
      The temporary file, open for binary writing.

    Raises:
      OSError: the file cannot be written; the text names it.
    """
    path = Path(path)
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
        temporary.replace(path)
    except OSError as error:
        number, text = error.errno or errno.EIO, error.strerror or str(error)
        raise OSError(number, text, str(path)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file atomically.

    Args:
      path: the file to write.
      data: the content of the file.

    Raises:
      OSError: the file cannot be written; the text names it.
    """
    with open_atomic(path) as file:
        file.write(data)
