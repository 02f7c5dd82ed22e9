"""Batches of the training sets [R, section 4]: D_dme (crops), D_lc (64x64 patches).

`crops` makes the examples. Images with the same crop size form a bucket. A batch comes
from one bucket, the buckets alternate in proportion to their crops, and each bucket is
shuffled anew in every epoch. Batch k is therefore a pure function of (configuration,
seed, k): a run is resumed with `start=k` and saves no other state.

Threads or worker processes read ahead. Each host reads its own rows of every batch.
Grain implements both and is imported at first use.
"""

import functools
import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cpcnn_jax.config import Crops, Target
from cpcnn_jax.data import Dataset
from cpcnn_jax.data import crops as crops_lib

ENDLESS = 2**32  # epochs; Grain cannot batch more, or an endless repetition, one by one

Batch = dict[str, np.ndarray]


class ReadOptions(NamedTuple):
    """Options of reading, which do not change the batches."""

    workers: int = 0  # processes that read ahead; 0: threads of this process
    host: int = 0  # index of this host, which reads the rows of its devices
    hosts: int = 1  # number of hosts


ONE_HOST = ReadOptions()


def crop_batches(
    dataset: Dataset,
    crops: Crops,
    target: Target,
    *,
    batch_size: int,
    seed: int,
    start: int = 0,
    reading: ReadOptions = ONE_HOST,
) -> Iterator[Batch]:
    """Yields endless batches of D_dme: random crops, and flipped or noisy crops.

    The augmented crops are flipped and noisy in turn [I]; the paper says "horizontal
    flip and noise addition" [R].

    Args:
      dataset: training images.
      crops: the crops' settings.
      target: the density maps' settings.
      batch_size: B, over all hosts.
      seed: seed of the crops and their order.
      start: number of the first batch.
      reading: options of reading.

    Returns:
      A generator of {"image": `[B, h, w, 3]` float32 in [0, 1], "density": `[B, h, w,
      1]` float32 people per pixel, "count": `[B]` float32 people, "crop": int32 `[B,
      2]`, the indices (i, j) of image and crop}. Of several hosts, each yields its
      rows. `close()` ends the reading ahead.

    Raises:
      ValueError: an image has a side under 64 pixels.
    """
    order = _crop_order(dataset, crops, batch_size, seed)
    read = functools.partial(crops_lib.read_crop, dataset, crops, target, seed)
    return _read_batches(order, read, batch_size, start, reading)


def crops_used(
    dataset: Dataset, crops: Crops, *, batch_size: int, seed: int, steps: int
) -> set[tuple[int, int]]:
    """Lists (i, j), image and crop, of the first `steps` batches of `crop_batches`."""
    order = _crop_order(dataset, crops, batch_size, seed)
    return {(i, j) for k in range(steps) for i, j in order[k].tolist()}


def patch_batches(
    dataset: Dataset,
    crops: Crops,
    *,
    batch_size: int,
    seed: int,
    start: int = 0,
    reading: ReadOptions = ONE_HOST,
) -> Iterator[Batch]:
    """Yields endless batches of D_lc: random patches of 64x64 pixels.

    Args:
      dataset: training images.
      crops: the patches' settings.
      batch_size: B, over all hosts.
      seed: seed of the patches and their order.
      start: number of the first batch.
      reading: options of reading.

    Returns:
      A generator of {"image": `[B, 64, 64, 3]` float32 in [0, 1], "count": `[B]`
      float32 people, "crop": int32 `[B, 2]`, the indices (i, j) of image and patch};
      see `crop_batches`.

    Raises:
      ValueError: an image has a side under 64 pixels.
    """
    indices = [i for bucket in _make_buckets(dataset, crops) for i in bucket]
    order = _make_order([indices], crops.num_patches, batch_size, seed)
    read = functools.partial(crops_lib.read_patch, dataset, crops, seed)
    return _read_batches(order, read, batch_size, start, reading)


def _make_buckets(dataset: Dataset, crops: Crops) -> list[list[int]]:
    """Indices of images, grouped by the size of their crops."""
    crops_lib.check_sizes(dataset)
    buckets: dict[tuple[int, int], list[int]] = {}
    for i, shape in enumerate(dataset.shapes):
        buckets.setdefault(crops_lib.crop_size(shape, crops), []).append(i)
    return list(buckets.values())


def _crop_order(dataset, crops, batch_size, seed):
    number = crops_lib.crops_per_image(crops)
    return _make_order(_make_buckets(dataset, crops), number, batch_size, seed)


def _make_order(buckets, number, batch_size, seed):
    """The endless sequence of batches, each `[B, 2]`, indices of image and window."""
    import grain

    def batches_of(bucket):
        windows = grain.MapDataset.range(len(bucket) * number).seed(seed).shuffle()
        windows = windows.repeat(ENDLESS)
        pairs = windows.map(lambda n: np.array((bucket[n // number], n % number)))
        return pairs.batch(batch_size)

    weights = [len(bucket) for bucket in buckets]
    return grain.MapDataset.mix([batches_of(bucket) for bucket in buckets], weights)


def _read_batches(order, read, batch_size, start, reading):
    """Reads the batches of an order ahead, from batch `start` on."""
    import grain

    number = batch_size // reading.hosts
    rows = slice(reading.host * number, (reading.host + 1) * number)
    batches = order[start:].map(lambda pairs: _stack(read, pairs[rows]))
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


def _stack(read, pairs):
    elements = [read(i, j) for i, j in pairs.tolist()]
    return {name: np.stack([e[name] for e in elements]) for name in elements[0]}
