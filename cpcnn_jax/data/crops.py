"""The examples of the paper's training sets [R, section 4]: crops and 64x64 patches.

Window j of photograph i is fixed by (seed, i, j) alone, and so is what is done to it.
The first crops of a photograph are plain, the further ones flipped or noised. Beyond
the paper these can also be cut from a smaller or larger copy of the photograph
(`config.Crops.max_scale`) and in other colours (`config.Crops.color_jitter`), and there
can be further patches that are changed likewise (`config.Crops.num_augmented_patches`).
"""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.data import density_map

DIVISOR = 4  # of a crop's sides: the networks work at a quarter of the resolution
COUNTED = 10_000  # windows that are enough to learn how counts are spread


class Window(NamedTuple):
    """A window of a photograph that has been scaled to `shape`."""

    shape: tuple  # (height, width), pixels
    place: tuple  # (top, left, height, width) in it, pixels
    rng: np.random.Generator  # the dice for what is done to the window


def crops_per_image(crops):
    """How many crops D_dme has of each photograph."""
    return crops.num_plain + crops.num_augmented


def patches_per_image(crops):
    """How many patches D_lc has of each photograph."""
    return crops.num_patches + crops.num_augmented_patches


def crop_size(shape, crops):
    """A quarter of each side, rounded to `crops.size_multiple`; at least 64 pixels.

    Args:
      shape: (height, width) of a photograph, pixels.
      crops: `config.Crops`.

    Returns:
      (height, width), multiples of 4, never more than the photograph.

    Example:
      >>> from cpcnn_jax import config
      >>> crop_size((768, 1024), config.Crops()), crop_size((683, 182), config.Crops())
      ((192, 256), (192, 64))
    """
    step = math.lcm(crops.size_multiple, DIVISOR)
    quarters = (round(side / crops.side_divisor / step) * step for side in shape)
    largest = (side // step * step for side in shape)
    return tuple(max(PATCH, min(*pair)) for pair in zip(quarters, largest, strict=True))


def check_sizes(source):
    """Refuses photographs that are too small to train or to validate on.

    Raises:
      ValueError: a photograph has a side under 64 pixels.
    """
    for name, (height, width) in zip(source.names, source.shapes, strict=True):
        if min(height, width) < PATCH:
            raise ValueError(
                f"{name} has {width}x{height} pixels; training needs at least "
                f"{PATCH}x{PATCH}."
            )


def read_crop(source, crops, target, seed, i, j):
    """Crop j of photograph i: an element of `input_pipeline.crop_batches`, without the
    B."""
    photograph = source[i]
    window = _crop_window(seed, i, j, source.shapes[i], crops)
    points = _scaled(photograph["points"], source.shapes[i], window.shape)
    people = density_map.density_map(
        points,
        shape=window.shape,
        sigma=target.sigma_of(photograph),
        window=window.place,
    )
    change = _change(crops.num_plain, j)
    if change == "flip":
        people = people[:, ::-1]
    return {
        "image": _changed(photograph["image"], window, crops, change),
        "density": people[..., None],
        "count": np.float32(_heads(points, window)),
        "crop": np.array((i, j), np.int32),
    }


def crop_images(source, crops, seed, i, numbers):
    """`[n, h, w, 3]`, the images of crops of photograph i, which is read once."""
    photograph, shape = source[i]["image"], source.shapes[i]
    windows = [(j, _crop_window(seed, i, j, shape, crops)) for j in numbers]
    return np.stack(
        [
            _changed(photograph, window, crops, _change(crops.num_plain, j))
            for j, window in windows
        ]
    )


def read_patch(source, crops, seed, i, j, *, side=PATCH):
    """Patch j of photograph i: one of `input_pipeline.patch_batches`, without the B."""
    photograph = source[i]
    window = _patch_window(seed, i, j, source.shapes[i], crops, side)
    points = _scaled(photograph["points"], source.shapes[i], window.shape)
    change = _change(crops.num_patches, j)
    count = _heads_in_patches(points, window)
    if change == "flip":
        count = count[:, ::-1]
    return {
        "image": _changed(photograph["image"], window, crops, change),
        "count": count if side > PATCH else count[0, 0],
        "crop": np.array((i, j), np.int32),
    }


def crop_counts(source, crops, seed):
    """`[N]` float32 heads inside crops of D_dme, from every photograph's points alone.

    At most about 10,000 of the crops are counted: enough for
    `density_classes.fit_thresholds`.
    """

    def window(i, j, shape):
        return _crop_window(seed, i, j, shape, crops)

    return _counts(source, crops_per_image(crops), window, _heads)


def patch_counts(source, crops, seed, *, side=PATCH):
    """`[N]` float32 heads inside patches of D_lc, likewise; 64x64 pixels of each."""

    def window(i, j, shape):
        return _patch_window(seed, i, j, shape, crops, side)

    each = patches_per_image(crops)
    return _counts(source, each, window, _heads_in_patches)


def _counts(source, each, window_of, heads):
    each = min(each, math.ceil(COUNTED / len(source)))
    found = []
    photographs = zip(source.shapes, source.points, strict=True)
    for i, (shape, points) in enumerate(photographs):
        for j in range(each):
            window = window_of(i, j, shape)
            found.append(heads(_scaled(points, shape, window.shape), window))
    return np.array(found, np.float32).ravel()


def _change(plain, j):
    """After the plain windows, every second one is flipped, the others are noised."""
    if j < plain:
        return None
    return "noise" if (j - plain) % 2 else "flip"


def _crop_window(seed, i, j, shape, crops):
    size, change = crop_size(shape, crops), _change(crops.num_plain, j)
    return _window((seed, i, j), shape, size, crops, change)


def _patch_window(seed, i, j, shape, crops, side=PATCH):
    change = _change(crops.num_patches, j)
    return _window((seed, i, j), shape, (side, side), crops, change)


def _window(seed, shape, size, crops, change):
    """A window of that size, anywhere in a photograph of that shape, or in a copy.

    A photograph that is smaller than the window is enlarged.
    """
    rng = np.random.default_rng(seed)
    times = (
        crops.max_scale ** rng.uniform(-1, 1) if crops.max_scale > 1 and change else 1
    )
    times = max(times, *np.divide(size, shape))
    sides = (round(side * times) for side in shape)
    shape = tuple(max(*pair) for pair in zip(sides, size, strict=True))
    top, left = rng.integers(0, np.subtract(shape, size) + 1)
    return Window(tuple(shape), (int(top), int(left), *size), rng)


def _scaled(points, shape, to):
    """Points of a photograph where it is scaled from one shape to another."""
    if to == tuple(shape):
        return points
    return points * np.float32(np.divide(to, shape)[::-1])


def _heads(points, window):
    """How many heads lie in a window, of points scaled as it is."""
    top, left, height, width = window.place
    return density_map.points_inside(
        points - np.float32((left, top)), (height, width)
    ).sum()


def _heads_in_patches(points, window):
    """`[h / 64, w / 64]` float32: how many lie in each 64x64 pixels of a window."""
    top, left, height, width = window.place
    points = points - np.float32((left, top))
    x, y = (
        points[density_map.points_inside(points, (height, width))].astype(int).T
        // PATCH
    )
    count = np.zeros((height // PATCH, width // PATCH), np.float32)
    np.add.at(count, (y, x), 1)
    return count


def _cut(photograph, window):
    """The window of a uint8 image, as float32 in 0..1."""
    top, left, height, width = window.place
    if window.shape == photograph.shape[:2]:
        cut = photograph[top : top + height, left : left + width]
    else:
        down, across = np.divide(photograph.shape[:2], window.shape)
        box = left * across, top * down, (left + width) * across, (top + height) * down
        image = Image.fromarray(photograph)
        cut = np.asarray(image.resize((width, height), Image.BILINEAR, box=box))
    return cut.astype(np.float32) / 255


def _changed(photograph, window, crops, change):
    image, rng = _cut(photograph, window), window.rng
    if change and crops.color_jitter:
        gain = rng.uniform(1 - crops.color_jitter, 1 + crops.color_jitter, 3)
        shift = rng.uniform(-crops.color_jitter, crops.color_jitter) / 2
        image = np.clip(image * np.float32(gain) + np.float32(shift), 0, 1)
    if change == "flip":
        return image[:, ::-1]
    if change == "noise":
        noise = rng.uniform(-crops.noise_amplitude, crops.noise_amplitude, image.shape)
        return np.clip(image + noise.astype(np.float32), 0, 1)
    return image
