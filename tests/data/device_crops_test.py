"""Crops on a device against Pillow, NumPy and `density_map`."""

import dataclasses

import crop_oracle
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cpcnn_jax import config
from cpcnn_jax.data import device_batches, training_images

pytestmark = pytest.mark.quick_compile

SHAPES = [(64, 64), (71, 130), (203, 66), (150, 181), (97, 97), (256, 144)]
CROPS = config.Crops(
    side_divisor=2, size_multiple=4, num_plain=40, num_augmented=80, num_patches=30
)


class Photographs:
    """Random images with heads on borders, corners, one pixel, and nowhere."""

    def __init__(self, shapes=SHAPES, heads=40):
        rng = np.random.default_rng(0)
        self.shapes, self.skipped = shapes, ()
        self.names = [f"photo{i}" for i in range(len(shapes))]
        self.images = [rng.integers(0, 256, (*s, 3), np.uint8) for s in shapes]
        self.points = []
        for number, (height, width) in enumerate(shapes):
            points = np.float32(rng.uniform(0, (width, height), (heads, 2)))
            points[:2] = (0, 0), (width - 0.25, height - 0.25)
            points[2:5] = np.floor(points[5:8])
            self.points.append(points if number else points[:0])

    def __len__(self):
        return len(self.names)

    def __getitem__(self, i):
        return {
            "name": self.names[i],
            "image": self.images[i],
            "points": self.points[i],
        }


def prepared(crops=CROPS, target=None, memory=4.0):
    experiment = config.Experiment(
        crops=crops, target=target or config.Target(), image_memory_gib=memory
    )
    return training_images.prepare_images(Photographs(), experiment)


def all_pairs(images, number):
    places = np.repeat(np.arange(len(images.dataset)), number)
    numbers = np.tile(np.arange(number), len(images.dataset))
    return np.stack([places, numbers], axis=1).astype(np.int32)


def windows_of(images, bank, pairs):
    bank = jax.device_put(bank)
    draw = jax.vmap(
        lambda pair: device_batches.draw_crop(
            bank, *pair, settings=images.config.crops, seed=images.config.seed
        )
    )
    drawn = draw(pairs)
    keys = drawn.noise_key
    numbers = jax.device_get(drawn._replace(noise_key=None))
    return [
        type(drawn)(*(None if x is None else x[n] for x in numbers))._replace(
            noise_key=keys[n]
        )
        for n in range(len(pairs))
    ]


@pytest.mark.parametrize(
    "crops",
    [
        CROPS,
        dataclasses.replace(CROPS, max_scale=1.7, color_jitter=0.3),
        dataclasses.replace(CROPS, noise_amplitude=0.0, max_scale=1.2),
        dataclasses.replace(CROPS, max_blur=2.3, gamma_jitter=0.5, color_jitter=0.2),
    ],
    ids=["paper", "scaled and colored", "slightly scaled", "blurred"],
)
def test_crops_targets_and_counts_are_the_oracles(crops):
    images = prepared(crops)
    bank = images.load(0)
    groups, dataset = images.groups[0], images.dataset
    pairs = all_pairs(images, 120)
    batch = jax.device_get(jax.jit(images.crop_batch)(bank, pairs))
    density = np.asarray(jax.jit(images.density_batch)(bank, pairs))
    kinds = set()
    for n, window in enumerate(windows_of(images, bank, pairs)):
        i = groups[pairs[n, 0]]
        shape, points = dataset.shapes[i], dataset.points[i]
        height, width = window.size
        assert tuple(window.size) == tuple(images.crop_sizes[i])
        kinds.add(int(window.kind))
        expected = crop_oracle.crop(
            dataset.images[i], window, crops, (*images.canvas, 3)
        )
        cut = batch["image"][n]
        np.testing.assert_allclose(cut[:height, :width], expected, atol=1e-6, rtol=0)
        assert not cut[height:].any() and not cut[:, width:].any()
        expected = crop_oracle.density(points, window, shape, 4.0)
        cut = density[n, ..., 0]
        np.testing.assert_allclose(cut[:height, :width], expected, atol=1e-5, rtol=0)
        assert not cut[height:].any() and not cut[:, width:].any()
        assert batch["count"][n] == crop_oracle.count(points, window, shape)
    assert kinds == {0, 1, 2}
    if crops.max_blur:
        blurs = [float(window.blur) for window in windows_of(images, bank, pairs)]
        assert 0.25 < np.mean(np.array(blurs) > 0) < 0.42  # half of two thirds
    if crops.max_scale > 1:
        windows = windows_of(images, bank, pairs)
        assert len({tuple(window.scaled) for window in windows}) > 100


