"""Prepared copies after a killed preparation and after damage."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from cpcnn_jax import config, data

NUMBER = 12
CODE = """
import sys, time
from cpcnn_jax import config, data
from cpcnn_jax.data import readers

read = readers.check_image
def read_slowly(path):
    print("reads", file=sys.stderr, flush=True)
    time.sleep(0.05)
    return read(path)

readers.check_image = read_slowly
data.open_dataset(config.Folder(root=sys.argv[1]), "train")
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    root = tmp_path / "images"
    for split in ("train", "test"):
        (root / split).mkdir(parents=True)
        for n in range(NUMBER):
            noise = np.random.default_rng(n).integers(0, 256, (64, 64, 3), np.uint8)
            noise[0, 0] = len(split)  # the splits share no image
            Image.fromarray(noise).save(root / split / f"{n}.png")
            lines = "".join(f"{x},{n}\n" for x in range(n))
            (root / split / f"{n}.csv").write_text("x,y\n" + lines)
    return root


def list_copies(tmp_path):
    """(complete copies, all files in the folder of copies)."""
    files = [path for path in (tmp_path / "prepared").rglob("*") if path.is_file()]
    infos = [path for path in files if path.name == "dataset_info.json"]
    return [path for path in infos if "incomplete" not in str(path)], files


def check_dataset(dataset):
    assert dataset.names == tuple(str(n) for n in range(NUMBER))
    assert [len(points) for points in dataset.points] == [*range(NUMBER)]
    expected = np.random.default_rng(7).integers(0, 256, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(dataset[7]["image"][1:], expected[1:])


@pytest.mark.parametrize("reads", [1, NUMBER + 2])  # in the first split, the second
def test_killed_preparation_leaves_no_copy(root, tmp_path, reads):
    command = [sys.executable, "-c", CODE, str(root)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ}) as run:
        for _ in range(reads):
            assert run.stderr.readline() == b"reads\n"
        run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    complete, files = list_copies(tmp_path)
    assert not complete
    assert bool(files) == (reads > NUMBER)  # a split is written at once
    check_dataset(data.open_dataset(config.Folder(root=str(root)), "train"))
    assert len(list_copies(tmp_path)[0]) == 1


def test_damaged_copy_is_prepared_again(root, tmp_path):
    dataset = data.open_dataset(config.Folder(root=str(root)), "train")
    (info,), files = list_copies(tmp_path)
    for path in files:
        if "train" in path.name:
            path.write_bytes(path.read_bytes()[:100])
    del dataset
    check_dataset(data.open_dataset(config.Folder(root=str(root)), "train"))
    assert list_copies(tmp_path)[0] == [info]
