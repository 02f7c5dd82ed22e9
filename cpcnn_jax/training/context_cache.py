"""Disk cache of the frozen GCE and LCE scores.

The density stages repeat every crop in every epoch, and the GCE costs more than a step
of all that is trained. The scores are computed before the stage begins and written to
the workdir, one file per image. A resumed run continues after the last complete file.
Several processes share the images, and each reads the files of the others.
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save as serialize
from tqdm import tqdm

from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.distributed import multihost
from cpcnn_jax.distributed.data_parallel import Strategy
from cpcnn_jax.distributed.preemption import Interrupted
from cpcnn_jax.io import atomic_write
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.training.stage import StageContext
from cpcnn_jax.weights import serialization

Arrays = dict[str, np.ndarray]


def cached_arrays(file: Path, compute: Callable[[], Arrays]) -> Arrays:
    """Reads arrays from a file, or computes and writes them.

    Args:
      file: path of the cache file; a damaged one is written again.
      compute: function that returns the arrays.

    Raises:
      OSError: the file cannot be written.
    """
    try:
        return serialization.load(file)
    except ValueError:  # missing or damaged
        arrays = {name: np.asarray(x) for name, x in compute().items()}
        _write(file, arrays)
        return arrays


def make_crop_scorer(
    context: StageContext,
    folder: str | os.PathLike[str],
    strategy: Strategy,
    stop: Callable[[], int | None],
) -> Callable:
    """Makes a function that computes the scores of training crops.

    Args:
      context: the stages' common record.
      folder: the folder of the cache.
      strategy: the placement on devices.
      stop: function, the number of a received signal or None.

    Returns:
      scores(params, crops): a flat parameter dict and a set of (i, j), numbers of image
      and crop, to a dict of (i, j) to the crop's `CPCNN.scores` without the batch axis.
      It raises Interrupted after a signal; complete files are kept.
    """
    config, model = context.config, context.model
    read = functools.partial(
        crops_lib.crop_images, context.source, config.crops, config.seed
    )

    def predict(params, image):
        # A crop, a quarter of each side of an image, is one block of the GCE.
        return model.apply(to_variables(params), image, blocks=1, method="scores")

    def scores(params, crops):
        if model.gce is None and model.lce is None:
            return dict.fromkeys(crops, {})
        size = config.density.batch_size
        if microbatch := config.deterministic_microbatch:
            # One microbatch for each of this process's devices.
            size = microbatch * strategy.num_devices // multihost.process_rank()[1]
        batched = strategy.compile_local(predict, params)
        return _score_all(Path(folder), crops, read, batched, size, stop)

    return scores


def _score_all(folder, crops, read, predict, batch_size, stop):
    wanted: dict[int, list[int]] = {}
    for i, j in sorted(crops):
        wanted.setdefault(i, []).append(j)

    def scores(i):
        compute = functools.partial(
            _in_batches, predict, functools.partial(read, i), batch_size
        )
        file = folder / f"crops_{i:06d}.safetensors"
        return _scores_of_image(file, wanted[i], compute)

    known = {}
    bar = tqdm(
        multihost.local_share(list(wanted)),
        desc="context",
        unit="image",
        disable=not multihost.is_main(),
    )
    for i in bar:
        if i is not None:
            known[i] = scores(i)
        if signal := stop():
            raise Interrupted(signal, f"in the context of image {i}'s crops")
    multihost.barrier("context")
    known |= {i: scores(i) for i in wanted.keys() - known.keys()}  # by other processes
    return {(i, j): of for i, by_crop in known.items() for j, of in by_crop.items()}


def _scores_of_image(file, wanted, compute):
    """{j: scores} of an image's crops; missing ones are computed and added."""
    try:
        known = serialization.load(file)
    except ValueError:  # missing or damaged
        known = {"numbers": np.zeros(0, np.int32)}
    if missing := [j for j in wanted if j not in known["numbers"]]:
        new = compute(missing) | {"numbers": np.array(missing, np.int32)}
        known = {
            name: np.concatenate([known.get(name, values[:0]), values])
            for name, values in new.items()
        }
        _write(file, known)
    place = {j: k for k, j in enumerate(known.pop("numbers").tolist())}
    return {
        j: {name: values[place[j]] for name, values in known.items()} for j in wanted
    }


def _in_batches(predict, read, batch_size, numbers):
    """Scores of an image's crops; the last batch is filled with repeats."""
    images, count = read(numbers), len(numbers)
    rows = np.arange(-(-count // batch_size) * batch_size).clip(max=count - 1)
    results = [predict(images[part]) for part in rows.reshape(-1, batch_size)]
    return {
        name: np.concatenate([np.asarray(result[name]) for result in results])[:count]
        for name in results[0]
    }


def _write(file, arrays):
    contiguous = {name: np.ascontiguousarray(x) for name, x in arrays.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write.write_atomic(file, serialize(contiguous))
