"""What the frozen networks say of a photograph or a crop, computed once.

In the joint stage GCE and LCE no longer learn, while every crop comes back in every
epoch and GCE alone costs more than a step of all that learns. Their scores are
therefore written to the run's folder, a file per photograph, before the stage begins; a
run that is stopped goes on after the last whole file. Several processes share the
photographs, and each reads what the others have written.
"""

import functools
from pathlib import Path

import numpy as np
from safetensors.numpy import save as serialize
from tqdm import tqdm

from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.distributed import multihost
from cpcnn_jax.distributed.preemption import Interrupted
from cpcnn_jax.io import atomic_write
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.weights import serialization


def cached_arrays(file, compute):
    """Arrays from a file that was written before, or computed and written now.

    Args:
      file: its path.
      compute: () -> dict of arrays.

    Returns:
      Dict of numpy arrays.

    Raises:
      OSError: the file cannot be written.
    """
    try:
        return serialization.load(file)
    except ValueError:  # none yet, or a damaged one
        found = {name: np.asarray(x) for name, x in compute().items()}
        _write(file, found)
        return found


def make_crop_scorer(run, folder, strategy, stop):
    """The scores of training crops, each a block and its windows.

    Args:
      run: `stage.StageContext`.
      folder: where they are kept, or will be.
      strategy: from `parallel`.
      stop: function, the number of a received signal or None.

    Returns:
      scores(weights, crops): a flat dict of all weights and a set of (i, j), numbers of
      photograph and crop, to a dict of (i, j) to the crop's `CPCNN.scores` without the
      B. It raises Interrupted when asked to stop; whole files are kept.
    """
    settings = run.config
    read = functools.partial(
        crops_lib.crop_images, run.source, settings.crops, settings.seed
    )

    def look(weights, image):
        variables = to_variables(weights)
        return run.model.apply(variables, image, blocks=1, method="scores")

    def scores(weights, crops):
        if run.model.gce is None and run.model.lce is None:
            return dict.fromkeys(crops, {})
        looks, size = strategy.answers(look, weights), settings.density.batch_size
        if (
            settings.deterministic_microbatch
        ):  # on each of this process's devices, so that bits stay alike
            size = (
                settings.deterministic_microbatch
                * strategy.num_devices
                // multihost.process_rank()[1]
            )
        return _of_all(Path(folder), crops, read, looks, size, stop)

    return scores


def _of_all(folder, crops, read, look, batch_size, stop):
    wanted = {}
    for i, j in sorted(crops):
        wanted.setdefault(i, []).append(j)

    def scores(i):
        ask = functools.partial(_ask, look, functools.partial(read, i), batch_size)
        return _of_photograph(folder / f"crops_{i:06d}.safetensors", wanted[i], ask)

    found = {}
    for i in tqdm(
        multihost.local_share(list(wanted)),
        desc="context",
        unit="photograph",
        disable=not multihost.is_main(),
    ):
        if i is not None:
            found[i] = scores(i)
        if stop():
            raise Interrupted(stop(), f"in the context of photograph {i}'s crops")
    multihost.barrier("context")
    found |= {i: scores(i) for i in wanted.keys() - found.keys()}  # by the others
    return {(i, j): of for i, by_crop in found.items() for j, of in by_crop.items()}


def _of_photograph(file, wanted, ask):
    """{j: scores} of its crops: those in the file, and the others, asked now."""
    try:
        known = serialization.load(file)
    except ValueError:  # none yet, or a damaged one
        known = {"numbers": np.zeros(0, np.int32)}
    if missing := [j for j in wanted if j not in known["numbers"]]:
        found = ask(missing) | {"numbers": np.array(missing, np.int32)}
        known = {
            name: np.concatenate([known.get(name, values[:0]), values])
            for name, values in found.items()
        }
        _write(file, known)
    place = {j: k for k, j in enumerate(known.pop("numbers").tolist())}
    return {
        j: {name: values[place[j]] for name, values in known.items()} for j in wanted
    }


def _ask(look, read, batch_size, numbers):
    """`look` at crops of a photograph; the last batch is filled with repeats."""
    images, count = read(numbers), len(numbers)
    rows = np.arange(-(-count // batch_size) * batch_size).clip(max=count - 1)
    answers = [look(images[part]) for part in rows.reshape(-1, batch_size)]
    return {
        name: np.concatenate([np.asarray(answer[name]) for answer in answers])[:count]
        for name in answers[0]
    }


def _write(file, arrays):
    found = {name: np.ascontiguousarray(x) for name, x in arrays.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write.write_atomic(file, serialize(found))
