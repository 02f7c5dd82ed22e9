"""One film, counted frame by frame: its curve, its table, and the film annotated.

Whatever ends it, damage or Ctrl-C, what was made of the frames before is written.
"""

import contextlib
import csv
import dataclasses
import io
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from cpcnn_jax.inference import counter, regions
from cpcnn_jax.io import atomic_write
from cpcnn_jax.io import video as video_io

SMOOTHING = 1.0  # seconds, the standard deviation of the curve's Gaussian


@dataclasses.dataclass
class VideoCount:
    """What was counted of a film."""

    every: int = 1  # frames from one that was counted to the next
    rate: float = 1.0  # frames counted per second of the film
    announced: int | None = None  # of frames, by the film's header, to be counted
    numbers: list = dataclasses.field(default_factory=list)  # of the frames, from 0
    seconds: list = dataclasses.field(default_factory=list)  # from the film's start
    counts: list = dataclasses.field(default_factory=list)  # people
    inside: list = dataclasses.field(default_factory=list)  # dicts of region to people

    def mean(self):
        """(people, dict of region to people): means over the frames."""
        names = self.inside[0]
        means = {n: float(np.mean([p[n] for p in self.inside])) for n in names}
        return float(np.mean(self.counts)), means

    def told(self):
        """What the mean is of, for people."""
        number, low, high = len(self.counts), min(self.counts), max(self.counts)
        short = number < (self.announced or 0)
        return (
            f"the mean of {number} frames, one of every {self.every}; they have "
            f"{low:,.1f} to {high:,.1f} people"
        ) + f"; {self.announced} were announced: is the film whole?" * short

    def smooth(self):
        """`[N]` people: the counts under a Gaussian, the ends repeated."""
        sigma = SMOOTHING * float(self.rate)
        return gaussian_filter1d(np.float64(self.counts), sigma, mode="nearest")


def count_video(file, ready: counter.Counter, wishes, *, place, progress):
    """Count a film.

    Args:
      file: its path.
      ready: the networks.
      wishes: `count_files.CountOptions`.
      place: relative path of what is written, in the folders that are wished.
      progress: function of the frames and their number, or None, that wraps the frames
        are passed, to show progress.

    Returns:
      `VideoCount`.

    Raises:
      ValueError: it is no film, or damaged; or its frames cannot be counted.
    """
    found, end = VideoCount(), None
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(video_io.open_video(file, every=wishes.every))
        found.every, found.rate = opened.every, opened.rate
        found.announced = opened.number
        draw = _drawing(stack, file, wishes, place, opened.rate)
        try:
            for frame in progress(opened.frames, opened.number):
                _count(file, ready, wishes, frame, found, draw)
        except BaseException as error:  # also Ctrl-C; raised again below
            end = error
    if found.counts and wishes.curve:
        _write(Path(wishes.curve, place), found, Path(file).name)
    if end:
        raise end
    return found


def _count(file, ready, wishes, frame, found, draw):
    try:
        seen = ready.count(frame.pixels, max_size=wishes.max_size)
        size = seen.photograph.size
        inside = {
            region.name: regions.count_region(seen.density, region, size=size)
            for region in wishes.regions
        }
    except ValueError as error:
        raise ValueError(f"{file}, frame {frame.number}: {error}") from None
    draw(frame, seen, inside)
    found.numbers.append(frame.number)
    found.seconds.append(frame.seconds)
    found.counts.append(seen.count)
    found.inside.append(inside)


def _drawing(stack, file, wishes, place, rate):
    """A function of each frame that adds it to the annotated film, if one is wished."""
    if not wishes.overlay:
        return lambda *_: None
    from cpcnn_jax.inference import (
        video_overlay as pictures,  # matplotlib, slow to import
    )

    path, write, top = Path(wishes.overlay, f"{place}.mp4"), None, 0

    def draw(frame, seen, inside):
        nonlocal write, top
        if write is None:  # a film without frames leaves none
            path.parent.mkdir(parents=True, exist_ok=True)
            write = stack.enter_context(video_io.write_video(path, rate=rate))
        top = max(top, pictures.color_limit(seen.density))
        shrunk = seen.density.shape[1] / seen.photograph.size[1]
        outlines = [
            (f"{r.name}: {inside[r.name]:.1f}", r.corners * shrunk)
            for r in wishes.regions
        ]
        words = f"{seen.count:,.1f} people   {frame.seconds:.1f} s"
        write(
            pictures.annotate_frame(
                seen.photograph.pixels,
                seen.density,
                words=words,
                top=top,
                regions=outlines,
            )
        )

    return draw


def _write(path, found, name):
    """PATH.csv, a row per frame, and PATH.png, the curve."""
    from cpcnn_jax.inference import video_overlay as pictures

    path.parent.mkdir(parents=True, exist_ok=True)
    smooth = found.smooth()
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["frame", "seconds", "count", "smoothed", *found.inside[0]])
    rows = (found.numbers, found.seconds, found.counts, smooth, found.inside)
    for number, seconds, people, soft, inside in zip(*rows, strict=True):
        table.writerow([number, seconds, people, float(soft), *inside.values()])
    atomic_write.write_atomic(f"{path}.csv", text.getvalue().encode())
    title = f"{name}: {np.mean(found.counts):,.1f} people in the mean"
    picture = pictures.plot_curve(found.seconds, found.counts, smooth, title=title)
    atomic_write.write_atomic(f"{path}.png", picture)
