"""Density maps and head points in the file formats of other projects.

Every error of a file is a ValueError that names it.
"""

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from cpcnn_jax.data import readers
from cpcnn_jax.data.datasets.folder_files import IMAGES
from cpcnn_jax.io import folder_listing, hdf5

KINDS = (".h5", ".npy", ".csv")  # of maps
MAX_CELLS = 2**27  # 134 million, above the pixels of any supported image
_POSITIONS = ("annPoints", "point_position")  # variables of .mat files, `[N, 2]`


def find_maps(paths: Iterable[str | Path]) -> list[Path]:
    """Lists the density maps among files and folders, IMG_2 before IMG_10.

    Folders are listed as by `io.folder_listing`.

    Raises:
      ValueError: no such file or folder, or a folder without maps or that cannot be
        read.
    """
    maps = []
    for path in map(Path, paths):
        if path.is_dir():
            listing = folder_listing.list_folder(path, KINDS)
            for folder, reason in listing.refused.items():
                raise ValueError(f"{folder} cannot be read: {reason}")
            if not listing.files:
                raise ValueError(f"{path} holds no {', '.join(KINDS)}")
            below = map(Path, listing.files)
            maps += sorted(below, key=lambda p: (p.parent, len(p.name), p.name))
        elif path.is_file():
            maps.append(path)
        else:
            raise ValueError(f"no file or folder {path}")
    return maps


def find_heads(path: Path, folder: str | Path | None = None) -> Path:
    """Finds the file of a map's head points.

    Args:
      path: the map's file, for example IMG_1.h5.
      folder: of the points; by default the map's, where only .mat files are points.

    Raises:
      ValueError: no such file, or several.
    """
    stem, below = path.stem, Path(folder or path.parent)
    names = [f"GT_{stem}.mat", f"{stem}_ann.mat", f"{stem}.mat"]
    names += [f"{stem}.npy", f"{stem}.csv"] if folder else []
    candidates = [below / name for name in names if below / name != path]
    files = [file for file in candidates if file.is_file()]
    if len(files) != 1:
        held = " and ".join(f.name for f in files) or f"none of {', '.join(names)}"
        raise ValueError(
            f"{path} needs one file of points in {below} (or --points), which holds "
            f"{held}"
        )
    return files[0]


def find_image(path: Path, folder: str | Path | None = None) -> Path | None:
    """Finds the image of a map: in `folder`, else beside the map or in ../images."""
    below = [Path(folder)] if folder else [path.parent, path.parent.parent / "images"]
    names = [path.stem + suffix for suffix in (*IMAGES, *map(str.upper, IMAGES))]
    candidates = (place / name for place in below for name in names)
    return next((file for file in candidates if file.is_file()), None)


def read_map(path: Path) -> np.ndarray:
    """Reads a density map, without further axes of length 1.

    Args:
      path: .npy, .csv, or .h5 with an array "density", as CSRNet's, or one array.

    Returns:
      `[h, w]` float64 people per cell.

    Raises:
      ValueError: unsupported or damaged file, or no map.
    """
    suffix = path.suffix.lower()
    read = {".h5": _read_hdf5, ".npy": _read_npy, ".csv": _read_csv}.get(suffix)
    if read is None:
        raise ValueError(f"{path} is no density map: expected {', '.join(KINDS)}")
    people = read(path)
    shape = people.shape
    if len(shape) > 2:
        shape = tuple(side for side in shape if side > 1)
    if len(shape) != 2 or 0 in shape or people.dtype.kind not in "fiub":
        raise ValueError(
            f"{path} holds no density map: expected numbers [h, w], got "
            f"{people.dtype} {people.shape}"
        )
    return people.reshape(shape).astype(np.float64)


def read_heads(path: Path) -> np.ndarray:
    """Reads head points.

    Args:
      path: .npy, .csv of lines "x,y", or .mat of a public data set.

    Returns:
      `[N, 2]` float64 (x, y), pixels; not checked to be finite.

    Raises:
      ValueError: unsupported or damaged file, or no points.
    """
    match path.suffix.lower():
        case ".mat":
            holding = f"image_info, {' or '.join(_POSITIONS)}"
            points = readers.read_mat(path, _mat_positions, holding)
        case ".npy":
            points = _read_npy(path)
        case ".csv":
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            header = text.lower().startswith("x,y")
            empty = not text or (header and "\n" not in text)
            points = np.zeros((0, 2)) if empty else _read_csv(path, int(header))
        case _:
            raise ValueError(f"{path} is no file of points: expected .mat, .npy, .csv")
    points = np.zeros((0, 2)) if points.size == 0 else points
    if points.ndim != 2 or points.shape[1] != 2 or points.dtype.kind not in "fiu":
        raise ValueError(
            f"{path} holds no head points: expected numbers [N, 2] as (x, y), got "
            f"{points.dtype} {points.shape}"
        )
    return points.astype(np.float64)


def image_shape(path: Path) -> tuple[int, int]:
    """Reads (height, width) from an image file's header, pixels."""
    try:
        with Image.open(path, formats=readers.FORMATS) as image:
            return image.height, image.width
    except Exception as error:  # Pillow raises many types for damaged files
        raise ValueError(f"{path} is no JPEG or PNG image: {error}") from None


def _mat_positions(mat):
    if "image_info" in mat:
        return readers.image_info(mat)
    known = [name for name in _POSITIONS if name in mat]
    return np.asarray(mat[[*known, *_POSITIONS][0]])


def _read_hdf5(path):
    with hdf5.open_hdf5(path) as file:
        name = "density" if "density" in file or len(file) != 1 else next(iter(file))
        array = hdf5.read_array(file, name)
        if array is None:
            raise ValueError(f"{path} has no array 'density', but {sorted(file)}")
        if array.size > MAX_CELLS:
            raise ValueError(f"{path} declares a map of {array.shape}, too large")
        return np.asarray(array)


def _read_npy(path):
    try:
        with open(path, "rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # NumPy raises many types for damaged files
        raise ValueError(f"{path} cannot be read as .npy: {error}") from None


def _read_csv(path, skiprows=0):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy only warns of an empty file
            return np.loadtxt(path, delimiter=",", ndmin=2, skiprows=skiprows)
    except Exception as error:
        raise ValueError(f"{path} cannot be read as .csv: {error}") from None
