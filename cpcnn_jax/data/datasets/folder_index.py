"""The photographs of a folder of one's own, and which heads are whose.

The layout is in `cpcnn_jax.data.datasets.folder`. What is wrong with one photograph is
said when
its heads are asked for, so that it can be skipped or listed.
"""

import collections
from pathlib import Path
from typing import NamedTuple

from cpcnn_jax.data import annotations, checksums, sample
from cpcnn_jax.data.annotations import dot_map
from cpcnn_jax.data.annotations import heads as heads_lib

SPLITS = ("train", "test")
IMAGES, HEADS = (".jpg", ".jpeg", ".png"), (".csv", ".json", ".xml")


class FolderIndex(NamedTuple):
    """What a folder holds."""

    splits: dict  # {split: `sample.Sample`s}; {"": them} of a folder without any
    strays: list  # (file of annotations, name of a photograph that is not there)


def index_folder(folder):
    """Finds the photographs of a folder and their heads.

    Args:
      folder: with train or test in it, or with neither and photographs.

    Returns:
      `FolderIndex`.

    Raises:
      ValueError: annotations of several photographs cannot be read.
    """
    splits = [s for s in SPLITS if (folder / s).is_dir()] or [""]
    files = {split: _tree(folder / split) for split in splits}
    images = {s: [f for f in files[s] if _is_image(f, folder)] for s in splits}
    stems = {split: _by(lambda f: f.stem, images[split]) for split in splits}
    check = checksums.make_checker(folder)
    marked = {split: _read_all(files[split], check) for split in splits}
    if splits != [""]:  # files for both
        for mark in _read_all(sorted(folder.glob("[!.]*")), check):
            named = [split for split in splits if mark.name in stems[split]]
            mark = _doubtful(mark) if len(named) > 1 else mark
            for split in named or splits[:1]:
                marked[split].append(mark)
    strays = [m for s in splits for m in marked[s] if m.name not in stems[s]]
    for mark in strays:
        if isinstance(mark.heads, ValueError):
            raise mark.heads
    found = {split: _by(lambda mark: mark.name, marked[split]) for split in splits}
    return FolderIndex(
        {
            s: [_photograph(i, stems[s][i.stem], found[s][i.stem]) for i in images[s]]
            for s in splits
        },
        [(mark.file, mark.name) for mark in strays],
    )


class _Mark(NamedTuple):
    """What a file says of one photograph."""

    file: Path
    name: str  # the photograph's, without its suffix
    heads: heads_lib.Heads | ValueError  # or why the file could not be read


def _photograph(image, namesakes, found):
    """The photograph with the heads that were found for it."""
    if namesakes[0] != image:
        return invalid_image(
            image, f"{image} has the name of {namesakes[0]}: rename one."
        )
    if len(found) > 1:
        both = f"{found[0].file} and {found[1].file}"
        return invalid_image(image, f"{image} has two annotations, in {both}.")
    if not found:
        place = f"{image.with_suffix('.csv')} (or .json, or a file that names it)"
        return sample.Sample(image, place, None)
    file, _, heads = found[0]
    if isinstance(heads, ValueError):
        return invalid_image(image, str(heads))
    place = str(file) if file.stem == image.stem else f"{file}, {image.name}"
    return sample.Sample(image, place, lambda _: heads.points, heads.size)


def invalid_image(image, sentence):
    """A photograph that cannot be used: its heads are a ValueError that says why."""

    def refuse(_):
        raise ValueError(sentence)

    return sample.Sample(image, str(image), refuse)


def _doubtful(mark):
    """A mark that could be of a photograph in each split, and so is of none."""
    text = f"{mark.file} speaks of {mark.name}, and that is in train and in test."
    return mark._replace(heads=ValueError(text))


def _by(key, items):
    """Lists of the items by their keys; an empty one where there are none."""
    found = collections.defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return found


def _tree(folder):
    """All files of a folder but the hidden, and folders that are links."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if not any(p.startswith(".") for p in path.relative_to(folder).parts)
        and (path.is_symlink() or path.is_file())
    ]


def _is_image(path, folder):
    """Whether it is a photograph, or a linked folder that may hold some."""
    if path.is_dir():
        return not path.resolve().is_relative_to(folder.resolve())
    return path.suffix.lower() in IMAGES and not path.stem.endswith(dot_map.SUFFIX)


def _read_all(files, check):
    """The `_Mark`s of all files of annotations among some files."""
    found = []
    for file in files:
        dotted = file.suffix.lower() == ".png" and file.stem.endswith(dot_map.SUFFIX)
        if dotted or (file.suffix.lower() in HEADS and not file.is_dir()):
            try:
                heads = annotations.read(check(file))
            except ValueError as error:
                heads = {file.stem.removesuffix(dot_map.SUFFIX): error}
            found += [_Mark(file, name, of) for name, of in heads.items()]
    return found
