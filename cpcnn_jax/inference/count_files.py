"""Counts of many files: one row for each, with its count or its error."""

import collections
import dataclasses
import functools
import io
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from cpcnn_jax.inference import count_video, input_files, overlay, regions
from cpcnn_jax.inference.count_options import CountOptions
from cpcnn_jax.inference.counter import Counter
from cpcnn_jax.io import atomic_write, density_file
from cpcnn_jax.io import image as image_io
from cpcnn_jax.io import video as video_io
from cpcnn_jax.io.stream_address import StreamAddress, hide_credentials


@dataclasses.dataclass
class FileCount:
    """Result of one image or video."""

    file: str  # as named by the user or listed in a folder
    error: str | None = None  # a sentence that names the file, or a result of it
    count: float | None = None  # people; the mean over the time for a video
    low: float | None = None  # people, ends of the interval of an image's count
    high: float | None = None
    seconds: float | None = None  # from opening the file to the last result
    width: int | None = None  # pixels of the upright image, or of a video's frames
    height: int | None = None
    weights: str | None = None  # name of the weights that counted
    # People by region; None for one that does not fit the image.
    regions: dict[str, float | None] = dataclasses.field(default_factory=dict)
    points: np.ndarray | None = None  # [N, 2] (x, y) of the heads, if requested


def list_files(
    arguments: Iterable[str], results: Iterable[str] = ()
) -> tuple[list[FileCount], collections.Counter[str]]:
    """Lists a row for each file that the arguments name, each file once.

    Args:
      arguments: files, folders, patterns and URLs for `input_files.find_files`. One
        that matches no file, and a folder that cannot be read, become rows with an
        error.
      results: folders that results are written to. Their files are left out where a
        folder above them is named.

    Returns:
      The rows, and what is left out by kind and number.
    """
    rows: dict[str | tuple[str, str], FileCount] = {}
    left_out = collections.Counter[str]()
    for argument in arguments:
        try:
            listing = input_files.find_files(argument)
        except ValueError as error:
            row = FileCount(hide_credentials(argument), str(error))
            rows.setdefault(argument, row)
            continue
        inner = [f for f in results if _is_below(f, argument)]
        for file in listing.files:
            if any(_is_below(file, folder) for folder in inner):
                left_out["result of an earlier run"] += 1
            else:
                rows.setdefault(_identify(file), FileCount(file))
        for folder, reason in listing.refused.items():
            error_row = FileCount(folder, f"{folder} cannot be read: {reason}")
            rows.setdefault(_identify(folder), error_row)
        left_out += listing.left_out
    return list(rows.values()), left_out


def _is_below(path, folder):
    path, folder = Path(os.path.abspath(path)), Path(os.path.abspath(folder))
    return folder in path.parents


def _identify(file):
    """The path without linked folders; a linked file is another one."""
    if isinstance(file, StreamAddress):
        return file.url
    folder, name = os.path.split(os.path.abspath(file))
    return file if file == input_files.STDIN else (os.path.realpath(folder), name)


def count_files(
    rows: Sequence[FileCount], counter: Counter, options: CountOptions
) -> Iterator[FileCount]:
    """Counts the rows that have no error.

    Args:
      rows: from `list_files`; completed in place with a count or an error.
      counter: the networks.
      options: further results.

    Yields:
      Each row after it was counted; rows with an error unchanged.
    """
    names = input_files.output_names([row.file for row in rows if not row.error])
    for row in rows:
        stopped = not row.error and _count_row(row, counter, options, names[row.file])
        if not stopped or row.count is not None:
            yield row
        if stopped:
            raise KeyboardInterrupt


def _count_row(row, counter, options, name):
    """Completes a row; returns whether Ctrl-C stopped it."""
    start, stopped = time.monotonic(), False
    try:
        count = _count_video if video_io.is_video(row.file) else _count_image
        count(row, counter, options, name)
    except Exception as error:  # the other files are counted all the same
        row.error = describe_error(row.file, error)
    except KeyboardInterrupt:
        stopped = True
        if row.count is not None:  # of the frames so far
            row.error = f"{row.file}: stopped before its end"
    row.seconds = time.monotonic() - start
    row.weights = counter.name or None
    return stopped


def describe_error(file: str, error: Exception) -> str:
    """Describes an error in a sentence that names the file, without credentials."""
    text = hide_credentials(str(error).partition("\n")[0])
    if isinstance(error, (jax.errors.JaxRuntimeError, MemoryError)):
        return f"{file}: {text or 'out of memory'}; try a smaller --tile-size"
    if isinstance(error, (ValueError, OSError)) and not isinstance(error, UnicodeError):
        return hide_credentials(str(error))
    return f"{file}: {type(error).__name__}: {text}"


def _count_image(row, counter, options, name):
    bar = functools.partial(tqdm, unit="part", leave=False, delay=2, disable=None)
    source = _read_stdin() if row.file == input_files.STDIN else row.file
    try:
        result = counter.count(source, max_size=options.max_size, progress=bar)
    except image_io.UnknownFormatError as error:
        suffix = Path(row.file).suffix.lower()
        if row.file == input_files.STDIN or suffix in image_io.ALL_SUFFIXES:
            raise
        videos = ", ".join(video_io.SUFFIXES)
        text = f"{error}, and its suffix is none of a video ({videos})"
        raise ValueError(text) from None
    for note in result.image.notes:
        tqdm.write(f"count: {note}", file=sys.stderr)
    density, size = result.density, result.image.size
    people, misfits = regions.count_fitting(density, options.regions, size=size)
    row.count, row.regions = result.count, people  # stand if a result is not written
    row.low, row.high = result.low, result.high
    row.height, row.width = result.image.size
    if options.points:
        row.points = result.points
    if options.density:
        density_file.save_density(Path(options.density, name), density)
    if options.overlay:
        file = Path(options.overlay, f"{name}.png")
        file.parent.mkdir(parents=True, exist_ok=True)
        outlines = regions.outline_regions(options.regions, people, result.image)
        picture = result.draw(outlines, points=options.points)
        atomic_write.write_atomic(file, overlay.encode_png(picture))
    if misfits:
        raise ValueError(f"{row.file}: {'; '.join(misfits)}")


def _count_video(row, counter, options, name):
    def progress(frames, number):
        named = {"desc": Path(row.file).name, "unit": "frame"}
        return tqdm(frames, total=number, leave=False, disable=None, **named)

    result = count_video.VideoCount(options.frame_step)
    count = count_video.count_video
    try:
        count(row.file, counter, options, result, name=name, progress=progress)
    finally:  # the frames before an error or Ctrl-C are counted
        if result.counts:
            row.count, row.regions = result.mean()
            row.height, row.width = result.last[0].image.size
            tqdm.write(f"count: {row.file}: {result.describe()}", file=sys.stderr)
    notes = [result.note]
    if options.density:
        notes.append(f"{row.file}: --density writes no maps of a video")
    if options.points:
        notes.append(f"{row.file}: --points writes no heads of a video")
    for note in filter(None, notes):
        tqdm.write(f"count: {note}", file=sys.stderr)
    if problems := [*result.failures, *sorted(result.misfits)]:
        raise ValueError(f"{row.file}: {'; '.join(problems)}")


def _read_stdin():
    data = io.BytesIO(sys.stdin.buffer.read())
    data.name = "standard input"  # appears in messages
    return data
