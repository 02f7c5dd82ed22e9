"""Counts of many files: one row for each, with its count or its error."""

import dataclasses
import functools
import io
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import jax
from tqdm import tqdm

from cpcnn_jax.inference import count_video, input_files, regions
from cpcnn_jax.inference.count_options import CountOptions
from cpcnn_jax.inference.counter import Counter
from cpcnn_jax.io import atomic_write, density_file
from cpcnn_jax.io import video as video_io


@dataclasses.dataclass
class FileCount:
    """Result of one image or video."""

    file: str  # as named by the user or listed in a folder
    error: str | None = None  # a sentence that names the file
    count: float | None = None  # people; the mean of the frames for a video
    seconds: float | None = None  # from opening the file to the last result
    regions: dict[str, float] = dataclasses.field(default_factory=dict)  # name: people


def list_files(arguments: Iterable[str]) -> list[FileCount]:
    """Lists a row for each file that the arguments name, each file once.

    Args:
      arguments: files, folders and patterns for `input_files.find_files`. One that
        matches no file becomes a row with an error.
    """
    rows: dict[str, FileCount] = {}
    for argument in arguments:
        try:
            for file in input_files.find_files(argument):
                rows.setdefault(file, FileCount(file))
        except ValueError as error:
            rows.setdefault(argument, FileCount(argument, str(error)))
    return list(rows.values())


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
        if not row.error:
            start = time.monotonic()
            try:
                count = _count_video if video_io.is_video(row.file) else _count_image
                count(row, counter, options, names[row.file])
                row.seconds = time.monotonic() - start
            except (ValueError, OSError) as error:
                row.error = str(error)
            except (jax.errors.JaxRuntimeError, MemoryError) as error:
                text = str(error).partition("\n")[0] or "out of memory"
                row.error = f"{row.file}: {text}; try a smaller --tile-size"
        yield row


def _count_image(row, counter, options, name):
    bar = functools.partial(tqdm, unit="part", leave=False, delay=2, disable=None)
    source = _read_stdin() if row.file == input_files.STDIN else row.file
    result = counter.count(source, max_size=options.max_size, progress=bar)
    for note in result.image.notes:
        tqdm.write(f"count: {note}", file=sys.stderr)
    density, size = result.density, result.image.size
    try:
        people = regions.count_regions(density, options.regions, size=size)
    except ValueError as error:
        raise ValueError(f"{row.file}: {error}") from None
    if options.density:
        density_file.save_density(Path(options.density, name), density)
    if options.overlay:
        file = Path(options.overlay, f"{name}.png")
        file.parent.mkdir(parents=True, exist_ok=True)
        png = _draw(Path(row.file).name, result, options.regions, people)
        atomic_write.write_atomic(file, png)
    row.count, row.regions = result.count, people


def _count_video(row, counter, options, name):
    def progress(frames, number):
        named = {"desc": Path(row.file).name, "unit": "frame"}
        return tqdm(frames, total=number, leave=False, disable=None, **named)

    count = count_video.count_video
    result = count(row.file, counter, options, name=name, progress=progress)
    row.count, row.regions = result.mean()
    tqdm.write(f"count: {row.file}: {result.describe()}", file=sys.stderr)


def _read_stdin():
    data = io.BytesIO(sys.stdin.buffer.read())
    data.name = "standard input"  # appears in messages
    return data


def _draw(name, result, wanted, people):
    from cpcnn_jax.inference import overlay  # matplotlib, which is slow to import

    pixels, density = result.image.pixels, result.density
    outlines = regions.outline_regions(wanted, people, result.image)
    title = f"{name}: {result.count:,.1f} people"
    return overlay.draw_overlay(pixels, density, title=title, regions=outlines)


def write_json(path: str | os.PathLike[str], rows: Iterable[FileCount]) -> None:
    """Writes the rows as a JSON list of objects with file, count and error.

    An object has "regions" if people were counted in regions.
    """
    records = [
        {"file": row.file, "count": row.count, "error": row.error}
        | ({"regions": row.regions} if row.regions else {})
        for row in rows
    ]
    atomic_write.write_json(path, records)


def write_csv(
    path: str | os.PathLike[str], rows: Iterable[FileCount], names: Sequence[str] = ()
) -> None:
    """Writes the rows as CSV: file, count, seconds, error, and each named region."""
    table: list[list] = [["file", "count", "seconds", "error", *names]]
    for row in rows:
        people = [row.regions.get(name) for name in names]
        table.append([row.file, row.count, row.seconds, row.error, *people])
    atomic_write.write_csv(path, table)
