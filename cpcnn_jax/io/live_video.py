"""Live video of streams and cameras, of which only the newest frame is kept."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from cpcnn_jax.io import video_container
from cpcnn_jax.io.stream_address import StreamAddress, hide_credentials

PAUSES = (1.0, 2.0, 4.0)  # seconds before each attempt to connect again
FIRST_FRAME = 3 * video_container.TIMEOUT  # seconds, of names that nobody resolves, too


class LiveFrame(NamedTuple):
    """One frame of a live video."""

    received: datetime  # in UTC, when it was decoded
    pixels: np.ndarray  # [H, W, 3] uint8 RGB, upright


class LiveVideo:
    """Decodes a stream or a camera in a thread and keeps the newest frame.

    A lost connection is opened again after each of `PAUSES`. Use `open_live`.

    Attributes:
      has_end: whether the stream has an end, as a file has; known after `wait_frame`.
    """

    def __init__(self, address: StreamAddress, notify: Callable[[str], None]) -> None:
        """Starts the thread; `notify` is called in it with sentences for the user."""
        self.has_end = False
        self._address, self._notify = address, notify
        self._changed = threading.Condition()
        self._newest: tuple[datetime, Any] | None = None  # not taken yet
        self._frames = 0  # decoded so far
        self._is_over, self._error = False, ""
        self._closed = threading.Event()
        self._started = time.monotonic()
        threading.Thread(target=self._run, daemon=True, name="live video").start()

    def wait_frame(self, stopped: Callable[[], object]) -> LiveFrame | None:
        """Waits for a frame that is newer than the last one.

        Args:
          stopped: called often; a true value ends the wait.

        Returns:
          The newest frame; None at the end of the stream, or if stopped.

        Raises:
          ValueError: the stream cannot be opened, or is lost and cannot be opened
            again. The text names it, without credentials.
        """
        with self._changed:
            while self._newest is None:
                if stopped() or self._is_over:
                    break
                waited = time.monotonic() - self._started
                if not self._frames and waited > FIRST_FRAME:
                    text = f"{self._address} has no frame after {FIRST_FRAME:.0f} s"
                    raise ValueError(text)
                self._changed.wait(0.1)  # so that Ctrl-C is noticed on each system
            if stopped() or self._newest is None:
                if self._error and not stopped():
                    raise ValueError(self._error)
                return None
            (received, frame), self._newest = self._newest, None
        return LiveFrame(received, video_container.read_pixels(frame))

    def close(self) -> None:
        """Ends the thread after its current packet; does not wait for it."""
        self._closed.set()

    def _run(self):
        """Reads the stream, and again after a pause if it is lost."""
        attempt = 0
        while True:
            before = self._frames
            reason = self._try_to_read()
            attempt = 0 if self._frames > before else attempt
            never, failed = not self._frames, attempt == len(PAUSES)
            if self._closed.is_set() or not reason or never or failed:
                break
            text = f"{reason}; it is opened again in {PAUSES[attempt]:.0f} s"
            self._notify(text)
            self._closed.wait(PAUSES[attempt])
            attempt += 1
        with self._changed:
            self._is_over, self._error = True, reason
            self._changed.notify_all()

    def _try_to_read(self):
        """Reads to the end; returns why it ended before, as a sentence, or ""."""
        try:
            return "" if self._read() else f"{self._address} has ended"
        except ValueError as error:
            return str(error)
        except Exception as error:  # else the thread would end without a word
            text = hide_credentials(str(error))
            return f"{self._address}: {type(error).__name__}: {text}"

    def _read(self):
        """Decodes all frames; returns whether the stream declared its end."""
        with video_container.open_container(self._address) as container:
            stream, _ = video_container.select_stream(
                container, self._address, survey=False
            )
            stream.thread_type = "SLICE"  # threads for frames would delay them
            self.has_end = video_container.has_end(container, self._address)
            if self.has_end:
                return True
            for frame in _decode(container, stream, self._address):
                with self._changed:
                    self._frames += 1
                    self._newest = datetime.now(UTC), frame
                    self._changed.notify_all()
                if self._closed.is_set():
                    break
            return container.duration is not None


def _decode(container, stream, address) -> Iterator[Any]:
    """Yields the frames that can be decoded."""
    av, last = video_container.import_av(address), time.monotonic()
    with video_container.name_errors(f"{address} was lost"):
        for packet in container.demux(stream):
            frames = []
            with contextlib.suppress(av.FFmpegError):  # of a packet with lost parts
                frames = packet.decode()
            if frames:
                last = time.monotonic()
                yield frames[-1]
            if time.monotonic() - last > video_container.TIMEOUT:
                raise ValueError(f"{address} has no frame that can be decoded")


@contextlib.contextmanager
def open_live(
    address: StreamAddress, notify: Callable[[str], None]
) -> Iterator[LiveVideo]:
    """Opens a stream or a camera in a thread, for the block.

    Args:
      address: the stream.
      notify: function that shows a sentence to the user; called in the thread.
    """
    live = LiveVideo(address, notify)
    try:
        yield live
    finally:
        live.close()
