"""Index of a user's own folder: its images and the annotation of each image.

The layout is in `cpcnn_jax.data.datasets.folder`. An error in one image is raised when
its head points are read, so that the image can be skipped or listed.
"""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from cpcnn_jax.data import annotated_image, annotations, checksums
from cpcnn_jax.data.annotations import dot_map
from cpcnn_jax.data.annotations import heads as heads_lib
from cpcnn_jax.data.datasets import folder_files, image_names

Samples = list[annotated_image.AnnotatedImage]
_MATLAB = (
    "is missing, and MATLAB files (.mat) are not read in a folder of your own images: "
    "convert them to CSV or JSON."
)


class FolderIndex(NamedTuple):
    """Content of a folder."""

    splits: dict[str, Samples]  # one split "" in a folder without splits
    strays: list[tuple[Path, str]]  # (annotation file, name of the missing image)
    unused: list[tuple[Path, str]]  # (image or folder that is not used, sentence)
    left_out: collections.Counter[str]  # all that is not used, by kind
    labels: collections.Counter[str]  # number of heads of each label


@dataclasses.dataclass(frozen=True, eq=False)
class _Mark:
    """Annotation of one image in one file."""

    file: Path
    name: str  # key of `annotations.HeadsByImage`
    heads: heads_lib.Heads | ValueError  # the error if the file cannot be read


def index_folder(folder: Path) -> FolderIndex:
    """Finds the images and annotations of a folder, with or without train and test.

    Raises:
      ValueError: a file with the annotations of several images cannot be read.
    """
    files = folder_files.list_folder(folder)
    check = checksums.make_checker(folder)
    marks: dict[Path, list[_Mark]] = collections.defaultdict(list)
    strays: list[_Mark] = []
    everywhere = _names(files, files.heads)
    for split, paths in files.heads.items():
        splits = files.images if split is None else [split]
        images = {image for s in splits for image in files.images[s]}
        names = _names(files, {split, *splits})
        for mark in _read_all(paths, check):
            meant = _drop_other(_find_images(names, mark), images)
            if "/" in mark.name.removeprefix("./"):  # it may lead to another split
                meant = {*meant}.intersection(_find_images(everywhere, mark))
            if len(meant) > 1:
                mark = dataclasses.replace(mark, heads=_ambiguous(mark, meant))
            if not meant:  # the images that are not used are listed themselves
                strays.append(mark)
            for image in images.intersection(meant):
                marks[image].append(mark)
    for image in marks:
        strays += _drop_farther(image, marks[image])
    for mark in strays:
        if isinstance(mark.heads, ValueError):
            raise mark.heads
    return FolderIndex(
        {
            s: _make_samples(
                i,
                marks,
                folder_files.find_split(folder, s) or folder,
                files.left_out[".mat"] > 0,
            )
            for s, i in files.images.items()
        },
        [(mark.file, mark.name.removeprefix("./")) for mark in strays],
        files.unused,
        files.left_out,
        collections.Counter(
            label
            for mark in (mark for same in marks.values() for mark in same)
            for label in getattr(mark.heads, "labels", ())
        ),
    )


def invalid_image(image: Path, sentence: str) -> annotated_image.AnnotatedImage:
    """A sample whose head points raise a ValueError with this sentence."""

    def refuse(_):
        raise ValueError(sentence)

    return annotated_image.AnnotatedImage(image, str(image), refuse)


def _find_images(names, mark):
    """The images that a mark may mean: by its name, or by that of its own file.

    A file of LabelMe holds the name of its image, and keeps it if both are renamed.
    """
    meant = names.find(mark.file, mark.name)
    if not mark.name.startswith("./") or mark.file.suffix.lower() != ".json":
        return meant
    own = names.find(mark.file, f"./{mark.file.stem}")
    return [*dict.fromkeys([*meant, *own])]


def _names(files, splits):
    """The names of the images of some splits, used or not."""
    images = [i for s in splits for i in files.images.get(s, ())]
    return image_names.ImageNames(
        [*images, *(i for s in splits for i in files.other_images.get(s, ()))]
    )


def _drop_other(meant, used):
    """Drops images that are not used and differ from a used one in the suffix only."""
    if len({image.with_suffix("") for image in meant}) > 1:
        return meant
    return [image for image in meant if image in used] or meant


def _drop_farther(image, marks):
    """Removes and returns the marks of other images in a file that has a nearer one."""
    dropped = []
    for file in {mark.file for mark in marks}:
        near = {
            mark: image_names.folder_similarity(
                image_names.stated_path(file, mark.name), image
            )
            for mark in marks
            if mark.file == file
        }
        dropped += [mark for mark in near if near[mark] < max(near.values())]
    marks[:] = [mark for mark in marks if mark not in dropped]
    return dropped


def _make_samples(images, marks, folder, has_mat):
    """The samples of a split; namesakes have their folder in the name."""
    forms = {image: _possible_names(image, folder) for image in images}
    number = collections.Counter(n for names in forms.values() for n in {*names})
    return [
        _make_sample(image, marks[image], has_mat)._replace(
            name=next((n for n in forms[image] if number[n] == 1), forms[image][-1])
        )
        for image in images
    ]


def _possible_names(image, folder):
    path = image.relative_to(folder)
    return image.stem, path.with_suffix("").as_posix(), path.as_posix()


def _make_sample(image, marks, has_mat):
    """The sample of an image, given its annotations."""
    place = f"{image.with_suffix('.csv')} (or .json, or a file that names it)"
    if not marks and has_mat:
        return invalid_image(image, f"{image} has no annotation: {place} {_MATLAB}")
    if not marks:
        return annotated_image.AnnotatedImage(image, place, None)
    for mark in marks:
        if isinstance(mark.heads, ValueError):
            return invalid_image(image, str(mark.heads))
    if len(marks) > 1:
        a, b = (_place(mark) for mark in marks[:2])
        return invalid_image(image, f"{image} has two annotations, in {a} and {b}.")
    file, heads = marks[0].file, marks[0].heads
    place = str(file) if file.stem == image.stem else f"{file}, {image.name}"
    return annotated_image.AnnotatedImage(
        image, place, lambda _: heads.points, heads.size, heads.upright
    )


def _place(mark):
    own = mark.name.startswith("./")
    return str(mark.file) if own else f"{mark.file} ({mark.name})"


def _ambiguous(mark, images):
    """An error, since the name in an annotation file may mean several images."""
    first, second = sorted(images)[:2]
    return ValueError(
        f"{mark.file} annotates {mark.name.removeprefix('./')}, which may be {first} "
        f"or {second}: write its folder and suffix, or rename one."
    )


def _read_all(files: Iterable[Path], check: Callable) -> list[_Mark]:
    """Reads annotation files."""
    marks = []
    for file in files:
        heads: Mapping[str, heads_lib.Heads | ValueError]
        try:
            heads = annotations.read(check(file))
        except ValueError as error:
            heads = {f"./{file.stem.removesuffix(dot_map.SUFFIX)}": error}
        marks += [_Mark(file, name, value) for name, value in heads.items()]
    return marks
