"""Standard output and standard error that outlive their reader."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any


class _Pipe(io.RawIOBase):
    """A stream's descriptor; what it refuses is dropped, and the first error kept."""

    error: OSError | None = None  # except that a pipe is closed
    is_closed = False  # by its reader

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        try:
            return os.write(self._descriptor, data)
        except BrokenPipeError:
            self.is_closed = True
            return len(data)
        except OSError as error:  # such as a full disk
            self.error = self.error or error
            return len(data)


def finish_output(status: int) -> int:
    """Writes what is buffered, and reports output that could not be written.

    Args:
      status: the exit status so far.

    Returns:
      The exit status, 1 in place of 0 if output was lost.
    """
    sys.stdout.flush()
    pipe = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not (isinstance(pipe, _Pipe) and pipe.error):
        return status
    print(f"the output cannot be written: {pipe.error.strerror}", file=sys.stderr)
    return status or 1


def is_output_closed() -> bool:
    """Tests whether the reader of standard output has gone."""
    pipe = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return isinstance(pipe, _Pipe) and pipe.is_closed


@contextlib.contextmanager
def redirect_messages(*results: str | None) -> Iterator[None]:
    """Prints to standard error in the block if a result goes to standard output.

    Args:
      results: paths of results; - is standard output.
    """
    if "-" not in results:
        yield
        return
    sys.stdout.flush()
    with contextlib.redirect_stdout(sys.stderr):
        yield


def tolerate_closed_pipes() -> None:
    """Lets a command work on after its output was closed, or its disk is full.

    `finish_output` reports lost output. Text that the encoding of the stream lacks is
    written with backslashes.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.flush()
            pipe = io.BufferedWriter(_Pipe(stream.fileno()))
            text = io.TextIOWrapper(pipe, stream.encoding, errors="backslashreplace")
            text.reconfigure(line_buffering=True)  # lines of long work reach a log
            setattr(sys, name, text)