def test_adaptive_targets_are_those_of_the_whole_image():
    images = prepared(target=config.Target(sigma_mode="adaptive"))
    bank, pairs = images.load(0), all_pairs(images, 20)
    density = np.asarray(jax.jit(images.density_batch)(bank, pairs))
    for n, window in enumerate(windows_of(images, bank, pairs)):
        i = images.groups[0][pairs[n, 0]]
        shape, points = images.dataset.shapes[i], images.dataset.points[i]
        expected = crop_oracle.density(points, window, shape, "adaptive")
        found = density[n, : window.size[0], : window.size[1], 0]
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


def test_patches_are_plain_cuts_with_their_counts():
    images = prepared()
    bank, pairs = images.load(0), all_pairs(images, 30)
    batch = jax.device_get(jax.jit(images.patch_batch)(bank, pairs))
    places = set()
    for n, (place, j) in enumerate(pairs):
        i = images.groups[0][place]
        window = jax.device_get(
            device_batches.draw_patch(bank, place, j, settings=CROPS, seed=0)._replace(
                noise_key=None
            )
        )
        top, left = window.corner
        places.add((i, top, left))
        cut = images.dataset.images[i][top : top + 64, left : left + 64]
        np.testing.assert_allclose(batch["image"][n], cut / 255, atol=1e-7, rtol=0)
        expected = crop_oracle.count(
            images.dataset.points[i], window, images.dataset.shapes[i]
        )
        assert batch["count"][n] == expected
    assert len(places) > 100  # windows differ


def test_counts_of_windows_need_no_pixels():
    images = prepared()
    bank, pairs = images.load(0), all_pairs(images, 120)
    from_pixels = jax.jit(images.crop_batch)(bank, pairs)["count"]
    order = np.argsort(images.groups[0], kind="stable")
    counts = device_batches.crop_counts(images.heads(), CROPS, seed=0)
    expected = np.asarray(from_pixels).reshape(-1, 120)[order].ravel()
    np.testing.assert_array_equal(counts, expected)
    patches = jax.jit(images.patch_batch)(bank, all_pairs(images, 30))["count"]
    counts = device_batches.patch_counts(images.heads(), CROPS, seed=0)
    expected = np.asarray(patches).reshape(-1, 30)[order].ravel()
    np.testing.assert_array_equal(counts, expected)


def test_a_window_depends_on_seed_image_and_number_alone():
    """Also when images are loaded in rounds and in other places."""
    whole, parts = prepared(), prepared(memory=1.5e-4)
    assert len(whole.groups) == 1 and len(parts.groups) > 2
    seen = 0
    for group, members in enumerate(parts.groups):
        bank = parts.load(group)
        for place, i in enumerate(members):
            pair = jnp.array([[place, 77]])
            found = jax.jit(parts.crop_batch)(bank, pair)
            pair = jnp.array([[whole.groups[0].index(i), 77]])
            expected = jax.jit(whole.crop_batch)(whole.load(0), pair)
            np.testing.assert_array_equal(found["image"], expected["image"])
            np.testing.assert_array_equal(found["count"], expected["count"])
            seen += 1
    assert seen == len(SHAPES)


def test_windows_differ_between_seeds_numbers_and_images():
    images = prepared()
    bank = images.load(0)

    def corner(place, j, seed):
        drawn = device_batches.draw_crop(bank, place, j, settings=CROPS, seed=seed)
        return tuple(drawn.corner.tolist())

    base = [corner(3, j, 0) for j in range(8)]
    assert base == [corner(3, j, 0) for j in range(8)]
    assert base != [corner(3, j, 1) for j in range(8)]
    assert len(set(base)) > 4
