"""A folder of photographs written again, plain and without the faults that were found.

Written are the splits' folders with photographs and one heads.csv each, as
`cpcnn_jax.data.datasets.folder` reads them. Files are copied; a photograph that EXIF
turns is
written upright, as PNG, and its heads go with it.
"""

import csv
import shutil
from pathlib import Path

import numpy as np
from PIL import ImageOps

from cpcnn_jax.data import density_map, exif, readers
from cpcnn_jax.data.checks import faults


def write_clean_copy(target, splits):
    """Writes a copy beside its place, and moves it there when it is whole.

    Args:
      target: a folder that is empty or not there.
      splits: {split: `faults.ExaminedImage`s}; those that are usable are written.

    Returns:
      {split: (photographs, heads)} written.

    Raises:
      OSError: there is no room, or it may not be written.
    """
    target = Path(target)
    half = target.with_name(target.name + ".tmp")
    half.mkdir(parents=True)
    try:
        written = {
            split: _write_split(half / split, [e for e in examined if e.usable])
            for split, examined in splits.items()
        }
        half.replace(target)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return written


def heads(examined):
    """`[N, 2]` heads on the upright photograph: finite, inside, and no two alike.

    Args:
      examined: a usable `faults.ExaminedImage`.
    """
    points = examined.points[np.isfinite(examined.points).all(axis=1)]
    points = points[density_map.points_inside(points, faults.marked_shape(examined))]
    first = np.sort(np.unique(points, axis=0, return_index=True)[1])
    points = points[first]
    if examined.turned:
        return points
    return exif.upright(points, examined.seen.shape, examined.seen.orientation)


def _write_split(folder, chosen):
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    with open(folder / "heads.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["image", "x", "y"])
        for examined in chosen:
            name, points = _write_image(folder, examined), heads(examined)
            rows = [(f"{x:.9g}", f"{y:.9g}") for x, y in points] or [("", "")]
            table.writerows([name, *row] for row in rows)
            number += len(points)
    return len(chosen), number


def _write_image(folder, examined):
    """Writes the photograph, upright; returns its file's name."""
    image = examined.photograph.image
    if examined.seen.orientation == 1:
        shutil.copyfile(image, folder / image.name)
        return image.name
    pixels = ImageOps.exif_transpose(readers.decode_image(image, image))
    pixels = pixels if pixels.mode in ("L", "RGB") else pixels.convert("RGB")
    pixels.save(folder / f"{image.stem}.png")
    return f"{image.stem}.png"
