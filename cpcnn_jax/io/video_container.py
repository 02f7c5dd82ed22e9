"""Opening of videos, streams and cameras by PyAV, `pip install 'cpcnn_jax[video]'`."""

import collections
import contextlib
import itertools
import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from cpcnn_jax.io.stream_address import CAMERA, StreamAddress

TIMEOUT = 10.0  # seconds to open a stream, and without any data of it
MAX_PIXELS = 2**26  # of a frame, 67 million; a frame of 8K has 33 million
SURVEYED_PACKETS = 2000  # of a file with several videos
_CAMERAS = {"darwin": "avfoundation", "win32": "dshow"}  # FFmpeg's names; else v4l2


def import_av(path: str | os.PathLike[str]) -> ModuleType:
    """Imports PyAV and silences its log; raises ValueError that names `path`."""
    try:
        import av
    except ImportError:
        text = f"{path}: videos need PyAV: pip install 'cpcnn_jax[video]'"
        raise ValueError(text) from None
    av.logging.set_level(None)  # others call Python in FFmpeg's threads, which may hang
    return av


@contextlib.contextmanager
def name_errors(text: str) -> Iterator[None]:
    """Raises errors of FFmpeg in the block as ValueError, with `text` before them."""
    import av

    try:
        yield
    except av.error.ExitError:  # PyAV's name for a timeout
        raise ValueError(f"{text}: no answer in {TIMEOUT:.0f} s") from None
    except av.FFmpegError as error:
        raise ValueError(f"{text}: {error.strerror}") from None


@contextlib.contextmanager
def open_container(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Opens a file, a stream or a camera; yields PyAV's container.

    Raises:
      ValueError: it cannot be opened, a stream not within `TIMEOUT`, or PyAV is
        missing. The text names it, without credentials.
    """
    av = import_av(path)
    with contextlib.ExitStack() as stack:
        if isinstance(path, StreamAddress):
            arguments, text = _describe_stream(path), f"{path} cannot be opened"
        else:
            arguments = {"file": str(path)}
            text = f"{path} cannot be read as a video"
            if not str(path).isprintable():  # PyAV encodes names as UTF-8
                arguments["file"] = stack.enter_context(open(path, "rb"))
        with name_errors(text):
            container = stack.enter_context(
                av.open(metadata_errors="replace", **arguments)
            )
        yield container


def _describe_stream(address: StreamAddress) -> dict[str, Any]:
    """The arguments of `av.open` for a stream or a camera."""
    timeouts = {"timeout": (TIMEOUT, TIMEOUT)}
    if address.is_camera:
        system = _CAMERAS.get(sys.platform, "v4l2")
        file = _name_camera(system, address.url[len(CAMERA) :])
        options = {"framerate": "30"} if system == "avfoundation" else {}
        return {"file": file, "format": system, "options": options, **timeouts}
    options = {"timeout": str(int(TIMEOUT * 1e6))}  # microseconds, of each socket
    if address.url.lower().startswith("rtsp"):
        options["rtsp_flags"] = "prefer_tcp"  # UDP loses parts of frames
    return {"file": address.url, "options": options, **timeouts}


def _name_camera(system, name):
    """FFmpeg's name of a camera that is given by its number or its name."""
    if system == "avfoundation":
        return f"{name}:none"  # no sound
    if system == "v4l2":
        return f"/dev/video{name}" if name.isdecimal() else name
    if name.isdecimal():
        name = _list_cameras(system, name)[int(name)]
    return f"video={name}"


def _list_cameras(system, number):
    """Names of the cameras, which are more than `number`."""
    import av

    list_devices = getattr(av, "enumerate_input_devices", None)  # since PyAV 16
    devices = list_devices(system) if list_devices else []
    names = [device.name for device in devices if "video" in device.media_types]
    if int(number) < len(names):
        return names
    text = f"camera:{number} is not one of {len(names)} cameras"
    raise ValueError(f"{text}; a name is possible, too, as camera:NAME")


def select_stream(
    container: Any, path: str | os.PathLike[str], *, survey: bool = True
) -> tuple[Any, str | None]:
    """Selects the video among the streams of pictures.

    Args:
      container: of `open_container`.
      path: its file or address.
      survey: whether the packets of several videos are counted, for which the file is
        opened again.

    Returns:
      PyAV's stream, and a note on the choice for the user.

    Raises:
      ValueError: there is no video, it cannot be decoded, or it is too large.
    """
    import av

    kinds = av.stream.Disposition
    stills = kinds.attached_pic | kinds.timed_thumbnails | kinds.still_image
    streams = [s for s in container.streams.video if not s.disposition & stills]
    if not streams:
        raise ValueError(f"{path} has no video, only sound, text or still pictures")
    streams = [stream for stream in streams if stream.codec_context]
    if not streams:
        raise ValueError(f"{path} has a video that FFmpeg cannot decode")
    if len(streams) > 1 and survey:  # a cover picture may be declared as a video
        numbers = _count_packets(path)
        streams = [s for s in streams if numbers[s.index] > 1] or streams
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    if stream.width * stream.height > MAX_PIXELS:
        raise ValueError(f"{path} has more than {MAX_PIXELS:,} pixels in a frame")
    stream.codec_context.options = {"max_pixels": str(2 * MAX_PIXELS)}  # padded
    note = (
        f"{path} has {len(streams)} videos: number {streams.index(stream) + 1}, of "
        f"{stream.width}x{stream.height} pixels, is counted"
    )
    return stream, note if len(streams) > 1 else None


def _count_packets(path) -> collections.Counter[int]:
    """Counts the packets of each stream at the start of a file."""
    import av

    with open_container(path) as container, contextlib.suppress(av.FFmpegError):
        packets = itertools.islice(container.demux(), SURVEYED_PACKETS)
        return collections.Counter(p.stream.index for p in packets if p.size)
    return collections.Counter()


def has_end(container: Any, address: StreamAddress) -> bool:
    """Tests whether an open stream is a file with an end, by its length or size.

    Raises:
      ValueError: it is an image.
    """
    if address.is_camera or not address.url.lower().startswith("http"):
        return False
    name = container.format.name
    sized = container.size > 0 and "hls" not in name  # that is its list's size
    if sized and (name.endswith("_pipe") or name == "image2"):
        text = f"{address} is an image: save it first, as images are counted from files"
        raise ValueError(text)
    return sized or container.duration is not None


def read_pixels(frame: Any) -> np.ndarray:
    """Converts PyAV's frame to `[H, W, 3]` uint8 RGB, upright."""
    upright = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    return np.ascontiguousarray(upright)
