"""The training sets of the paper's section 4 [R]: D_dme (crops), D_lc (64x64 patches).

`examples` says what each of them holds; here they come in batches. Photographs whose
crops have one size form a bucket; a batch comes from one bucket, the buckets take turns
in proportion to their crops, and each is shuffled anew in every epoch. Batch k is thus
a pure function of (configuration, seed, k): a run is resumed with `start=k`, and
nothing else need be saved.

Threads read ahead, or worker processes; of several hosts each reads its own part of
every batch. Grain does both, and is imported when first needed.
"""

import functools
import os
from typing import NamedTuple

import numpy as np

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.data import crops as crops_lib

ENDLESS = 2**32  # epochs; more, or none, and Grain cannot batch them one by one


class ReadOptions(NamedTuple):
    """How batches are read; it changes nothing in them."""

    workers: int = 0  # processes that read ahead; 0: threads of this one
    host: int = 0  # this one of `hosts`: it reads the rows of its devices
    hosts: int = 1


HERE = ReadOptions()  # all of it, by threads of this process


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
      reading: a `ReadOptions`.

    Returns:
      A generator of {"image": `[B, h, w, 3]` float32 in 0..1, "density": `[B, h, w, 1]`
      float32 people per pixel, "count": `[B]` float32 heads inside, "crop": int32 `[B,
      2]`, the numbers (i, j) of photograph and crop}; of several hosts, each has its
      rows. Its `close()` ends the reading ahead.

    Raises:
      ValueError: a photograph has a side under 64 pixels.
    """
    order = _crop_order(source, crops, batch_size, seed)
    read = functools.partial(crops_lib.read_crop, source, crops, target, seed)
    return _batches(order, read, batch_size, start, reading)


def crops_used(source, crops, *, batch_size, seed, steps):
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


def patch_batches(
    source, crops, *, batch_size, seed, start=0, reading=HERE, side=PATCH
):
    """Endless batches of D_lc: patches at random places, of 64x64 pixels in the paper.

    Args:
      source: photographs; see `cpcnn_jax.data`.
      crops: `config.Crops`.
      batch_size: B, of all hosts together.
      seed: fixes the patches and their order.
      start: number of the first batch.
      reading: a `ReadOptions`.
      side: pixels, a multiple of 64; smaller photographs are enlarged.

    Returns:
      As `crop_batches`, with images `[B, side, side, 3]` and without their density;
      "count" is of each 64x64 pixels, `[B, side / 64, side / 64]`, or `[B]` for one.

    Raises:
      ValueError: a photograph has a side under 64 pixels.
    """
    bucket = [i for bucket in _buckets(source, crops) for i in bucket]
    each = crops_lib.patches_per_image(crops)
    order = _order([bucket], each, batch_size, seed)
    read = functools.partial(crops_lib.read_patch, source, crops, seed, side=side)
    return _batches(order, read, batch_size, start, reading)


def _buckets(source, crops):
    """Photographs, by number, grouped by the size of their crops."""
    crops_lib.check_sizes(source)
    buckets = {}
    for i, shape in enumerate(source.shapes):
        buckets.setdefault(crops_lib.crop_size(shape, crops), []).append(i)
    return list(buckets.values())


def _crop_order(source, crops, batch_size, seed):
    each = crops_lib.crops_per_image(crops)
    return _order(_buckets(source, crops), each, batch_size, seed)


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
