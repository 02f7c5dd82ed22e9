"""Reading and writing of videos by PyAV, `pip install 'cpcnn_jax[video]'`."""

import contextlib
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cpcnn_jax.io import atomic_write

SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")
DEFAULT_RATE = Fraction(25)  # frames per second of a video without a frame rate


class Frame(NamedTuple):
    """One frame of a video."""

    number: int  # index among all frames, from 0
    seconds: float  # since the start of the video
    pixels: np.ndarray  # [H, W, 3] uint8 RGB, upright


class Video(NamedTuple):
    """An open video."""

    frame_step: int  # frames from one yielded frame to the next
    rate: Fraction  # yielded frames per second
    number: int | None  # of frames to yield, if the file declares its length
    frames: Iterator[Frame]


def is_video(path: str | os.PathLike[str]) -> bool:
    """Tests whether a file name has a video suffix.

    Example:
      >>> is_video("Square.MP4"), is_video("square.jpg")
      (True, False)
    """
    return Path(path).suffix.lower() in SUFFIXES


@contextlib.contextmanager
def open_video(
    path: str | os.PathLike[str], *, frame_step: int | None = None
) -> Iterator[Video]:
    """Opens a video for reading.

    Args:
      path: the file.
      frame_step: yields each frame whose number is a multiple of this, at least 1; by
        default one frame per second.

    Yields:
      The `Video`. Its frames raise ValueError at a damaged frame. In some formats a
      truncated video ends early without an error, with fewer frames than `number`.

    Raises:
      ValueError: the file is not a video, has no video stream, or PyAV is missing.
    """
    av = _import_av(path)
    with _name_errors(av, f"{path} cannot be read as a video"):
        container = av.open(str(path), metadata_errors="replace")
    with container:
        if not container.streams.video:
            raise ValueError(f"{path} has no images, only sound or text")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        rate = stream.average_rate or DEFAULT_RATE
        frame_step = frame_step or max(1, round(rate))
        number = -(-stream.frames // frame_step) or None
        frames = _decode_frames(path, av, container, stream, frame_step, rate)
        yield Video(frame_step, rate / frame_step, number, frames)


def _decode_frames(path, av, container, stream, frame_step, rate) -> Iterator[Frame]:
    number, start = -1, None
    try:
        for number, frame in enumerate(container.decode(stream)):
            time = float(number / rate) if frame.time is None else frame.time
            start = time if start is None else start
            if number % frame_step == 0:
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
def write_video(
    path: str | os.PathLike[str], *, rate: Fraction
) -> Iterator[Callable[[np.ndarray], None]]:
    """Writes a video (MP4, H.264), atomically at the end of the block.

    Args:
      path: the file.
      rate: frames per second.

    Yields:
      A function that appends a frame `[H, W, 3]` uint8. An odd last row or column is
      dropped, and all frames are resized to the first.

    Raises:
      ValueError: the video cannot be encoded, or PyAV is not installed.
      OSError: the file cannot be written; the text names it.
    """
    av, text = _import_av(path), f"{path} cannot be written"
    with atomic_write.open_atomic(path) as file, _name_errors(av, text):
        with av.open(file, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=rate, options={"crf": "20"})
            stream.pix_fmt = "yuv420p"

            def write(pixels: np.ndarray) -> None:
                height, width = (side // 2 * 2 for side in pixels.shape[:2])
                if not stream.codec_context.is_open:
                    stream.height, stream.width = height, width
                even = np.ascontiguousarray(pixels[:height, :width])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(even, "rgb24")))

            yield write
            container.mux(stream.encode())


@contextlib.contextmanager
def _name_errors(av, text) -> Iterator[None]:
    try:
        yield
    except av.FFmpegError as error:
        raise ValueError(f"{text}: {error.strerror}") from None


def _import_av(path):
    """Imports PyAV and silences its log."""
    try:
        import av
    except ImportError:
        text = f"{path}: videos need PyAV: pip install 'cpcnn_jax[video]'"
        raise ValueError(text) from None
    av.logging.set_level(av.logging.PANIC)
    return av
