"""Density maps and head points as other projects store them: one photograph a file.

Maps are .h5 (the array "density", as CSRNet's recipe writes it, or the only one), .npy
and .csv; points are .mat of ShanghaiTech, UCF, UCF-QNRF, NWPU-Crowd or WorldExpo'10,
.npy `[N, 2]`, or .csv lines "x,y". Whatever is wrong with a file is a ValueError that
names it.
"""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from cpcnn_jax.data import readers
from cpcnn_jax.io import hdf5

KINDS = (".h5", ".npy", ".csv")  # of maps
MOST_CELLS = 2**27  # 134 million: more than a photograph has, less than fills memory
_POSITIONS = ("annPoints", "point_position")  # variables of .mat files, `[N, 2]`


def find_maps(paths):
    """The density maps among files and folders, IMG_2 before IMG_10.

    Raises:
      ValueError: no such file or folder, or a folder without maps.
    """
    found = []
    for path in map(Path, paths):
        if path.is_dir():
            below = [p for p in path.iterdir() if p.suffix.lower() in KINDS]
            if not below:
                raise ValueError(f"{path} holds no {', '.join(KINDS)}")
            found += sorted(below, key=lambda p: (len(p.name), p.name))
        elif path.is_file():
            found.append(path)
        else:
            raise ValueError(f"no file or folder {path}")
    return found


def find_heads(path, folder=None):
    """The file of a map's points.

    Args:
      path: of the map, IMG_1.h5, say.
      folder: where the points are; None: beside the map, where only .mat are points.

    Raises:
      ValueError: there is none, or there are several.
    """
    stem, below = path.stem, Path(folder or path.parent)
    names = [f"GT_{stem}.mat", f"{stem}_ann.mat", f"{stem}.mat"]
    names += [f"{stem}.npy", f"{stem}.csv"] if folder else []
    places = [below / name for name in names if below / name != path]
    found = [place for place in places if place.is_file()]
    if len(found) != 1:
        what = " and ".join(p.name for p in found) or f"none of {', '.join(names)}"
        raise ValueError(
            f"{path} needs one file of points in {below} (or --points), which holds "
            f"{what}"
        )
    return found[0]


def find_image(path, folder=None):
    """The photograph of a map: in a folder, else beside the map or in ../images.

    Returns:
      Its path; None where there is none.
    """
    below = [Path(folder)] if folder else [path.parent, path.parent.parent / "images"]
    names = [path.stem + suffix for suffix in (".jpg", ".jpeg", ".png", ".JPG")]
    places = (place / name for place in below for name in names)
    return next((place for place in places if place.is_file()), None)


def read_map(path):
    """A density map, as it is.

    Args:
      path: .h5, .npy or .csv.

    Returns:
      `[h, w]` float64 people per cell; axes of length 1 beside these two are dropped.

    Raises:
      ValueError: another kind of file, a damaged one, or no map.
    """
    read = {".h5": _hdf5, ".npy": _npy, ".csv": _csv}.get(path.suffix.lower())
    if read is None:
        raise ValueError(f"{path} is no density map: expected {', '.join(KINDS)}")
    found = read(path)
    kept = found.shape
    if len(kept) > 2:
        kept = tuple(side for side in kept if side > 1)
    if len(kept) != 2 or 0 in kept or found.dtype.kind not in "fiub":
        raise ValueError(
            f"{path} holds no density map: expected numbers [h, w], got "
            f"{found.dtype} {found.shape}"
        )
    return found.reshape(kept).astype(np.float64)


def read_heads(path):
    """Head points.

    Args:
      path: .mat, .npy or .csv, the last with or without a line "x,y" before all.

    Returns:
      `[N, 2]` (x, y), pixels; not checked to be finite.

    Raises:
      ValueError: another kind of file, a damaged one, or no points.
    """
    match path.suffix.lower():
        case ".mat":
            holding = f"image_info, {' or '.join(_POSITIONS)}"
            found = readers.read_mat(path, _positions, holding)
        case ".npy":
            found = _npy(path)
        case ".csv":
            lines = path.read_text(encoding="utf-8", errors="replace").strip()
            header = lines.lower().startswith("x,y")
            empty = not lines or (header and "\n" not in lines)
            found = np.zeros((0, 2)) if empty else _csv(path, skiprows=int(header))
        case _:
            raise ValueError(f"{path} is no file of points: expected .mat, .npy, .csv")
    found = np.zeros((0, 2)) if found.size == 0 else found
    if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "fiu":
        raise ValueError(
            f"{path} holds no head points: expected numbers [N, 2] as (x, y), got "
            f"{found.dtype} {found.shape}"
        )
    return found.astype(np.float64)


def image_shape(path):
    """(height, width) that a photograph's file declares, pixels."""
    try:
        with Image.open(path, formats=readers.FORMATS) as image:
            return image.size[::-1]
    except Exception as error:  # pillow raises whatever a damaged file leads to
        raise ValueError(f"{path} is no JPEG or PNG photograph: {error}") from None


def _positions(mat):
    """The points among the variables of a .mat file."""
    if "image_info" in mat:
        return readers.image_info(mat)
    known = [name for name in _POSITIONS if name in mat]
    return np.asarray(mat[[*known, *_POSITIONS][0]])


def _hdf5(path):
    with hdf5.open_hdf5(path) as file:
        name = "density" if "density" in file or len(file) != 1 else next(iter(file))
        found = hdf5.read_array(file, name)
        if found is None:
            raise ValueError(f"{path} has no array 'density', but {sorted(file)}")
        if found.size > MOST_CELLS:
            raise ValueError(f"{path} declares a map of {found.shape}, too large")
        return np.asarray(found)


def _npy(path):
    try:
        with open(path, "rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # NumPy raises whatever a damaged file leads to
        raise ValueError(f"{path} cannot be read as .npy: {error}") from None


def _csv(path, skiprows=0):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an empty file is but a warning
            return np.loadtxt(path, delimiter=",", ndmin=2, skiprows=skiprows)
    except Exception as error:  # likewise
        raise ValueError(f"{path} cannot be read as .csv: {error}") from None
