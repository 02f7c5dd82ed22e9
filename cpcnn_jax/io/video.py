"""Films: their frames as photographs, and frames as a film.

Needs PyAV, which brings ffmpeg's libraries: `pip install 'cpcnn_jax[video]'`.
"""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cpcnn_jax.io import atomic_write

SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")
RATE = Fraction(25)  # frames per second of a film that does not say


class Frame(NamedTuple):
    """One picture of a film."""

    number: int  # from 0, of all frames
    seconds: float  # from the film's start
    pixels: np.ndarray  # [H, W, 3] uint8 RGB, upright


class Video(NamedTuple):
    """A film that is open."""

    every: int  # frames from one that is taken to the next
    rate: Fraction  # frames that are taken, per second
    number: int | None  # of frames that will be taken, if the film is as it says
    frames: Iterator[Frame]


def is_video(path):
    """Whether a file's name ends as those of films do.

    Args:
      path: of any file.

    Example:
      >>> is_film("Square.MP4"), is_video("square.jpg")
      (True, False)
    """
    return Path(path).suffix.lower() in SUFFIXES


@contextlib.contextmanager
def open_video(path, *, every=None):
    """Open a film to read.

    Args:
      path: of the file.
      every: take each frame whose number is a multiple of this. None: one per second.

    Yields:
      The `Video`; its frames raise ValueError where a frame is damaged. One that was
      cut      short ends where it ends, if its format allows: compare its number.

    Raises:
      ValueError: it is no film, has no pictures, or PyAV is not installed; the text
        names the file.
    """
    av = _av(path)
    try:
        container = av.open(str(path), metadata_errors="replace")
    except av.FFmpegError as error:
        raise ValueError(f"{path} cannot be read as a film: {error.strerror}") from None
    with container:
        if not container.streams.video:
            raise ValueError(f"{path} has no pictures, only sound or text")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        rate = stream.average_rate or RATE
        every = every or max(1, round(rate))
        number = -(-stream.frames // every) or None
        frames = _frames(path, av, container, stream, every, rate)
        yield Video(every, rate / every, number, frames)


def _frames(path, av, container, stream, every, rate):
    number, start = -1, None
    try:
        for number, frame in enumerate(container.decode(stream)):
            time = float(number / rate) if frame.time is None else frame.time
            start = time if start is None else start
            if number % every == 0:
                pixels = frame.to_ndarray(format="rgb24")
                upright = np.rot90(pixels, round(frame.rotation / 90))
                yield Frame(number, time - start, np.ascontiguousarray(upright))
    except av.FFmpegError as error:
        raise ValueError(
            f"{path} is damaged after {number + 1} frames: {error.strerror}"
        ) from None
    if number < 0:
        raise ValueError(f"{path} has no frames")


@contextlib.contextmanager
def write_video(path, *, rate):
    """Write a film (MP4, H.264); it is there when the block ends without an error.

    Args:
      path: of the file.
      rate: frames per second, a Fraction.

    Yields:
      write(pixels): `[H, W, 3]` uint8, of which an odd last row or column is not shown;
      all are scaled to the size of the first.

    Raises:
      ValueError: it cannot be written, or PyAV is not installed.
      OSError: likewise, as the disk says it.
    """
    av = _av(path)
    with atomic_write.open_atomic(path) as file, _naming(path, av):
        with av.open(file, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=rate, options={"crf": "20"})
            stream.pix_fmt = "yuv420p"

            def write(pixels):
                height, width = (side // 2 * 2 for side in pixels.shape[:2])
                if not stream.codec_context.is_open:
                    stream.height, stream.width = height, width
                shown = np.ascontiguousarray(pixels[:height, :width])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, "rgb24")))

            yield write
            container.mux(stream.encode())


@contextlib.contextmanager
def _naming(path, av):
    try:
        yield
    except av.FFmpegError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from None


def _av(path):
    try:
        import av
    except ImportError:
        raise ValueError(
            f"{path}: films need PyAV: pip install 'cpcnn_jax[video]'"
        ) from None
    av.logging.set_level(av.logging.PANIC)  # what matters is an error here
    return av
