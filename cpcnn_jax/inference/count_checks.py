"""Checks before counting: results that would replace others, and regions outside."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from cpcnn_jax.inference import input_files
from cpcnn_jax.inference.count_files import FileCount
from cpcnn_jax.inference.count_options import CountOptions
from cpcnn_jax.inference.regions import Region
from cpcnn_jax.io import atomic_write, density_file
from cpcnn_jax.io import image as image_io
from cpcnn_jax.io import video as video_io


def check_outputs(
    rows: Sequence[FileCount],
    options: CountOptions,
    tables: Iterable[str] = (),
    inputs: Iterable[str | os.PathLike[str]] = (),
) -> None:
    """Checks that no result would replace another one or an input.

    Args:
      rows: from `list_files`.
      options: further results.
      tables: files of the tables.
      inputs: other files that are read.

    Raises:
      ValueError: two results have one name, or one has the name of an input.
    """
    files = [row.file for row in rows if not row.error]
    used = {os.path.realpath(file) for file in [*files, *inputs]}
    written: set[str] = set()
    for path in [*tables, *_list_outputs(files, options)]:
        if os.path.exists(path) and not os.path.isfile(path):
            continue  # a device or a pipe takes any number of results
        real = path if path == atomic_write.STDOUT else os.path.realpath(path)
        if real in used:
            text = "write the results elsewhere, or remove those of an earlier run"
            raise ValueError(f"{path} is an input: {text}")
        if real.casefold() in written:
            raise ValueError(f"two results would be {path}: write them to two places")
        written.add(real.casefold())


def check_regions(rows: Iterable[FileCount], wanted: Sequence[Region]) -> list[str]:
    """Checks the regions against the sizes of the images, before any is counted.

    Args:
      rows: from `list_files`. Only the headers of images are read.
      wanted: regions; those in percent fit every image.

    Returns:
      A sentence for each region that does not fit some of the images.

    Raises:
      ValueError: a region fits none of the images.
    """
    wanted = [region for region in wanted if not region.percent]
    files = [row.file for row in rows if wanted and not row.error]
    if input_files.STDIN in files or any(map(video_io.is_video, files)):
        wanted = []
    sizes = {file: size for file in files if (size := image_io.read_size(file))}
    notes = []
    for region in wanted:
        misfits = [file for file, size in sizes.items() if not region.fits(size)]
        if misfits:
            text = f"region {region.name} does not fit {misfits[0]}"
            if len(misfits) == len(sizes):
                others = " nor any other image" if len(misfits) > 1 else ""
                height, width = sizes[misfits[0]]
                text += f" of {width}x{height} pixels{others}"
                raise ValueError(f"{text}: give corners inside, or percent")
            more = f" and {len(misfits) - 1} more" if len(misfits) > 1 else ""
            notes.append(f"{text}{more}: empty cells; the images are counted")
    return notes


def _list_outputs(files, options):
    """Lists the files that counting writes into the folders of the options."""
    for file, name in input_files.output_names(files).items():
        if video_io.is_video(file):
            if options.overlay:
                yield Path(options.overlay, f"{name}.mp4")
            if options.count_curve:
                yield Path(options.count_curve, f"{name}.csv")
                yield Path(options.count_curve, f"{name}.png")
            continue
        if options.overlay:
            yield Path(options.overlay, f"{name}.png")
        if options.density:
            for suffix in density_file.SUFFIXES:
                yield Path(options.density, f"{name}{suffix}")
