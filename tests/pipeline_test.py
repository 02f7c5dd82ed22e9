"""Training crops and patches: their values, their order, and resuming by number."""

import collections
import doctest
import itertools
import subprocess
import sys
import threading

import numpy as np
import pytest

from cpcnn_jax import config, data, density
from cpcnn_jax.data import pipeline

CROPS = config.Crops(plain=3, changed=4, patches=5)
TARGET = config.Target()


@pytest.fixture(scope="module")
def source():
    return data.open_source(config.Crowd(num_train=6, height=256, width=384), "train")


class Mixed:
    """A source of plain grey photographs of several sizes; one head in each quarter."""

    def __init__(self, *shapes):
        self.shapes = shapes
        self.names = [f"grey_{i}" for i in range(len(shapes))]
        quarters = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])
        self.points = [(quarters * s[::-1]).astype(np.float32) for s in shapes]

    def __len__(self):
        return len(self.shapes)

    def __getitem__(self, i):
        image = np.full((*self.shapes[i], 3), i, np.uint8)
        return {"name": self.names[i], "image": image, "points": self.points[i]}


def take(batches, number):
    try:
        return list(itertools.islice(batches, number))
    finally:
        batches.close()


def crop_batches(source, crops=CROPS, **options):
    options = {"batch_size": 4, "seed": 7} | options
    return pipeline.crop_batches(source, crops, TARGET, **options)


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize(
    "shape, multiple, expected",
    [
        ((768, 1024), 64, (192, 256)),
        ((683, 1024), 64, (192, 256)),  # 170.75 rounds up
        ((182, 293), 64, (64, 64)),
        ((64, 64), 64, (64, 64)),
        ((100, 1024), 128, (64, 256)),  # never larger than the photograph
        ((768, 1024), 1, (192, 256)),
        ((683, 1018), 1, (172, 256)),  # the nearest multiple of 4
        ((200, 200), 1, (64, 64)),
    ],
)
def test_crop_size(shape, multiple, expected):
    assert pipeline.crop_size(shape, config.Crops(multiple=multiple)) == expected


def test_examples():
    assert doctest.testmod(pipeline).failed == 0
    assert doctest.testmod(data).failed == 0


def test_whole_photographs_may_be_asked_for():
    crops = config.Crops(fraction=1, multiple=64)
    assert pipeline.crop_size((250, 320), crops) == (192, 320)


def test_batches_have_the_documented_shapes(source):
    (batch,) = take(crop_batches(source), 1)
    assert {k: (v.shape, v.dtype) for k, v in batch.items()} == {
        "image": ((4, 64, 128, 3), np.float32),
        "density": ((4, 64, 128, 1), np.float32),
        "count": ((4,), np.float32),
        "crop": ((4, 2), np.int32),
    }
    (batch,) = take(pipeline.patch_batches(source, CROPS, batch_size=5, seed=1), 1)
    assert {k: (v.shape, v.dtype) for k, v in batch.items()} == {
        "image": ((5, 64, 64, 3), np.float32),
        "count": ((5,), np.float32),
        "crop": ((5, 2), np.int32),
    }


def cut_of(source, i, j, seed=7):
    shape = source.shapes[i]
    return pipeline._window(seed, i, j, shape, pipeline.crop_size(shape, CROPS))[1]


def pixels(source, i, window):
    top, left, height, width = window
    return source[i]["image"][top : top + height, left : left + width] / np.float32(255)


def test_a_plain_crop_is_the_cut_of_photograph_and_full_map(source):
    for i, j in itertools.product(range(6), range(CROPS.plain)):
        crop = pipeline.read_crop(source, CROPS, TARGET, 7, i, j)
        top, left, height, width = window = cut_of(source, i, j)
        np.testing.assert_array_equal(crop["image"], pixels(source, i, window))
        full = density.density_map(source.points[i], shape=source.shapes[i])
        cut = full[top : top + height, left : left + width, None]
        np.testing.assert_allclose(crop["density"], cut, atol=1e-6)
        x, y = source.points[i].T
        within = (x >= left) & (x < left + width) & (y >= top) & (y < top + height)
        assert crop["count"] == within.sum()


def test_a_flip_turns_photograph_and_map(source):
    i, j = int(np.argmax([len(p) for p in source.points])), CROPS.plain
    crop = pipeline.read_crop(source, CROPS, TARGET, 7, i, j)
    top, left, height, width = window = cut_of(source, i, j)
    np.testing.assert_array_equal(crop["image"], pixels(source, i, window)[:, ::-1])
    full = density.density_map(source.points[i], shape=source.shapes[i])
    cut = full[top : top + height, left : left + width]
    assert not np.allclose(cut, cut[:, ::-1], atol=1e-4)
    np.testing.assert_allclose(crop["density"][..., 0], cut[:, ::-1], atol=1e-6)


