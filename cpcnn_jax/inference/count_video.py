"""Count of a video, frame by frame: count curve, table and annotated video.

After an error or Ctrl-C the results of the earlier frames are written.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from cpcnn_jax.inference import color_scale, regions
from cpcnn_jax.inference.count_options import CountOptions
from cpcnn_jax.inference.counter import Count, Counter
from cpcnn_jax.inference.people import format_people
from cpcnn_jax.io import atomic_write
from cpcnn_jax.io import video as video_io

SMOOTHING = 5.0  # seconds, of each parabola that is fitted to the counts


@dataclasses.dataclass
class VideoCount:
    """Counts of a video's frames."""

    frame_step: int | None = None  # frames from one counted to the next; None: seconds
    rate: Fraction | float = 1.0  # counted frames per second
    declared: int | None = None  # frames to count, by the file's header
    note: str | None = None  # sentence on the choice of the video
    failures: list[str] = dataclasses.field(default_factory=list)  # unwritten results
    numbers: list[int] = dataclasses.field(default_factory=list)  # of frames, from 0
    seconds: list[float] = dataclasses.field(default_factory=list)  # from the start
    counts: list[float] = dataclasses.field(default_factory=list)  # people
    # People by region; None for one that does not fit the frame.
    inside: list[dict[str, float | None]] = dataclasses.field(default_factory=list)
    misfits: set[str] = dataclasses.field(default_factory=set)  # of regions
    last: Any = None  # the last frame's result and its people in regions

    def mean(self) -> tuple[float, dict[str, float | None]]:
        """Computes the means over the counts: people, and people by region."""
        means: dict[str, float | None] = {}
        for name in self.inside[0]:
            people = [number for p in self.inside if (number := p[name]) is not None]
            means[name] = float(np.mean(people)) if people else None
        return float(np.mean(self.counts)), means

    def describe(self) -> str:
        """Describes the frames of the mean in a sentence."""
        number, low, high = len(self.counts), min(self.counts), max(self.counts)
        step = f"of every {self.frame_step}" if self.frame_step else "per second"
        who = "they have" if number > 1 else "it has"
        ends = dict.fromkeys([format_people(low), format_people(high)])
        text = (
            f"the mean of {number} frame{'s' * (number > 1)}, one {step}; {who} "
            f"{' to '.join(ends)} people"
        )
        if number < (self.declared or 0):
            text += f"; the header declares {self.declared}: is the video complete?"
        return text

    def smooth(self) -> np.ndarray:
        """Smooths the counts; `[N]` people.

        A parabola is fitted to five seconds around each frame, or to three frames if
        these are more. Peaks that last a few seconds keep their height.

        Reference: Savitzky & Golay, Analytical Chemistry 36(8), 1964.
        """
        from scipy.signal import savgol_filter  # takes a second

        counts = np.asarray(self.counts, np.float64)
        frames = max(2 * round(SMOOTHING * float(self.rate) / 2) + 1, 3)
        frames = min(frames, len(counts) - 1 + len(counts) % 2)
        return savgol_filter(counts, frames, 2) if frames > 2 else counts

    def peak(self) -> tuple[float, float]:
        """Finds the largest count: people, and seconds from the start."""
        index = int(np.argmax(self.counts))
        return self.counts[index], self.seconds[index]


def count_video(
    file: str | os.PathLike[str],
    counter: Counter,
    options: CountOptions,
    result: VideoCount,
    *,
    name: str | os.PathLike[str],
    progress: Callable,
) -> None:
    """Counts the people in the frames of a video.

    Args:
      file: the video.
      counter: the networks.
      options: further results.
      result: the counts are added to it, and stand if an error is raised.
      name: relative path, without the last suffix, of the results in their folders.
      progress: function of the frames and their number, or None, that returns the
        frames and may show progress.

    Raises:
      ValueError: the file is not a video or is damaged, or a frame cannot be counted.
    """
    errors: list[BaseException] = []  # the name of one would hold this frame
    with video_io.open_video(file, frame_step=options.frame_step) as video:
        result.rate, result.declared, result.note = video.rate, video.number, video.note
        with _AnnotatedVideo(options, name, video.rate, result.failures) as annotated:
            try:
                for frame in progress(video.frames, video.number):
                    counted = count_frame(file, counter, options, frame, result)
                    annotated.add(frame, *counted)
            except BaseException as error:  # Ctrl-C too; raised again below
                errors.append(error)
    if result.counts and options.count_curve:
        with _keep_failure("the curve", result.failures):
            _write_curve(Path(options.count_curve, name), result, Path(file).name)
    if errors:
        raise errors.pop()


