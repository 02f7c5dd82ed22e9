"""Disk cache of the frozen GCE and LCE scores.

The density stages repeat every crop in every epoch, and the GCE costs more than a step
of all that is trained. The scores are computed before the stage begins and written to
the workdir, one file per image. A resumed run continues after the last complete file.
Several processes share the images, and each reads the files of the others.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import jax
import numpy as np
from safetensors.numpy import save as serialize

from cpcnn_jax.distributed import multihost
from cpcnn_jax.distributed.preemption import Interrupted
from cpcnn_jax.io import atomic_write
from cpcnn_jax.io.progress_bar import progress_bar
from cpcnn_jax.weights import serialization

Arrays = dict[str, np.ndarray]
Crops = Mapping[int, list[int]]  # image number -> numbers of its crops
# (image, crops) -> scores of these crops, arrays with a first axis of crops
ScoreCrops = Callable[[int, list[int]], Arrays]


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


def score_all(
    folder: str | os.PathLike[str],
    crops: Crops,
    score: ScoreCrops,
    stop: Callable[[], int | None],
) -> dict[int, Arrays]:
    """Scores crops, with the files of earlier calls.

    Args:
      folder: the folder of the cache.
      crops: the crops of each image.
      score: function that scores crops of one image.
      stop: function, the number of a received signal or None.

    Returns:
      Scores of each image, arrays with a first axis of its crops.

    Raises:
      Interrupted: a signal was received; complete files are kept.
    """

    def scores(i):
        file = Path(folder) / f"crops_{i:06d}.safetensors"
        return _scores_of_image(file, crops[i], lambda missing: score(i, missing))

    known = {}
    for i in _progress(multihost.local_share(list(crops))):
        if i is not None:
            known[i] = scores(i)
        if signal := stop():
            raise Interrupted(signal, f"in the context of image {i}'s crops")
    multihost.barrier("context")
    return known | {i: scores(i) for i in crops.keys() - known.keys()}


def _progress(images: Iterable[int | None]) -> Iterator[int | None]:
    disable = not multihost.is_main()
    return progress_bar(images, desc="context", unit="image", disable=disable)


def _scores_of_image(file, wanted, compute):
    """Scores of an image's crops; missing ones are computed and added to the file."""
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
    rows = [place[j] for j in wanted]
    return {name: values[rows] for name, values in known.items()}


def in_batches(predict: Callable, numbers: list[int], batch_size: int) -> Arrays:
    """Applies a function to batches of one size; repeats fill the last batch.

    Args:
      predict: function of int `[batch_size]` to a pytree of arrays.
      numbers: the numbers.
      batch_size: size of the batches.
    """
    count = len(numbers)
    rows = np.arange(-(-count // batch_size) * batch_size).clip(max=count - 1)
    batches = np.array(numbers, np.int32)[rows].reshape(-1, batch_size)
    results = [jax.device_get(predict(batch)) for batch in batches]
    return {
        name: np.concatenate([result[name] for result in results])[:count]
        for name in results[0]
    }


def _write(file, arrays):
    contiguous = {name: np.ascontiguousarray(x) for name, x in arrays.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write.write_atomic(file, serialize(contiguous))
