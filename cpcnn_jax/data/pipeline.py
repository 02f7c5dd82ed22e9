"""The training sets of the paper's section 4 [R]: D_dme (crops), D_lc (64x64 patches).

Window j of photograph i is fixed by (seed, i, j) alone, and so is what is done to it.
Photographs whose windows have one size form a bucket; a batch comes from one bucket,
the buckets take turns in proportion to their windows, and each is shuffled anew in
every epoch. Batch k is thus a pure function of (configuration, seed, k): a run is
resumed with `start=k`, and nothing else need be saved.

Threads read ahead, or worker processes; of several hosts each reads its own part of
every batch. Grain does both, and is imported when first needed.
"""

import functools
import math
import os
from typing import NamedTuple

import numpy as np

from cpcnn_jax import density

PATCH = 64  # pixels, the side of LCE's windows; no crop is smaller
DIVISOR = 4  # of a crop's sides: the networks work at a quarter of the resolution
ENDLESS = 2**32  # epochs; more, or none, and Grain cannot batch them one by one
COUNTED = 10_000  # windows that are enough to learn how counts are spread


class Reading(NamedTuple):
    """How batches are read; it changes nothing in them."""

    workers: int = 0  # processes that read ahead; 0: threads of this one
    host: int = 0  # this one of `hosts`: it reads the rows of its devices
    hosts: int = 1


HERE = Reading()  # all of it, by threads of this process


def crop_batches(source, crops, target, *, batch_size, seed, start=0, reading=HERE):
    """Endless batches of D_dme: random crops, and further ones flipped or noised.

    Of the further ones every second is flipped and the others are noised [I]; the paper
    says "horizontal flip and noise addition" [R].

    Args:
      source: photographs; see `cpcnn_jax.data`.
      crops: `config.Crops`.
      target: `config.Target`, how the density maps are drawn.
      batch_size: B, of all hosts together.
      seed: fixes the crops and their order.
      start: number of the first batch.
      reading: a `Reading`.

    Returns:
      A generator of {"image": `[B, h, w, 3]` float32 in 0..1, "density": `[B, h, w, 1]`
      float32 people per pixel, "count": `[B]` float32 heads inside, "crop": int32 `[B,
      2]`, the numbers (i, j) of photograph and crop}; of several hosts, each has its
      rows. Its `close()` ends the reading ahead.

    Raises:
      ValueError: a photograph has a side under 64 pixels.
    """
    order = _crop_order(source, crops, batch_size, seed)
    read = functools.partial(read_crop, source, crops, target, seed)
    return _batches(order, read, batch_size, start, reading)


def crops_until(source, crops, *, batch_size, seed, steps):
    """Which crops the first batches of `crop_batches` hold.

    Args:
      source: photographs; see `cpcnn_jax.data`.
      crops: `config.Crops`.
      batch_size: B.
      seed: as in `crop_batches`.
      steps: number of batches.

    Returns:
      A set of (i, j), the numbers of photograph and crop.

    Raises:
      ValueError: as in `crop_batches`.
    """
    order = _crop_order(source, crops, batch_size, seed)
    return {tuple(pair) for k in range(steps) for pair in order[k].tolist()}


def patch_batches(source, crops, *, batch_size, seed, start=0, reading=HERE):
    """Endless batches of D_lc: 64x64 patches at random places.

    Args:
      source: photographs; see `cpcnn_jax.data`.
      crops: `config.Crops`.
      batch_size: B, of all hosts together.
      seed: fixes the patches and their order.
      start: number of the first batch.
      reading: a `Reading`.

    Returns:
      As `crop_batches`, with images `[B, 64, 64, 3]` and without their density.

    Raises:
      ValueError: a photograph has a side under 64 pixels.
    """
    bucket = [i for bucket in _buckets(source, crops) for i in bucket]
    order = _order([bucket], crops.patches, batch_size, seed)
    read = functools.partial(read_patch, source, seed)
    return _batches(order, read, batch_size, start, reading)


def crop_counts(source, crops, seed):
    """`[N]` float32 heads inside crops of D_dme, from every photograph's points alone.

    At most about 10,000 of the crops are counted: enough for `density.fit_thresholds`.
    """
    size = functools.partial(crop_size, crops=crops)
    return _counts(source, _each(crops), size, seed)


def patch_counts(source, crops, seed):
    """`[N]` float32 heads inside patches of D_lc, likewise."""
    return _counts(source, crops.patches, lambda shape: (PATCH, PATCH), seed)


