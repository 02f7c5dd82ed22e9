"""Batches of training crops and patches: content, order and resuming."""

import collections
import doctest
import functools
import itertools
import subprocess
import sys
import threading

import numpy as np
import pytest
from grey_images import Mixed

from cpcnn_jax import config, data
from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.data import input_pipeline

CROPS = config.Crops(num_plain=3, num_augmented=4, num_patches=5)
TARGET = config.Target()


@pytest.fixture(scope="module")
def dataset():
    return data.open_dataset(
        config.SyntheticCrowd(num_train=6, height=256, width=384), "train"
    )


def take(batches, number):
    try:
        return list(itertools.islice(batches, number))
    finally:
        batches.close()


def crop_batches(dataset, crops=CROPS, **options):
    options = {"batch_size": 4, "seed": 7} | options
    return input_pipeline.crop_batches(dataset, crops, TARGET, **options)


def equal(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_examples():
    assert doctest.testmod(input_pipeline).failed == 0
    assert doctest.testmod(data).failed == 0


def test_batches_have_the_documented_shapes(dataset):
    (batch,) = take(crop_batches(dataset), 1)
    assert {k: (v.shape, v.dtype) for k, v in batch.items()} == {
        "image": ((4, 64, 128, 3), np.float32),
        "density": ((4, 64, 128, 1), np.float32),
        "count": ((4,), np.float32),
        "crop": ((4, 2), np.int32),
    }
    (batch,) = take(
        input_pipeline.patch_batches(dataset, CROPS, batch_size=5, seed=1), 1
    )
    assert {k: (v.shape, v.dtype) for k, v in batch.items()} == {
        "image": ((5, 64, 64, 3), np.float32),
        "count": ((5,), np.float32),
        "crop": ((5, 2), np.int32),
    }


def test_each_epoch_holds_every_crop_once_in_a_new_order(dataset):
    number = len(dataset) * 7
    crops = config.Crops(num_plain=7, num_augmented=0)
    batches = take(crop_batches(dataset, crops, batch_size=7), 2 * number // 7)
    images = [image.tobytes() for batch in batches for image in batch["image"]]
    first, second = images[:number], images[number:]
    assert len(set(first)) == number
    assert set(first) == set(second) and first != second


def test_batches_of_one_have_no_end(dataset):
    """Grain cannot batch an endless repetition one by one."""
    crops = take(crop_batches(dataset, batch_size=1, start=10**9), 3)
    assert [batch["crop"].shape for batch in crops] == [(1, 2)] * 3


def test_starting_at_k_equals_skipping_k_batches(dataset):
    batches = take(crop_batches(dataset), 30)
    assert equal(take(crop_batches(dataset, start=17), 1)[0], batches[17])
    assert equal(take(crop_batches(dataset, start=29), 1)[0], batches[29])
    assert not equal(batches[0], batches[1])
    patches = [
        input_pipeline.patch_batches(dataset, CROPS, batch_size=3, seed=1, start=start)
        for start in (0, 12)
    ]
    assert equal(take(patches[0], 13)[12], take(patches[1], 1)[0])


def test_batches_contain_the_indices_of_their_crops(dataset):
    batches = take(crop_batches(dataset), 5)
    numbers = [tuple(pair) for batch in batches for pair in batch["crop"].tolist()]
    images = [image for batch in batches for image in batch["image"]]
    for (i, j), image in zip(numbers, images, strict=True):
        crop = crops_lib.read_crop(dataset, CROPS, TARGET, 7, i, j)
        np.testing.assert_array_equal(crop["image"], image)
    order = {"batch_size": 4, "seed": 7}
    assert input_pipeline.crops_used(dataset, CROPS, steps=5, **order) == set(numbers)
    every = {(i, j) for i in range(6) for j in range(7)}
    assert input_pipeline.crops_used(dataset, CROPS, steps=100, **order) == every


@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_read_the_rows_of_one_batch(dataset, hosts):
    batches = take(crop_batches(dataset), 6)
    parts = [
        take(
            crop_batches(dataset, reading=input_pipeline.ReadOptions(0, host, hosts)), 6
        )
        for host in range(hosts)
    ]
    for batch, *rows in zip(batches, *parts, strict=True):
        together = {k: np.concatenate([r[k] for r in rows]) for k in batch}
        assert all(len(r["count"]) == 4 // hosts for r in rows)
        assert equal(batch, together)


def test_worker_processes_read_the_same_batches(tmp_path):
    """Runs a script, since every worker imports the main module again."""
    script = tmp_path / "script.py"
    script.write_text(
        "import itertools, sys\n"
        "import numpy as np\n"
        "from absl import flags\n"
        "from cpcnn_jax import config, data\n"
        "from cpcnn_jax.data import input_pipeline\n"
        "def take(workers):\n"
        "    dataset = data.open_dataset(config.SyntheticCrowd(num_train=4), 'train')\n"
        "    batches = input_pipeline.patch_batches(dataset, config.Crops(),\n"
        "        batch_size=4, seed=3, start=17,\n"
        "        reading=input_pipeline.ReadOptions(workers))\n"
        "    first = list(itertools.islice(batches, 5))\n"
        "    batches.close()\n"
        "    return first\n"
        "if __name__ == '__main__':\n"
        "    flags.FLAGS(sys.argv)\n"
        "    for a, b in zip(take(0), take(2), strict=True):\n"
        "        assert all(np.array_equal(a[k], b[k]) for k in a)\n"
        "    print('equal')\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "equal\n", done.stderr


def test_batches_depend_on_the_seed(dataset):
    assert equal(take(crop_batches(dataset), 1)[0], take(crop_batches(dataset), 1)[0])
    other = take(crop_batches(dataset, seed=8), 1)[0]
    assert not equal(take(crop_batches(dataset), 1)[0], other)


def test_batches_have_one_size_each_in_proportion_to_the_crops():
    dataset = Mixed((256, 512), (640, 640), (256, 520), (250, 500), (300, 80))
    batches = take(crop_batches(dataset), 100)
    sizes = collections.Counter(batch["image"].shape[1:3] for batch in batches)
    assert sizes == {(64, 128): 60, (128, 128): 20, (64, 64): 20}
    assert {batch["image"].shape[1:3] for batch in batches[:6]} == set(sizes)


def test_too_small_image_raises_value_error():
    patch_batches = functools.partial(
        input_pipeline.patch_batches, crops=CROPS, batch_size=1, seed=0
    )
    for batches in (crop_batches, patch_batches):
        with pytest.raises(
            ValueError, match="grey_1 has 200x63 pixels.*at least 64x64"
        ):
            batches(Mixed((64, 64), (63, 200)))


def test_closing_ends_the_reading_ahead(dataset):
    batches = crop_batches(dataset)
    next(batches)
    batches.close()
    for thread in threading.enumerate():
        if thread.name.startswith("grain-prefetch"):
            thread.join(timeout=10)
            assert not thread.is_alive()
    with pytest.raises(StopIteration):
        next(batches)


def test_process_ends_in_the_middle_of_an_epoch_without_output():
    code = (
        "from cpcnn_jax import config, data\n"
        "from cpcnn_jax.data import input_pipeline\n"
        "dataset = data.open_dataset(config.SyntheticCrowd(num_train=4), 'train')\n"
        "batches = input_pipeline.crop_batches(dataset, config.Crops(),\n"
        "    config.Target(), batch_size=8, seed=0)\n"
        "print(next(batches)['image'].shape)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "(8, 64, 64, 3)\n" and done.stderr == ""
