"""Index of a user's own folder: its images and the annotation of each image.

The layout is in `cpcnn_jax.data.datasets.folder`. An error in one image is raised when
its head points are read, so that the image can be skipped or listed.
"""

import collections
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cpcnn_jax.data import annotated_image, annotations, checksums
from cpcnn_jax.data.annotations import dot_map
from cpcnn_jax.data.annotations import heads as heads_lib

SPLITS = ("train", "test")
IMAGES, HEADS = (".jpg", ".jpeg", ".png"), (".csv", ".json", ".xml")


class FolderIndex(NamedTuple):
    """Content of a folder."""

    splits: dict[
        str, list[annotated_image.AnnotatedImage]
    ]  # one split "" in a folder without splits
    strays: list[tuple[Path, str]]  # (annotation file, name of the missing image)


class _Mark(NamedTuple):
    """Annotation of one image in one file."""

    file: Path
    name: str  # the image's, without its suffix
    heads: heads_lib.Heads | ValueError  # the error if the file cannot be read


def index_folder(folder: Path) -> FolderIndex:
    """Finds the images and annotations of a folder, with or without train and test.

    Raises:
      ValueError: a file with the annotations of several images cannot be read.
    """
    splits = [s for s in SPLITS if (folder / s).is_dir()] or [""]
    files = {split: _list_files(folder / split) for split in splits}
    images = {s: [f for f in files[s] if _is_image(f, folder)] for s in splits}
    stems = {split: _group(images[split], lambda f: f.stem) for split in splits}
    check = checksums.make_checker(folder)
    marks = {split: _read_all(files[split], check) for split in splits}
    if splits != [""]:  # files for both
        for mark in _read_all(sorted(folder.glob("[!.]*")), check):
            named = [split for split in splits if mark.name in stems[split]]
            mark = _ambiguous(mark) if len(named) > 1 else mark
            for split in named or splits[:1]:
                marks[split].append(mark)
    strays = [m for s in splits for m in marks[s] if m.name not in stems[s]]
    for mark in strays:
        if isinstance(mark.heads, ValueError):
            raise mark.heads
    by_name = {split: _group(marks[split], lambda mark: mark.name) for split in splits}
    return FolderIndex(
        {
            s: [
                _make_sample(i, stems[s][i.stem], by_name[s][i.stem]) for i in images[s]
            ]
            for s in splits
        },
        [(mark.file, mark.name) for mark in strays],
    )


def invalid_image(image: Path, sentence: str) -> annotated_image.AnnotatedImage:
    """A sample whose head points raise a ValueError with this sentence."""

    def refuse(_):
        raise ValueError(sentence)

    return annotated_image.AnnotatedImage(image, str(image), refuse)


def _make_sample(image, namesakes, marks):
    """The sample of an image, given all images and annotations of its name."""
    if namesakes[0] != image:
        text = f"{image} has the name of {namesakes[0]}: rename one."
        return invalid_image(image, text)
    if len(marks) > 1:
        both = f"{marks[0].file} and {marks[1].file}"
        return invalid_image(image, f"{image} has two annotations, in {both}.")
    if not marks:
        place = f"{image.with_suffix('.csv')} (or .json, or a file that names it)"
        return annotated_image.AnnotatedImage(image, place, None)
    file, _, heads = marks[0]
    if isinstance(heads, ValueError):
        return invalid_image(image, str(heads))
    place = str(file) if file.stem == image.stem else f"{file}, {image.name}"
    return annotated_image.AnnotatedImage(
        image, place, lambda _: heads.points, heads.size
    )


def _ambiguous(mark):
    """The mark with an error, since both splits have an image of its name."""
    text = f"{mark.file} annotates {mark.name}, which is in train and in test."
    return mark._replace(heads=ValueError(text))


def _group(items: Iterable, key: Callable) -> dict[str, list[Any]]:
    """Lists of the items by key; a missing key has an empty list."""
    groups = collections.defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups


def _list_files(folder):
    """All files of a folder and linked folders, without hidden ones."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if not any(p.startswith(".") for p in path.relative_to(folder).parts)
        and (path.is_symlink() or path.is_file())
    ]


def _is_image(path, folder):
    """True for an image, and for a linked folder outside, which is an error later."""
    if path.is_dir():
        return not path.resolve().is_relative_to(folder.resolve())
    return path.suffix.lower() in IMAGES and not path.stem.endswith(dot_map.SUFFIX)


def _read_all(files: Iterable[Path], check: Callable) -> list[_Mark]:
    """Reads all annotation files among some files."""
    marks = []
    for file in files:
        dots = file.suffix.lower() == ".png" and file.stem.endswith(dot_map.SUFFIX)
        if dots or (file.suffix.lower() in HEADS and not file.is_dir()):
            heads: Mapping[str, heads_lib.Heads | ValueError]
            try:
                heads = annotations.read(check(file))
            except ValueError as error:
                heads = {file.stem.removesuffix(dot_map.SUFFIX): error}
            marks += [_Mark(file, name, value) for name, value in heads.items()]
    return marks