def crop_size(shape, crops):
    """A quarter of each side, rounded to `crops.multiple`; at least 64 pixels.

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
    step = math.lcm(crops.multiple, DIVISOR)
    quarters = (round(side / crops.fraction / step) * step for side in shape)
    largest = (side // step * step for side in shape)
    return tuple(max(PATCH, min(*pair)) for pair in zip(quarters, largest, strict=True))


def read_crop(source, crops, target, seed, i, j):
    """Crop j of photograph i: an element of `crop_batches`, without the B."""
    photograph = source[i]
    shape, points = source.shapes[i], photograph["points"]
    rng, window = _window(seed, i, j, shape, crop_size(shape, crops))
    people = density.density_map(
        points, shape=shape, sigma=target.sigma_of(photograph), window=window
    )
    if _change(crops, j) == "flip":
        people = people[:, ::-1]
    count = np.float32(_heads(points, window))
    return {
        "image": _changed(photograph["image"], window, crops, rng, j),
        "density": people[..., None],
        "count": count,
        "crop": np.array((i, j), np.int32),
    }


def crop_images(source, crops, seed, i, numbers):
    """`[n, h, w, 3]`, the images of crops of photograph i, which is read once."""
    photograph, shape = source[i]["image"], source.shapes[i]
    size = crop_size(shape, crops)
    dice = [(j, *_window(seed, i, j, shape, size)) for j in numbers]
    return np.stack(
        [_changed(photograph, window, crops, rng, j) for j, rng, window in dice]
    )


def _change(crops, j):
    """After the plain crops, every second one is flipped, the others are noised."""
    if j < crops.plain:
        return None
    return "noise" if (j - crops.plain) % 2 else "flip"


def _changed(photograph, window, crops, rng, j):
    image, change = _cut(photograph, window), _change(crops, j)
    if change == "flip":
        return image[:, ::-1]
    if change == "noise":
        noise = rng.uniform(-crops.noise, crops.noise, image.shape)
        return np.clip(image + noise.astype(np.float32), 0, 1)
    return image


def read_patch(source, seed, i, j):
    """Patch j of photograph i: an element of `patch_batches`, without the B."""
    photograph = source[i]
    _, window = _window(seed, i, j, source.shapes[i], (PATCH, PATCH))
    count = np.float32(_heads(photograph["points"], window))
    image = _cut(photograph["image"], window)
    return {"image": image, "count": count, "crop": np.array((i, j), np.int32)}


def _window(seed, i, j, shape, size):
    """Where window j of photograph i lies, and the dice for what is done to it."""
    rng = np.random.default_rng((seed, i, j))
    top, left = rng.integers(0, np.subtract(shape, size) + 1)
    return rng, (int(top), int(left), *size)


def _cut(image, window):
    """The window of a uint8 image, as float32 in 0..1."""
    top, left, height, width = window
    return image[top : top + height, left : left + width].astype(np.float32) / 255


def _heads(points, window):
    """How many heads lie in a window."""
    top, left, height, width = window
    return density.inside(points - np.float32((left, top)), (height, width)).sum()


def _counts(source, each, size, seed):
    each = min(each, math.ceil(COUNTED / len(source)))
    return np.array(
        [
            _heads(points, _window(seed, i, j, shape, size(shape))[1])
            for i, (shape, points) in enumerate(
                zip(source.shapes, source.points, strict=True)
            )
            for j in range(each)
        ],
        np.float32,
    )


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


def _buckets(source, crops):
    """Photographs, by number, grouped by the size of their crops."""
    check_sizes(source)
    buckets = {}
    for i, shape in enumerate(source.shapes):
        buckets.setdefault(crop_size(shape, crops), []).append(i)
    return list(buckets.values())


def _each(crops):
    return crops.plain + crops.changed


def _crop_order(source, crops, batch_size, seed):
    return _order(_buckets(source, crops), _each(crops), batch_size, seed)


def _order(buckets, each, batch_size, seed):
    """The endless sequence of batches, each `[B, 2]`: photographs and windows."""
    import grain

    def batches_of(bucket):
        windows = grain.MapDataset.range(len(bucket) * each).seed(seed).shuffle()
        numbers = windows.repeat(ENDLESS).map(lambda n: (bucket[n // each], n % each))
        return numbers.map(np.array).batch(batch_size)

    weights = [len(bucket) for bucket in buckets]
    return grain.MapDataset.mix([batches_of(bucket) for bucket in buckets], weights)


def _batches(order, read, batch_size, start, reading):
    """Reads what an order names, from batch number `start` on, and ahead."""
    import grain

    rows = batch_size // reading.hosts
    ours = slice(reading.host * rows, (reading.host + 1) * rows)
    batches = order[start:].map(lambda numbers: _stack(read, numbers[ours]))
    threads = min(os.cpu_count() or 1, 16)
    ahead = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
    batches = batches.to_iter_dataset(ahead)
    if reading.workers:
        processes = grain.MultiprocessingOptions(num_workers=reading.workers)
        batches = batches.mp_prefetch(processes)
    iterator = iter(batches)
    try:
        yield from iterator
    finally:
        iterator.close()


def _stack(read, numbers):
    elements = [read(i, j) for i, j in numbers.tolist()]
    return {name: np.stack([e[name] for e in elements]) for name in elements[0]}