def test_noise_is_uniform_within_its_bound_and_leaves_the_map(source):
    j = CROPS.plain + 1
    crop = pipeline.read_crop(source, CROPS, TARGET, 7, 0, j)
    clean = pixels(source, 0, cut_of(source, 0, j))
    noise = (crop["image"] - clean)[(clean > 0.1) & (clean < 0.9)]
    assert 0.99 * CROPS.noise < np.abs(noise).max() <= CROPS.noise * 1.0001
    assert noise.std() == pytest.approx(CROPS.noise / np.sqrt(3), rel=0.03)
    assert crop["image"].min() >= 0 and crop["image"].max() <= 1
    full = density.density_map(source.points[0], shape=source.shapes[0])
    top, left, height, width = cut_of(source, 0, j)
    cut = full[top : top + height, left : left + width, None]
    np.testing.assert_allclose(crop["density"], cut, atol=1e-6)


def test_adaptive_maps_know_the_heads_outside_the_crop(source):
    i = int(np.argmax([len(p) for p in source.points]))
    target = config.Target(kernel="adaptive")
    crop = pipeline.read_crop(source, CROPS, target, 7, i, 0)
    shape = source.shapes[i]
    full = density.density_map(source.points[i], shape=shape, sigma="adaptive")
    top, left, height, width = cut_of(source, i, 0)
    cut = full[top : top + height, left : left + width, None]
    np.testing.assert_allclose(crop["density"], cut, atol=1e-6)


class OnAStreet(Mixed):
    """The same, with a perspective map of each photograph but the last."""

    def __getitem__(self, i):
        rows = np.linspace(5, 40, self.shapes[i][0], dtype=np.float32)[:, None]
        perspective = np.broadcast_to(rows, self.shapes[i])
        last = i == len(self) - 1
        return super().__getitem__(i) | {
            "perspective": np.zeros((0, 0), np.float32) if last else perspective
        }


def test_perspective_maps_decide_the_width_of_heads():
    source, target = OnAStreet((96, 128), (96, 128)), config.Target("perspective")
    crops = config.Crops(fraction=1, multiple=4)
    crop = pipeline.read_crop(source, crops, target, 7, 0, 0)
    expected = density.density_map(
        source.points[0], shape=(96, 128), sigma=0.2 * source[0]["perspective"]
    )
    np.testing.assert_allclose(crop["density"][..., 0], expected, rtol=1e-6)
    far, near = expected[24].max(), expected[72].max()  # the heads' rows
    assert far > 5 * near > 0


@pytest.mark.parametrize("source", [OnAStreet((64, 64)), Mixed((64, 64))])
def test_without_a_perspective_map_the_error_says_what_to_do(source):
    target = config.Target(kernel="perspective")
    expected = (
        "^grey_0 has no perspective map, which --config.target.kernel=perspective "
        "needs: use fixed or adaptive$"
    )
    with pytest.raises(ValueError, match=expected):
        pipeline.read_crop(source, CROPS, target, 7, 0, 0)


