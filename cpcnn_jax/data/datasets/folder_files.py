"""Files of a user's own folder: images, annotation files, and unused images."""

import os
from pathlib import Path
from typing import NamedTuple

from cpcnn_jax.data.annotations import dot_map
from cpcnn_jax.data.annotations.heads import IMAGE_SUFFIXES
from cpcnn_jax.data.datasets.image_names import fold

SPLITS = ("train", "test")
IMAGES, HEADS = (".jpg", ".jpeg", ".png"), (".csv", ".json", ".xml")


class FolderFiles(NamedTuple):
    """Files of a folder by split: "train", "test", or "" in a folder without both.

    The key None has the files beside the folders of the splits.
    """

    # An unreadable folder, and a linked folder outside, is among the images: reading it
    # is an error.
    images: dict[str, list[Path]]
    heads: dict[str | None, list[Path]]  # annotation files
    other_images: dict[str | None, list[Path]]  # images that are not used
    unused: list[tuple[Path, str]]  # (image or folder that is not used, sentence)


def list_folder(folder: Path) -> FolderFiles:
    """Lists the files of a folder, with or without train and test.

    Raises:
      ValueError: two folders of one split.
    """
    places = {s: place for s in SPLITS if (place := find_split(folder, s))}
    listed = FolderFiles({}, {}, {}, [])
    for split, place in (places or {"": folder}).items():
        paths = _list_files(place)
        listed.images[split] = [p for p in paths if _is_used(p, folder)]
        listed.heads[split] = [p for p in paths if is_heads(p)]
        other = [p for p in paths if _is_picture(p) and p.suffix.lower() not in IMAGES]
        listed.other_images[split] = other
        text = "{} is not used: convert it to .jpg or .png"
        listed.unused.extend((path, text.format(path)) for path in other)
        text = "{} is not used: it is a link to the folder {}"
        links = [p for p in paths if p.is_symlink() and p.is_dir()]
        listed.unused.extend(
            (path, text.format(path, path.resolve()))
            for path in links
            if _is_below(path, folder) and not _is_below(path, place)
        )
    if places:
        _list_beside(folder, {*places.values()}, listed)
    return listed


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


def is_heads(path: Path) -> bool:
    """Whether a path has the name of an annotation file and is no folder."""
    suffix = path.suffix.lower()
    dots = suffix == ".png" and path.stem.endswith(dot_map.SUFFIX)
    return (dots or suffix in HEADS) and not path.is_dir()


def _list_beside(folder, places, listed):
    """Adds the annotation files and unused images beside the folders of the splits."""
    beside = [p for p in sorted(folder.iterdir()) if not p.name.startswith(".")]
    listed.heads[None] = [path for path in beside if is_heads(path)]
    listed.other_images[None] = []
    names = " and ".join(sorted(place.name for place in places))
    for path in beside:
        if path not in places:
            paths = _list_files(path) if path.is_dir() else [path]
            images = [p for p in paths if _is_picture(p)]
            listed.other_images[None] += images
            if images or path.is_dir() and (path in paths or any(map(is_heads, paths))):
                text = f"{path} is not used: images are read from {names} only"
                listed.unused.append((path, text))


def _list_files(folder):
    """All files, linked folders and unreadable folders, without hidden ones."""
    paths: list[Path] = []
    walk = os.walk(folder, onerror=lambda error: paths.append(Path(error.filename)))
    for place, folders, files in walk:
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        names = [name for name in files if not name.startswith(".")]
        paths += [Path(place) / name for name in links + names]
    return sorted(paths)


def _is_picture(path):
    suffix = path.suffix.lower()
    return suffix in IMAGE_SUFFIXES and not path.is_dir() and not is_heads(path)


def _is_used(path, root):
    """True for an image, an unreadable folder, and a linked folder outside the root."""
    if path.is_dir():
        return not path.is_symlink() or not _is_below(path, root)
    return _is_picture(path) and path.suffix.lower() in IMAGES


def _is_below(path, folder):
    return path.resolve().is_relative_to(folder.resolve())
