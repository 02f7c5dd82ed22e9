"""Copy of a data set without its faults, in the layout of `data.datasets.folder`.

Image files are copied unchanged. An image with an EXIF orientation is written upright,
as PNG, with its head points.
"""

import csv
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cpcnn_jax.data import density_map, exif, readers
from cpcnn_jax.data.checks import faults
from cpcnn_jax.io.image import transpose_upright


def write_clean_copy(
    target: str | Path, splits: Mapping[str, Sequence[faults.ExaminedImage]]
) -> dict[str, tuple[int, int]]:
    """Writes a copy beside its place and moves it there when it is complete.

    Args:
      target: folder that is empty or does not exist.
      splits: {split: its examined images}; only usable images are written.

    Returns:
      {split: (images, heads)} written.

    Raises:
      OSError: the copy cannot be written.
    """
    target = Path(target).resolve()  # a link stays a link
    partial = target.with_name(target.name + ".tmp")
    partial.mkdir(parents=True)
    try:
        written = {
            split: _write_split(partial / split, [e for e in examined if e.usable])
            for split, examined in splits.items()
        }
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return written


def _clean_points(examined):
    """`[N, 2]` on the upright image: finite, inside, without repetitions."""
    header, turned = examined.header, examined.turned
    points = examined.points[np.isfinite(examined.points).all(axis=1)]
    shape = faults.points_shape(header, turned)
    points = points[density_map.points_inside(points, shape)]
    points = points[np.sort(np.unique(points, axis=0, return_index=True)[1])]
    if turned:
        return points
    return exif.to_upright(points, header.shape, header.orientation)


def _write_split(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    with open(folder / "heads.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["image", "x", "y"])
        for examined in images:
            name, points = _write_image(folder, examined), _clean_points(examined)
            rows = [(f"{x:.9g}", f"{y:.9g}") for x, y in points] or [("", "")]
            table.writerows([name, *row] for row in rows)
            number += len(points)
    return len(images), number


def _write_image(folder, examined):
    """Writes the upright image and returns its path in the folder."""
    image, name = examined.sample.image, examined.sample.stored_name
    orientation = examined.header.orientation
    suffix = image.suffix if orientation == 1 else ".png"
    path = folder / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    if orientation == 1:
        shutil.copyfile(image, path)
    else:
        pixels = readers.decode_image(image, image)
        pixels = transpose_upright(pixels, orientation)
        pixels = pixels if pixels.mode in ("L", "RGB") else pixels.convert("RGB")
        pixels.save(path)
    return path.relative_to(folder).as_posix()
