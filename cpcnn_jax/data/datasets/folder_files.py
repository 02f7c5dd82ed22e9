"""Files of a user's own folder: images, annotation files, and unused files."""

import collections
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cpcnn_jax.data import checksums
from cpcnn_jax.data.annotations import dot_map
from cpcnn_jax.data.annotations.heads import IMAGE_SUFFIXES
from cpcnn_jax.data.datasets.image_names import fold
from cpcnn_jax.io import folder_listing

SPLITS = ("train", "test")
IMAGES, HEADS = (".jpg", ".jpeg", ".png"), (".csv", ".json", ".xml")
VALIDATION = ("val", "valid", "validation")  # folders that other programs read


class FolderFiles(NamedTuple):
    """Files of a folder by split: "train", "test", or "" in a folder without both.

    The key None has the files beside the folders of the splits.
    """

    # A folder that cannot be read, or a link that leads out, is among the images:
    # reading it is an error.
    images: dict[str, list[Path]]
    heads: dict[str | None, list[Path]]  # annotation files
    other_images: dict[str | None, list[Path]]  # images that are not used
    unused: list[tuple[Path, str]]  # (image or folder that is not used, sentence)
    left_out: collections.Counter[str]  # all that is not used, by kind


def list_folder(folder: Path) -> FolderFiles:
    """Lists the files of a folder, with or without train and test.

    Raises:
      ValueError: two folders of one split.
    """
    places = {s: place for s in SPLITS if (place := find_split(folder, s))}
    listing = folder_listing.list_folder(
        folder, (*IMAGE_SUFFIXES, *HEADS), first=places.values(), within=folder
    )
    if (folder / checksums.SUMS).is_file():
        listing.left_out.subtract([folder_listing.describe_suffix(checksums.SUMS)])
    files = FolderFiles({}, {}, {}, [], +listing.left_out)
    paths = sorted(map(Path, (*listing.files, *listing.refused)))
    for split, place in (places or {"": folder}).items():
        inside = [path for path in paths if path.is_relative_to(place)]
        _sort_split(split, inside, files)
    if places:
        _sort_beside(folder, paths, places.values(), files)
    return files


def find_split(folder: Path, split: str) -> Path | None:
    """Finds the folder of a split, whose name may be in upper case.

    Raises:
      ValueError: there are two.
    """
    beside = sorted(folder.iterdir()) if folder.is_dir() else []
    places = [path for path in beside if fold(path.name) == split and path.is_dir()]
    if len(places) > 1:
        raise ValueError(f"{places[0]} and {places[1]} are both {split}: rename one.")
    return places[0] if places else None


def _sort_split(split, paths, files):
    """Adds the files of a split, and its folders that are not entered."""
    files.heads[split] = [path for path in paths if _is_heads(path)]
    files.images[split] = [p for p in paths if p.is_dir() or _is_image(p)]
    used = {*files.heads[split], *files.images[split]}
    files.other_images[split] = [path for path in paths if path not in used]
    for path in files.other_images[split]:
        text = f"{path} is not used: convert it to .jpg or .png"
        files.unused.append((path, text))
        files.left_out[folder_listing.describe_suffix(path)] += 1


def _sort_beside(folder, paths, places: Iterable[Path], files):
    """Adds the files beside the folders of the splits; annotations there are used."""
    beside = [path for path in paths if not any(map(path.is_relative_to, places))]
    files.heads[None] = [p for p in beside if p.parent == folder and _is_heads(p)]
    unused = [path for path in beside if path not in files.heads[None]]
    files.other_images[None] = [path for path in unused if not _is_heads(path)]
    names = " and ".join(sorted(place.name for place in places))
    for name in dict.fromkeys(path.relative_to(folder).parts[0] for path in unused):
        text = f"{folder / name} is not used: images are read from {names} only"
        if fold(name) in VALIDATION:
            text += ", and the validation images are a part of train"
        files.unused.append((folder / name, text))
    for path in unused:
        kind = "folder" if path.is_dir() else folder_listing.describe_suffix(path)
        files.left_out[f"{kind} outside of {names}"] += 1


def _is_image(path):
    return path.suffix.lower() in IMAGES and not _is_heads(path)


def _is_heads(path):
    """Whether a path has the name of an annotation file and is no folder."""
    suffix = path.suffix.lower()
    dots = suffix == ".png" and path.stem.endswith(dot_map.SUFFIX)
    return (dots or suffix in HEADS) and not path.is_dir()
