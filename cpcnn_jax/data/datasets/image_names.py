"""Images that a name in an annotation file means.

A name is a path from the folder of its file. Its image has the same name, in any
folder, in upper or lower case, in any Unicode form, and with another suffix or none. Of
several such images, the one in the most similar folder and with the most similar name
is meant. If the name states a folder of images, the image lies in it or below. If there
is no such image, eight digits that Label Studio puts before a name are ignored.
"""

import collections
import functools
import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from cpcnn_jax.data.annotations.heads import IMAGE_SUFFIXES

_UPLOAD = re.compile(r"(?:^|(?<=/))[0-9a-f]{8}-(?=[^/]+$)")  # of Label Studio


class ImageNames:
    """The names of the images of a folder."""

    def __init__(self, images: Iterable[Path]) -> None:
        """Takes the paths of the images; reads no file."""
        self._images: dict[str, dict[Path, None]] = collections.defaultdict(dict)
        self._in_folder: dict[tuple, dict[Path, None]] = collections.defaultdict(dict)
        for image in images:
            for name in (image.name, image.stem):
                self._images[fold(name)][image] = None
                self._in_folder[image.parent, fold(name)][image] = None
        self._folders = [_parts(place) for place in {p for p, _ in self._in_folder}]
        self._nearest = functools.cache(self._find_nearest_folders)

    def find(self, file: Path, name: str) -> list[Path]:
        """Finds the images that a name in an annotation file may mean.

        Args:
          file: the annotation file.
          name: key of `annotations.HeadsByImage`.

        Returns:
          No image, the one image, or several that are equally similar.
        """
        return self._find(file, name) or self._find(file, _UPLOAD.sub("", name))

    def _find(self, file, name):
        path = stated_path(file, name)
        forms = fold(path.name), fold(_bare(path.name))
        here = (self._in_folder.get((path.parent, f), ()) for f in forms)
        if "/" not in name or not (images := sorted(set().union(*here))):
            everywhere = (self._images.get(f, ()) for f in forms)
            images = sorted(set().union(*everywhere))
            images = self._near_folder(images, path) if "/" in name else images
        near = _best(images, lambda image: folder_similarity(path, image))
        alike = _best(near, lambda image: _name_similarity(path.name, image))
        most_alike = _best(images, lambda image: _name_similarity(path.name, image))
        return alike if {*alike} <= {*most_alike} else sorted({*near, *most_alike})

    def _near_folder(self, images, path):
        """The images in or below the folders that end as the folder of a path."""
        folders = self._nearest(path.parent)
        if not folders:
            return images
        return [i for i in images if any(_starts(i, folder) for folder in folders)]

    def _find_nearest_folders(self, folder):
        """The parts of the folders that share most of the last parts of a folder."""
        parts = _parts(folder)
        most = max((_common(parts[::-1], f[::-1]) for f in self._folders), default=0)
        return [
            f for f in self._folders if most and _common(parts[::-1], f[::-1]) == most
        ]


def stated_path(file: Path, name: str) -> Path:
    """Returns the path that a name in an annotation file states."""
    return Path(os.path.normpath(file.parent / name))


def fold(name: str) -> str:
    """Returns a name without the difference of case and of Unicode forms."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def folder_similarity(path: Path, image: Path) -> tuple[int, int]:
    """Returns the numbers of last and of first folders that two paths share."""
    a, b = _parts(path.parent), _parts(image.parent)
    return _common(a[::-1], b[::-1]), _common(a, b)


def _name_similarity(name, image):
    """Number of forms in which the names, with and without suffix, are equal."""
    forms: tuple[Callable[[str], str], ...]
    forms = str, functools.partial(unicodedata.normalize, "NFC"), fold
    return sum(
        (form(name) == form(image.name))
        + (form(image.stem) in (form(name), form(_bare(name))))
        for form in forms
    )


def _bare(name):
    """The name without the suffix of an image."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in IMAGE_SUFFIXES else name


def _best(items, key):
    most = max(map(key, items), default=None)
    return [item for item in items if key(item) == most]


def _parts(folder):
    return [*map(fold, folder.parts)]


def _starts(image, folder):
    return _parts(image.parent)[: len(folder)] == folder


def _common(a, b):
    """Number of equal items at the beginning."""
    pairs = zip(a, b, strict=False)
    return next((n for n, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))
