"""Many files, counted one after the other: a row for each, whatever happens."""

import csv
import dataclasses
import functools
import io
import json
import sys
import time
from pathlib import Path

import jax
from tqdm import tqdm

from cpcnn_jax.inference import count_video, counter, input_files, regions
from cpcnn_jax.io import atomic_write, density_file
from cpcnn_jax.io import video as video_io


@dataclasses.dataclass
class FileCount:
    """What is known of one photograph or film."""

    file: str  # as it was named or found
    error: str | None = None  # a sentence that names the file
    count: float | None = None  # people; of a film, in the mean of its frames
    seconds: float | None = None  # from opening the file to the last result
    regions: dict = dataclasses.field(default_factory=dict)  # name -> people


@dataclasses.dataclass
class CountOptions:
    """What is wanted of each file beside its count."""

    regions: list = dataclasses.field(default_factory=list)  # of `regions.Region`
    max_size: int | None = None  # pixels; longer photographs are shrunk first
    density: str | None = None  # folder for the maps
    overlay: str | None = None  # folder for the pictures and annotated films
    curve: str | None = None  # folder for what becomes of a film's count
    every: int | None = None  # frames of a film from one that is counted to the next


def list_files(words):
    """A row for each photograph that words stand for, each photograph once.

    Args:
      words: see `input_files.find_files`; one that stands for none is a row with an
      error.

    Returns:
      List of `FileCount`.
    """
    found = {}
    for word in words:
        try:
            for file in input_files.find_files(word):
                found.setdefault(file, FileCount(file))
        except ValueError as error:
            found.setdefault(word, FileCount(word, str(error)))
    return list(found.values())


def count_files(rows, ready: counter.Counter, wishes: CountOptions):
    """Count the rows that have no error yet; those that fail get one.

    Args:
      rows: of `list_files`, filled in here.
      ready: the networks.
      wishes: what else to do.

    Yields:
      Each row when it is done, also those that were in error before.
    """
    places = input_files.output_names([row.file for row in rows if not row.error])
    for row in rows:
        if not row.error:
            began = time.monotonic()
            try:
                one = _count_film if video_io.is_video(row.file) else _count
                one(row, ready, wishes, places[row.file])
                row.seconds = time.monotonic() - began
            except (ValueError, OSError) as error:
                row.error = str(error)
            except (jax.errors.JaxRuntimeError, MemoryError) as error:
                text = str(error).partition("\n")[0] or "out of memory"
                row.error = f"{row.file}: {text}; try a smaller --tile-size"
        yield row


def _count(row, ready, wishes, place):
    bar = functools.partial(tqdm, unit="part", leave=False, delay=2, disable=None)
    found = ready.count(_opened(row.file), max_size=wishes.max_size, progress=bar)
    for note in found.photograph.notes:
        tqdm.write(f"count: {note}", file=sys.stderr)
    inside = _inside(row.file, found, wishes.regions)
    if wishes.density:
        density_file.save_density(Path(wishes.density, place), found.density)
    if wishes.overlay:
        file = Path(wishes.overlay, f"{place}.png")
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic_write.write_atomic(file, _drawn(row.file, found, wishes.regions, inside))
    row.count, row.regions = found.count, inside


def _count_film(row, ready, wishes, place):
    def bar(frames, number):
        named = {"desc": Path(row.file).name, "unit": "frame"}
        return tqdm(frames, total=number, leave=False, disable=None, **named)

    found = count_video.count_video(row.file, ready, wishes, place=place, progress=bar)
    row.count, row.regions = found.mean()
    tqdm.write(f"count: {row.file}: {found.told()}", file=sys.stderr)


def _opened(file):
    if file != input_files.STDIN:
        return file
    data = io.BytesIO(sys.stdin.buffer.read())
    data.name = "standard input"
    return data


def _inside(file, found, wanted):
    """Dict of region name to people."""
    size = found.photograph.size
    try:
        return {
            r.name: regions.count_region(found.density, r, size=size) for r in wanted
        }
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def _drawn(file, found, wanted, inside):
    from cpcnn_jax.inference import overlay  # matplotlib, which is slow to import

    pixels = found.photograph.pixels
    shrunk = pixels.shape[1] / found.photograph.size[1]
    outlines = [(f"{r.name}: {inside[r.name]:.1f}", r.corners * shrunk) for r in wanted]
    title = f"{Path(file).name}: {found.count:,.1f} people"
    return overlay.draw_overlay(pixels, found.density, title=title, regions=outlines)


def as_json(rows):
    """The rows as JSON: a list of objects with file, count and error.

    Args:
      rows: of `FileCount`; the people in regions are there where any were asked for.

    Returns:
      Bytes.
    """
    found = [
        {"file": row.file, "count": row.count, "error": row.error}
        | ({"regions": row.regions} if row.regions else {})
        for row in rows
    ]
    return (json.dumps(found, indent=2) + "\n").encode()


def as_csv(rows, regions=()):
    """The rows as CSV: file, count, seconds, error, and a column for each region.

    Args:
      rows: of `FileCount`.
      regions: their names.

    Returns:
      Bytes.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["file", "count", "seconds", "error", *regions])
    for row in rows:
        people = [row.regions.get(name) for name in regions]
        table.writerow([row.file, row.count, row.seconds, row.error, *people])
    return text.getvalue().encode(
        errors="surrogateescape"
    )  # names as the disk has them