def test_an_epoch_holds_every_crop_once_in_an_order_of_its_own(source):
    number = len(source) * 7
    crops = config.Crops(plain=7, changed=0)
    batches = take(crop_batches(source, crops, batch_size=7), 2 * number // 7)
    seen = [image.tobytes() for batch in batches for image in batch["image"]]
    first, second = seen[:number], seen[number:]
    assert len(set(first)) == number
    assert set(first) == set(second) and first != second


def test_batches_of_one_have_no_end(source):
    """MCNN's and CMTL's code trains so; Grain cannot batch an endless repetition so."""
    crops = take(crop_batches(source, batch_size=1, start=10**9), 3)
    assert [batch["crop"].shape for batch in crops] == [(1, 2)] * 3


def test_starting_at_k_equals_skipping_k_batches(source):
    batches = take(crop_batches(source), 30)
    assert same(take(crop_batches(source, start=17), 1)[0], batches[17])
    assert same(take(crop_batches(source, start=29), 1)[0], batches[29])
    assert not same(batches[0], batches[1])
    patches = [
        pipeline.patch_batches(source, CROPS, batch_size=3, seed=1, start=start)
        for start in (0, 12)
    ]
    assert same(take(patches[0], 13)[12], take(patches[1], 1)[0])


def test_batches_say_which_crops_they_hold(source):
    batches = take(crop_batches(source), 5)
    numbers = [tuple(pair) for batch in batches for pair in batch["crop"].tolist()]
    images = [image for batch in batches for image in batch["image"]]
    for (i, j), image in zip(numbers, images, strict=True):
        crop = pipeline.read_crop(source, CROPS, TARGET, 7, i, j)
        np.testing.assert_array_equal(crop["image"], image)
    order = {"batch_size": 4, "seed": 7}
    assert pipeline.crops_until(source, CROPS, steps=5, **order) == set(numbers)
    every = {(i, j) for i in range(6) for j in range(7)}
    assert pipeline.crops_until(source, CROPS, steps=100, **order) == every


@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_read_the_rows_of_one_batch(source, hosts):
    whole = take(crop_batches(source), 6)
    parts = [
        take(crop_batches(source, reading=pipeline.Reading(0, host, hosts)), 6)
        for host in range(hosts)
    ]
    for batch, *rows in zip(whole, *parts, strict=True):
        together = {k: np.concatenate([r[k] for r in rows]) for k in batch}
        assert all(len(r["count"]) == 4 // hosts for r in rows)
        assert same(batch, together)


def test_worker_processes_read_the_same_batches(tmp_path):
    """A script, since every worker imports the main module again."""
    script = tmp_path / "script.py"
    script.write_text(
        "import itertools, sys\n"
        "import numpy as np\n"
        "from absl import flags\n"
        "from cpcnn_jax import config, data\n"
        "from cpcnn_jax.data import pipeline\n"
        "def take(workers):\n"
        "    source = data.open_source(config.Crowd(num_train=4), 'train')\n"
        "    batches = pipeline.patch_batches(source, config.Crops(), batch_size=4,\n"
        "        seed=3, start=17, reading=pipeline.Reading(workers))\n"
        "    found = list(itertools.islice(batches, 5))\n"
        "    batches.close()\n"
        "    return found\n"
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


def test_the_seed_decides(source):
    assert same(take(crop_batches(source), 1)[0], take(crop_batches(source), 1)[0])
    other = take(crop_batches(source, seed=8), 1)[0]
    assert not same(take(crop_batches(source), 1)[0], other)


def test_a_batch_has_one_size_and_sizes_take_turns_in_proportion():
    source = Mixed((256, 512), (640, 640), (256, 520), (250, 500), (300, 80))
    batches = take(crop_batches(source), 100)
    share = collections.Counter(batch["image"].shape[1:3] for batch in batches)
    assert share == {(64, 128): 60, (128, 128): 20, (64, 64): 20}
    assert {batch["image"].shape[1:3] for batch in batches[:6]} == set(share)


def test_counts_are_those_of_the_crops(source):
    counts = pipeline.crop_counts(source, CROPS, 7)
    read = [
        pipeline.read_crop(source, CROPS, TARGET, 7, i, j)["count"]
        for i, j in itertools.product(range(6), range(7))
    ]
    np.testing.assert_array_equal(counts, read)
    assert counts.dtype == np.float32 and counts.max() > 0
    patches = pipeline.patch_counts(source, CROPS, 7)
    read = [
        pipeline.read_patch(source, 7, i, j)["count"]
        for i, j in itertools.product(range(6), range(5))
    ]
    np.testing.assert_array_equal(patches, read)


def test_counts_stop_at_a_sample():
    crops = config.Crops(plain=10_000, changed=0)
    assert len(pipeline.crop_counts(Mixed((64, 64), (64, 64)), crops, 0)) == 10_000


def test_a_photograph_too_small_to_crop_is_named():
    for batches in (
        crop_batches,
        lambda s: pipeline.patch_batches(s, CROPS, batch_size=1, seed=0),
    ):
        with pytest.raises(
            ValueError, match="grey_1 has 200x63 pixels.*at least 64x64"
        ):
            batches(Mixed((64, 64), (63, 200)))


def test_closing_ends_the_reading_ahead(source):
    batches = crop_batches(source)
    next(batches)
    batches.close()
    for thread in threading.enumerate():
        if thread.name.startswith("grain-prefetch"):
            thread.join(timeout=10)
            assert not thread.is_alive()
    with pytest.raises(StopIteration):
        next(batches)


def test_a_process_ends_in_the_middle_of_an_epoch_without_a_word():
    code = (
        "from cpcnn_jax import config, data\n"
        "from cpcnn_jax.data import pipeline\n"
        "source = data.open_source(config.Crowd(num_train=4), 'train')\n"
        "batches = pipeline.crop_batches(source, config.Crops(), config.Target(),"
        " batch_size=8, seed=0)\n"
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
