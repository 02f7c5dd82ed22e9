"""Random head points in every format and dialect are read back equal or refused."""

import collections
import os
import unicodedata
from pathlib import Path

import annotation_writers
import numpy as np
import pytest

from cpcnn_jax.data import annotations
from cpcnn_jax.data.datasets import folder_index
from cpcnn_jax.data.datasets.image_names import fold

NUMBER = 300  # random files of each format
WRITERS = (*annotation_writers.OF_ONE_IMAGE, *annotation_writers.OF_MANY)
WORDS = (
    "IMG_1",
    "2024.05.01 12.30",
    "a, b; c",
    'the "1"',
    "<&>",
    "广场",
    "é",
    "_",
    "7",
)
SUFFIXES = (".jpg", ".JPG", ".jpeg", ".png")


def draw_name(rng):
    folders = rng.choice(["", "cam1/", "cam2/", "cam1/day.2/"])
    return str(folders + rng.choice(WORDS) + rng.choice(SUFFIXES))


def draw_truth(rng, writer):
    number = 1 if writer in annotation_writers.OF_ONE_IMAGE else rng.integers(1, 4)
    names = dict.fromkeys(draw_name(rng) for _ in range(number))
    return annotation_writers.draw_truth(rng, names)


def in_order(points):
    points = np.asarray(points, np.float64).reshape(-1, 2)
    return points[np.lexsort(points.T)]


def equal(points, expected):
    """Whether points are equal in any order, up to a thousandth of a pixel."""
    return len(points) == len(expected) and np.allclose(
        in_order(points), in_order(expected), atol=1e-3
    )


@pytest.mark.parametrize("writer", WRITERS)
def test_random_points_are_read_back_equal(writer, tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(NUMBER):
        truth = draw_truth(rng, writer)
        data, suffix = writer(rng, truth)
        file = tmp_path / f"own.{suffix}"
        file.write_bytes(data)
        heads = annotations.read(file)
        names = [name.removeprefix("./") for name in heads]
        assert names == [*truth] or names == ["own"], data
        for value, expected in zip(heads.values(), truth.values(), strict=True):
            assert equal(value.points, expected), data
            assert value.size in (None, annotation_writers.SIZE)


def draw_images(rng, root):
    """Creates empty image files, of which many share a name."""
    folders = ("train", "train/cam1", "train/cam2", "train/cam2/images", "test")
    images = {
        root / rng.choice(folders) / f"{rng.choice(WORDS)}{rng.choice(SUFFIXES)}"
        for _ in range(rng.integers(2, 8))
    }
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for image in images:
        image.touch()
    return sorted(images)


def state_name(rng, image, file, images):
    """A name for an image in an annotation file, as different tools write it."""
    path = Path(os.path.relpath(image, file.parent)).as_posix()
    alone = sum(fold(i.stem) == fold(image.stem) for i in images) == 1
    name = rng.choice([path, "D:\\data\\" + "\\".join(image.parts[-3:])])
    if alone or image.parent == file.parent:
        name = rng.choice([path, image.name])
    if alone:
        forms = (image.name.upper(), image.stem, f"{image.stem}.tif", f"x/{image.name}")
        name = rng.choice([path, image.name, *forms, f"1a2b3c4d-{image.name}"])
    return unicodedata.normalize(rng.choice(["NFC", "NFD"]), str(name))


def write_random_annotations(rng, root, images):
    """Writes annotation files for groups of images; returns {image: points}."""
    truth = annotation_writers.draw_truth(rng, images)
    groups, depth = rng.integers(0, 3, len(images)), len(root.parts)
    for group in range(3):
        many = [i for i, g in zip(images, groups, strict=True) if g == group]
        splits = {image.parts[depth] for image in many}
        places = [root, *(image.parent for image in many)]
        if rng.random() < 0.9:  # else beside images of another split, so unused
            places = [root, *(p for p in places if {*p.parts[depth:][:1]} == splits)]
        folder = rng.choice(places)
        for members in [many] if many and rng.random() < 0.7 else [[i] for i in many]:
            writers = WRITERS if len(members) == 1 else annotation_writers.OF_MANY
            writer = writers[rng.integers(len(writers))]
            file = Path(folder, f"heads{rng.integers(1 << 30)}")
            if writer not in annotation_writers.OF_MANY:
                file = members[0].parent / members[0].stem
            names = {state_name(rng, i, file, images): truth[i] for i in members}
            data, suffix = writer(rng, names)
            if writer is annotation_writers.write_dot_map:
                file = file.with_name(f"{file.name}_dots")
            file = file.with_name(f"{file.name}.{suffix}")
            if len(names) == len(members) and not file.exists():
                file.write_bytes(data)
            if len(members) == 1:
                truth[members[0]] = next(iter(names.values()))
    return truth


def test_images_have_their_own_heads_or_none(tmp_path):
    rng, results = np.random.default_rng(0), collections.Counter()
    for number in range(NUMBER):
        root = tmp_path / str(number)
        images = draw_images(rng, root)
        truth = write_random_annotations(rng, root, images)
        try:
            index = folder_index.index_folder(root)
        except ValueError as error:
            results["refused"] += len(images)
            assert str(root) in str(error)
            continue
        for sample in (item for items in index.splits.values() for item in items):
            try:
                points = sample.read and sample.read(sample.annotation)
            except ValueError as error:
                results["refused"] += 1
                assert str(root) in str(error)
                continue
            results["none" if points is None else "equal"] += 1
            assert points is None or equal(points, truth[sample.image]), sample
    others = results.total() - results["equal"]
    assert results["equal"] > 10 * others > 100, results
