"""CSV tables that get their rows one by one."""

import contextlib
import csv
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence

from cpcnn_jax.io.atomic_write import STDOUT


@contextlib.contextmanager
def append_csv(
    path: str | os.PathLike[str], columns: Sequence[str]
) -> Iterator[Callable[[Sequence[object]], None]]:
    """Opens a CSV file for rows that are written at once.

    Args:
      path: the file; - is standard output. A file with the same columns is continued.
      columns: names of the columns.

    Yields:
      A function that appends a row and flushes it. It raises BrokenPipeError if the
      reader of a pipe has gone.

    Raises:
      ValueError: the file has other columns.
      OSError: the file cannot be written; the text names it.
    """
    header = _format_row(columns)
    start = _find_start(path, header) if os.path.isfile(path) else header
    with contextlib.ExitStack() as stack:

        def write(data: bytes) -> None:
            try:
                file.write(data)
                file.flush()
            except BrokenPipeError:
                raise
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(path)) from None

        file = _open(path)
        stack.callback(_close, file)
        write(start)
        yield lambda row: write(_format_row(row))


def _open(path):
    if path != STDOUT:
        return open(path, "ab")
    sys.stdout.flush()
    return os.fdopen(os.dup(1), "wb")


def _close(file):
    """Closes a file; an error of its rows was already raised."""
    with contextlib.suppress(OSError):
        file.close()


def _format_row(row):
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(row)
    return text.getvalue().encode(errors="surrogateescape")


def _find_start(path, header):
    """Returns the bytes between the content of an existing file and a new row."""
    with open(path, "rb") as file:
        first = file.readline()
        if first and first.rstrip(b"\r\n") != header.rstrip(b"\n"):
            text = "has other columns than this table: give another file"
            raise ValueError(f"{path} {text}")
        file.seek(0, os.SEEK_END)
        if not file.tell():
            return header
        file.seek(-1, os.SEEK_END)
        return b"" if file.read() == b"\n" else b"\n"  # of a row that was cut