def count_frame(
    file: str | os.PathLike[str],
    counter: Counter,
    options: CountOptions,
    frame: video_io.Frame,
    result: VideoCount,
) -> tuple[Count, dict[str, float | None]]:
    """Counts a frame and adds it to a result; one that is shown longer is not repeated.

    Args:
      file: the video, for errors.
      counter: the networks.
      options: the regions and the largest size of an image.
      frame: the frame.
      result: the count of the frames before it.

    Returns:
      The frame's count, and its people by region.

    Raises:
      ValueError: the frame cannot be counted. The text names it.
    """
    if not (result.numbers and result.numbers[-1] == frame.number):
        try:
            counted = counter.count(frame.pixels, max_size=options.max_size)
            size = counted.image.size
            people, misfits = regions.count_fitting(
                counted.density, options.regions, size=size
            )
        except ValueError as error:
            raise ValueError(f"{file}, frame {frame.number}: {error}") from None
        result.last = counted, people
        result.misfits.update(misfits)
    counted, people = result.last
    result.numbers.append(frame.number)
    result.seconds.append(frame.seconds)
    result.counts.append(counted.count)
    result.inside.append(people)
    return counted, people


@contextlib.contextmanager
def _keep_failure(what, failures):
    """Keeps an error of a result beside the count, which stands without it."""
    try:
        yield
    except Exception as error:
        failures.append(f"{what} cannot be written: {error}")


class _AnnotatedVideo(contextlib.ExitStack):
    """Writer of the counted frames, if requested; its first error ends the drawing."""

    def __init__(self, options, name, rate, failures):
        super().__init__()
        self._options, self._rate, self._failures = options, rate, failures
        self._path = Path(options.overlay or "", f"{name}.mp4")
        self._append, self._end = None, 0.0

    def add(self, frame, counted, people):
        """Draws a counted frame and appends it."""
        if self._options.overlay and not self._failures:
            with _keep_failure("the overlay", self._failures):
                self._draw(frame, counted, people)

    def _draw(self, frame, counted, people):
        # matplotlib, which is slow to import
        from cpcnn_jax.inference import video_overlay

        if self._append is None:  # a video without frames gets no file
            self._path.parent.mkdir(parents=True, exist_ok=True)
            writer = video_io.write_video(self._path, rate=self._rate)
            self._append = self.enter_context(writer)
        self._end = max(self._end, color_scale.scale_end(counted.density))
        options, image = self._options, counted.image
        annotated = video_overlay.annotate_frame(
            image.pixels,
            counted.density,
            text=f"{format_people(counted.count)} people   {frame.seconds:.1f} s",
            end=self._end,
            regions=regions.outline_regions(options.regions, people, image),
        )
        self._append(annotated)

    def __exit__(self, *error):
        """Completes the file."""
        with _keep_failure("the overlay", self._failures):
            super().__exit__(*error)


def _write_curve(path, result, name):
    """Writes PATH.csv, a row per frame, and PATH.png, the curve."""
    from cpcnn_jax.inference import video_overlay

    path.parent.mkdir(parents=True, exist_ok=True)
    smooth = result.smooth()
    table = [["frame", "seconds", "count", "smoothed", *result.inside[0]]]
    columns = (result.numbers, result.seconds, result.counts, smooth, result.inside)
    for number, seconds, count, mean, people in zip(*columns, strict=True):
        table.append([number, seconds, count, float(mean), *people.values()])
    atomic_write.write_csv(f"{path}.csv", table)
    most, when = result.peak()
    title = (
        f"{name}: {format_people(np.mean(result.counts))} people on average, at most "
        f"{format_people(most)} after {when:.0f} s"
    )
    png = video_overlay.plot_curve(result.seconds, result.counts, smooth, title=title)
    atomic_write.write_atomic(f"{path}.png", png)
