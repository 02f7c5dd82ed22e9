"""Damaged annotation files of every format are read, or refused in a sentence."""

import io

import annotation_writers
import fuzzing
import numpy as np
import pytest
import scipy.sparse
from scipy.io import savemat

from cpcnn_jax.data import annotations, readers

FULL = 10_000  # files of the long test
MATRICES = (
    ("mat", {"annPoints": np.arange(6.0).reshape(3, 2)}),
    ("GT.mat", {"image_info": np.array([[{"location": np.ones((2, 2))}]], object)}),
    (
        "mat",
        {
            "annPoints": np.ones((2, 2)) * 5,
            "s": scipy.sparse.csc_matrix(1j * np.eye(2)),
        },
    ),
    ("mat", {"annPoints": np.full((2, 2), 5), "texts": np.array(["text", "more"])}),
)


@pytest.fixture(scope="module")
def seeds():
    """[(suffix, content)] of valid files: each format six times, and MATLAB's."""
    rng = np.random.default_rng(0)
    files = []
    for writer in (*annotation_writers.OF_ONE_IMAGE, *annotation_writers.OF_MANY):
        names = ["IMG_1.jpg", "cam1/IMG_2.png"]
        names = names[: 1 + (writer in annotation_writers.OF_MANY)]
        for _ in range(6):
            content, suffix = writer(rng, annotation_writers.draw_truth(rng, names))
            files.append((suffix, content))
    for suffix, variables in MATRICES:
        for compressed in (False, True):
            file = io.BytesIO()
            savemat(file, variables, do_compression=compressed)
            files.append((suffix, file.getvalue()))
    return files


def damaged(folder, seeds, number, seed):
    """Yields (path, content): bytes changed, or the numbers and words of a text."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        suffix, content = seeds[rng.integers(len(seeds))]
        if suffix in ("csv", "json", "xml") and rng.random() < 0.5:
            content = fuzzing.mutate_text(rng, content)
        else:
            other = seeds[rng.integers(len(seeds))][1]
            content = fuzzing.mutate(rng, content, other, head=rng.choice([64, 256]))
        yield folder / f"IMG_1.{suffix}", content


def read(path):
    if path.name.endswith("GT.mat"):
        arrays = [readers.read_mat(path, readers.image_info, "positions")]
    elif path.suffix == ".mat":
        arrays = [readers.read_points(path)]
    else:
        arrays = [heads.points for heads in annotations.read(path).values()]
    for points in arrays:
        points = readers.as_points(points, path)
        assert points.dtype == np.float32 and points.shape == (len(points), 2)


def test_undamaged_files_are_read(tmp_path, seeds):
    files = [(tmp_path / f"IMG_1.{suffix}", content) for suffix, content in seeds]
    assert fuzzing.fuzz(files, read) == (len(files), [])


@pytest.mark.parametrize("number", [300, pytest.param(FULL, marks=pytest.mark.long)])
def test_damaged_files_are_read_or_refused(tmp_path, seeds, number):
    result, growth = fuzzing.fuzz_new_process(damaged, tmp_path, seeds, number, read)
    print(f"{result.read} read, {len(result.refused)} refused")
    assert result.read > number / 20 and len(result.refused) > number / 20
    assert growth is None or growth < fuzzing.MAX_GROWTH
