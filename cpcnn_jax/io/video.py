"""Reading and writing of videos by PyAV, `pip install 'cpcnn_jax[video]'`."""

import contextlib
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cpcnn_jax.io import atomic_write, video_container
from cpcnn_jax.io.stream_address import StreamAddress

SUFFIXES = tuple(
    ".3g2 .3gp .asf .avi .divx .dv .f4v .flv .m2t .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg "
    ".mts .mxf .ogv .ts .vob .webm .wmv".split()
)
DEFAULT_RATE = Fraction(25)  # frames per second of a video without a frame rate
MAX_GAP = 3600.0  # seconds; time stamps that differ more do not belong together
_TOLERANCE = 1e-3  # seconds, to which Matroska rounds time stamps


class Frame(NamedTuple):
    """One frame of a video."""

    number: int  # index among all frames, from 0
    seconds: float  # since the start of the video
    pixels: np.ndarray  # [H, W, 3] uint8 RGB, upright


class Video(NamedTuple):
    """An open video."""

    rate: Fraction  # yielded frames per second; their average with a frame step
    number: int | None  # of frames to yield, if the file declares its length
    frames: Iterator[Frame]
    note: str | None  # sentence for the user


def is_video(path: str | os.PathLike[str]) -> bool:
    """Tests whether a file name has a video suffix, or is the address of a stream.

    Example:
      >>> is_video("Square.MP4"), is_video("square.jpg")
      (True, False)
    """
    return isinstance(path, StreamAddress) or Path(path).suffix.lower() in SUFFIXES


@contextlib.contextmanager
def open_video(
    path: str | os.PathLike[str], *, frame_step: int | None = None
) -> Iterator[Video]:
    """Opens a video for reading.

    Cover pictures, thumbnails and stills are not read. Of several videos in a file the
    one that FFmpeg rates best is read, with a note.

    Args:
      path: the file, or the address of a stream that has an end.
      frame_step: yields each frame whose number is a multiple of this, at least 1. By
        default the frame that is shown at each whole second is yielded, by the time
        stamps of the frames. A frame that is shown for several seconds is repeated.

    Yields:
      The `Video`. Its frames raise ValueError at a damaged frame. In some formats a
      truncated video ends early without an error, with fewer frames than `number`.

    Raises:
      ValueError: the file is not a video, has no video stream, or PyAV is missing.
    """
    av = video_container.import_av(path)
    with video_container.open_container(path) as container:
        if isinstance(path, StreamAddress):
            if not video_container.has_end(container, path):
                raise ValueError(f"{path} has no end: give it as the only PATH")
        stream, note = video_container.select_stream(container, path)
        stream.thread_type = "AUTO"
        rate = stream.average_rate or DEFAULT_RATE
        if not rate * Fraction(MAX_GAP) >= 1:  # of a damaged header
            rate = DEFAULT_RATE
        frames = _decode_frames(path, av, container, stream, rate)
        if frame_step is None:
            seconds = stream.duration and int(stream.duration * stream.time_base)
            yield Video(Fraction(1), seconds or None, _sample_seconds(frames), note)
        else:
            number = -(-stream.frames // frame_step) or None
            chosen = (_convert(f) for f in frames if f.number % frame_step == 0)
            yield Video(rate / frame_step, number, chosen, note)


class _Decoded(NamedTuple):
    """A frame as PyAV decodes it."""

    number: int
    seconds: float  # since the start of the video
    duration: float  # seconds
    frame: Any


def _convert(decoded: _Decoded) -> Frame:
    pixels = video_container.read_pixels(decoded.frame)
    return Frame(decoded.number, decoded.seconds, pixels)


def _decode_frames(path, av, container, stream, rate) -> Iterator[_Decoded]:
    """Decodes all frames; time goes on by the last step where the time stamps jump."""
    number, seconds, step, last = -1, 0.0, float(1 / rate), None
    try:
        for number, frame in enumerate(container.decode(stream)):
            if number:
                known = None not in (frame.time, last)
                if known and 0 <= frame.time - last <= MAX_GAP:
                    step = frame.time - last
                seconds += step
            last = frame.time
            duration = float((frame.duration or 0) * (frame.time_base or 0))
            shown = duration if 0 < duration <= MAX_GAP else step
            yield _Decoded(number, seconds, shown, frame)
    except (av.FFmpegError, LookupError) as error:  # of a stream that was not declared
        text = getattr(error, "strerror", error)
        message = f"{path} is damaged after {number + 1} frames: {text}"
        raise ValueError(message) from None
    if number < 0:
        raise ValueError(f"{path} has no frames")


def _sample_seconds(frames: Iterator[_Decoded]) -> Iterator[Frame]:
    """Yields the frame that is shown at each whole second, also before an error."""
    second, failures = 0, list[ValueError]()  # the name of one would hold this frame
    shown: Any = None

    def repeat(until):
        """Yields the shown frame at the whole seconds before a time."""
        nonlocal second
        if second < until - _TOLERANCE:
            frame = _convert(shown)
        while second < until - _TOLERANCE:
            yield frame._replace(seconds=float(second))
            second += 1

    try:
        for following in frames:
            if shown:
                yield from repeat(following.seconds)
            shown = following
    except ValueError as error:
        failures.append(error)
    if shown:
        yield from repeat(shown.seconds + shown.duration)
    if failures:
        raise failures.pop()


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
    av, text = video_container.import_av(path), f"{path} cannot be written"
    with atomic_write.open_atomic(path) as file, video_container.name_errors(text):
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
