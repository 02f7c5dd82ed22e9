"""The prepared copy after a preparation that was killed, and after damage."""

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
def slowly(path):
    print("reads", file=sys.stderr, flush=True)
    time.sleep(0.05)
    return read(path)

readers.check_image = slowly
data.open_source(config.Folder(root=sys.argv[1]), "train")
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    root = tmp_path / "photographs"
    for split in ("train", "test"):
        (root / split).mkdir(parents=True)
        for n in range(NUMBER):
            noise = np.random.default_rng(n).integers(0, 256, (64, 64, 3), np.uint8)
            noise[0, 0] = len(split)  # the splits share no photograph
            Image.fromarray(noise).save(root / split / f"{n}.png")
            lines = "".join(f"{x},{n}\n" for x in range(n))
            (root / split / f"{n}.csv").write_text("x,y\n" + lines)
    return root


def copies(tmp_path):
    """Whole copies, and all files of the folder of copies."""
    files = [path for path in (tmp_path / "prepared").rglob("*") if path.is_file()]
    whole = [
        p for p in files if p.name == "dataset_info.json" and "incomp" not in str(p)
    ]
    return whole, files


def check(source):
    assert source.names == tuple(str(n) for n in range(NUMBER))
    assert [len(points) for points in source.points] == [*range(NUMBER)]
    expected = np.random.default_rng(7).integers(0, 256, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(source[7]["image"][1:], expected[1:])


@pytest.mark.parametrize("reads", [1, NUMBER + 2])  # in the first split, the second
def test_a_killed_preparation_leaves_nothing_that_is_used(root, tmp_path, reads):
    words = [sys.executable, "-c", CODE, str(root)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=dict(os.environ)) as made:
        for _ in range(reads):
            assert made.stderr.readline() == b"reads\n"
        made.send_signal(signal.SIGKILL)
    assert made.returncode == -signal.SIGKILL
    whole, files = copies(tmp_path)
    assert not whole and bool(files) == (reads > NUMBER)  # a split is written at once
    check(data.open_dataset(config.Folder(root=str(root)), "train"))
    assert len(copies(tmp_path)[0]) == 1


def test_a_damaged_copy_is_made_again(root, tmp_path):
    source = data.open_dataset(config.Folder(root=str(root)), "train")
    (whole,), files = copies(tmp_path)
    for path in files:
        if "train" in path.name:
            path.write_bytes(path.read_bytes()[:100])
    del source
    check(data.open_dataset(config.Folder(root=str(root)), "train"))
    assert copies(tmp_path)[0] == [whole]
