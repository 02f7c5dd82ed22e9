"""Atomic file writes: a failed write leaves the previous file unchanged.

A symbolic link stays and the file behind it is replaced. A FIFO or a device stays and
gets the content. A read-only file is refused. The path - is standard output.
"""

import contextlib
import csv
import errno
import io
import json
import os
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

STDOUT = "-"


def check_writable(path: str | os.PathLike[str]) -> None:
    """Checks that `path` can be written, before its content exists.

    Raises:
      OSError: a folder or a read-only file lies there, or its folder is missing or
        read-only; the text names the path.
    """
    if path == STDOUT:
        return
    status = _find_status(path)
    if status and stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if status and not (status.st_mode & 0o222 and os.access(path, os.W_OK)):
        raise PermissionError(errno.EACCES, "The file is read-only", str(path))
    if status is None or stat.S_ISREG(status.st_mode):
        folder = os.path.dirname(os.path.realpath(path))
        os.stat(folder)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, "The folder is read-only", str(path))


def check_not_input(
    path: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str]]
) -> None:
    """Checks that an output would not replace an input, also by a link.

    Raises:
      ValueError: `path` is one of the inputs.
    """
    real = os.path.realpath(path)
    if os.path.isfile(real) and real in map(os.path.realpath, inputs):
        raise ValueError(f"{path} is an input: write the results elsewhere")


@contextlib.contextmanager
def open_atomic(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a temporary file and moves it to `path` at the end of the block.

    Yields:
      The temporary file, open for binary writing.

    Raises:
      OSError: the file cannot be written; the text names it.
    """
    try:
        check_writable(path)
        status = os.fstat(1) if path == STDOUT else _find_status(path)
        if status is None or stat.S_ISREG(status.st_mode) and not _own_stream(status):
            with _open_beside(Path(os.path.realpath(path)), status) as file:
                yield file
        else:
            buffer = io.BytesIO()
            yield buffer
            _write_through(path, status, buffer.getbuffer())
    except OSError as error:
        number, text = error.errno or errno.EIO, error.strerror or str(error)
        raise OSError(number, text, str(path)) from None


def _find_status(path) -> os.stat_result | None:
    """Status of the file behind `path` and its links; None if it does not exist."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _open_beside(target, status):
    """Opens a new file beside `target` and moves it there at the end of the block."""
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            if status:
                os.chmod(temporary, stat.S_IMODE(status.st_mode))
            yield file
        temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _own_stream(status) -> int | None:
    """The descriptor of stdout or stderr if it is this file, as in /dev/stdout."""
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(status, os.fstat(descriptor)):
                return descriptor
    return None


def _write_through(path, status, data):
    """Writes to a FIFO, a device or an own stream, which is not truncated."""
    if descriptor := _own_stream(status):
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        with contextlib.suppress(BrokenPipeError):  # its reader has enough
            with open(os.dup(descriptor), "wb") as file:
                file.write(data)
        return
    with open(path, "wb") as file:
        file.write(data)


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
