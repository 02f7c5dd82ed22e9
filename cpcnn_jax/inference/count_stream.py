"""Counts of a live video: the newest frame, once each period."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from cpcnn_jax.inference import regions
from cpcnn_jax.inference.count_options import CountOptions
from cpcnn_jax.inference.counter import Counter
from cpcnn_jax.io.live_video import LiveFrame, LiveVideo

COLUMNS = (
    *("time", "count", "low", "high"),
    *("seconds", "width", "height", "weights"),
)


@dataclasses.dataclass
class StreamCount:
    """Result of one frame."""

    received: datetime  # in UTC, of the frame
    count: float  # people
    low: float | None  # people, ends of the interval of the count
    high: float | None
    seconds: float  # from the frame to its count
    computing: float  # seconds of the count alone
    width: int  # pixels of the upright frame
    height: int
    weights: str  # name of the weights that counted
    # People by region; None for one that does not fit the frame.
    regions: dict[str, float | None]

    def cells(self) -> list[object]:
        """The row of a table with `COLUMNS` and the regions."""
        when = self.received.isoformat(timespec="milliseconds")
        named = [getattr(self, name) for name in COLUMNS[1:]]
        return [when, *named, *self.regions.values()]


def count_stream(
    live: LiveVideo,
    first: LiveFrame,
    counter: Counter,
    options: CountOptions,
    *,
    period: float,
    stopped: Callable[[], object],
) -> Iterator[StreamCount]:
    """Counts the newest frame of a live video, once each period.

    A count that takes longer than the period is followed by that of the frame which is
    the newest then, so that the counts never lag.

    Args:
      live: the video.
      first: its first frame.
      counter: the networks.
      options: the regions and the largest size of an image.
      period: seconds from the start of one count to the next.
      stopped: a true value ends the counting.

    Raises:
      ValueError: the stream is lost, or a frame cannot be counted.
    """
    frame: LiveFrame | None = first
    due = time.monotonic()
    while frame is not None and not stopped():
        yield _count_frame(frame, counter, options)
        due = max(due + period, time.monotonic())  # at once if it is late
        while (left := due - time.monotonic()) > 0 and not stopped():
            time.sleep(min(left, 0.1))  # so that Ctrl-C is noticed
        frame = live.wait_frame(stopped)


def _count_frame(frame, counter, options):
    began = time.monotonic()
    counted = counter.count(frame.pixels, max_size=options.max_size)
    computing = time.monotonic() - began
    height, width = size = counted.image.size
    passed = datetime.now(UTC) - frame.received
    people, _ = regions.count_fitting(counted.density, options.regions, size=size)
    return StreamCount(
        frame.received,
        *(counted.count, counted.low, counted.high),
        *(passed.total_seconds(), computing),
        *(width, height, counter.name),
        regions=people,
    )
