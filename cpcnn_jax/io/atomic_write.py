"""Atomic file writes: a failed write leaves the previous file unchanged."""

import contextlib
import csv
import errno
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def open_atomic(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a temporary file and moves it to `path` at the end of the block.

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
    """Writes a file atomically; raises the OSError of `open_atomic`."""
    with open_atomic(path) as file:
        file.write(data)


def write_csv(path: str | os.PathLike[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes rows of values as CSV, atomically; raises OSError as `write_atomic`.

    File names that are not UTF-8 keep their bytes.
    """
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_atomic(path, text.getvalue().encode(errors="surrogateescape"))


def write_json(path: str | os.PathLike[str], value: object) -> None:
    """Writes a value as indented JSON, atomically; raises OSError as `write_atomic`."""
    write_atomic(path, (json.dumps(value, indent=2) + "\n").encode())
