"""Count of a video, frame by frame: count curve, table and annotated video.

After an error or Ctrl-C the results of the earlier frames are written.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from cpcnn_jax.inference import regions
from cpcnn_jax.inference.count_options import CountOptions
from cpcnn_jax.inference.counter import Counter
from cpcnn_jax.io import atomic_write
from cpcnn_jax.io import video as video_io

SMOOTHING = 1.0  # seconds, the standard deviation of the curve's Gaussian


@dataclasses.dataclass
class VideoCount:
    """Counts of a video's frames."""

    frame_step: int = 1  # frames from one counted to the next
    rate: Fraction | float = 1.0  # counted frames per second
    declared: int | None = None  # frames to count, by the file's header
    numbers: list[int] = dataclasses.field(default_factory=list)  # of frames, from 0
    seconds: list[float] = dataclasses.field(default_factory=list)  # from the start
    counts: list[float] = dataclasses.field(default_factory=list)  # people
    inside: list[dict[str, float]] = dataclasses.field(default_factory=list)  # regions

    def mean(self) -> tuple[float, dict[str, float]]:
        """Computes the means over the frames: people, and people by region."""
        names = self.inside[0]
        means = {n: float(np.mean([p[n] for p in self.inside])) for n in names}
        return float(np.mean(self.counts)), means

    def describe(self) -> str:
        """Describes the frames of the mean in a sentence."""
        number, low, high = len(self.counts), min(self.counts), max(self.counts)
        text = (
            f"the mean of {number} frames, one of every {self.frame_step}; they have "
            f"{low:,.1f} to {high:,.1f} people"
        )
        if number < (self.declared or 0):
            text += f"; the header declares {self.declared}: is the video complete?"
        return text

    def smooth(self) -> np.ndarray:
        """Smooths the counts with a Gaussian that repeats the ends; `[N]` people."""
        counts = np.asarray(self.counts, np.float64)
        sigma = SMOOTHING * float(self.rate)
        return gaussian_filter1d(counts, sigma, mode="nearest")


def count_video(
    file: str | os.PathLike[str],
    counter: Counter,
    options: CountOptions,
    *,
    name: str | os.PathLike[str],
    progress: Callable,
) -> VideoCount:
    """Counts the people in the frames of a video.

    Args:
      file: the video.
      counter: the networks.
      options: further results.
      name: relative path, without the last suffix, of the results in their folders.
      progress: function of the frames and their number, or None, that returns the
        frames and may show progress.

    Raises:
      ValueError: the file is not a video or is damaged, or a frame cannot be counted.
    """
    result, failure = VideoCount(), None
    with contextlib.ExitStack() as stack:
        video = stack.enter_context(
            video_io.open_video(file, frame_step=options.frame_step)
        )
        result.frame_step, result.rate = video.frame_step, video.rate
        result.declared = video.number
        write = _frame_writer(stack, options, name, video.rate)
        try:
            for frame in progress(video.frames, video.number):
                _count_frame(file, counter, options, frame, result, write)
        except BaseException as error:  # Ctrl-C too; raised again below
            failure = error
    if result.counts and options.count_curve:
        _write_curve(Path(options.count_curve, name), result, Path(file).name)
    if failure:
        raise failure
    return result


def _count_frame(file, counter, options, frame, result, write):
    try:
        counted = counter.count(frame.pixels, max_size=options.max_size)
        size = counted.image.size
        people = regions.count_regions(counted.density, options.regions, size=size)
    except ValueError as error:
        raise ValueError(f"{file}, frame {frame.number}: {error}") from None
    write(frame, counted, people)
    result.numbers.append(frame.number)
    result.seconds.append(frame.seconds)
    result.counts.append(counted.count)
    result.inside.append(people)


def _frame_writer(stack, options, name, rate):
    """Makes a function that adds a frame to the annotated video, if one is written."""
    if not options.overlay:
        return lambda *_: None
    # matplotlib, which is slow to import
    from cpcnn_jax.inference import overlay, video_overlay

    path, append, limit = Path(options.overlay, f"{name}.mp4"), None, 0.0

    def write(frame, counted, people):
        nonlocal append, limit
        if append is None:  # a video without frames gets no file
            path.parent.mkdir(parents=True, exist_ok=True)
            append = stack.enter_context(video_io.write_video(path, rate=rate))
        limit = max(limit, overlay.color_limit(counted.density))
        annotated = video_overlay.annotate_frame(
            counted.image.pixels,
            counted.density,
            text=f"{counted.count:,.1f} people   {frame.seconds:.1f} s",
            limit=limit,
            regions=regions.outline_regions(options.regions, people, counted.image),
        )
        append(annotated)

    return write


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
    title = f"{name}: {np.mean(result.counts):,.1f} people on average"
    png = video_overlay.plot_curve(result.seconds, result.counts, smooth, title=title)
    atomic_write.write_atomic(f"{path}.png", png)
