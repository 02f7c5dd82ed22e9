"""What the frozen networks say of a photograph or a crop, computed once.

In the joint stage GCE and LCE no longer learn, while every crop comes back in every
epoch and GCE alone costs more than a step of all that learns. Their scores are
therefore written to the run's folder, a file per photograph, before the stage begins; a
run that is stopped goes on after the last whole file.
"""

import functools
from pathlib import Path

import numpy as np
from safetensors.numpy import save as serialize
from tqdm import tqdm

from cpcnn_jax import files, steps, weights
from cpcnn_jax.data import pipeline
from cpcnn_jax.interrupt import Interrupted


def kept(file, compute):
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
        return weights.load(file)
    except ValueError:  # none yet, or a damaged one
        found = {name: np.ascontiguousarray(x) for name, x in compute().items()}
        file.parent.mkdir(parents=True, exist_ok=True)
        files.replace(file, serialize(found))
        return found


def crop_scores(run, folder, strategy, stop):
    """The scores of training crops, each a block and its windows.

    Args:
      run: `stages.Run`.
      folder: where they are kept, or will be.
      strategy: from `parallel`.
      stop: function, the signal that asks to stop or None (`interrupt.deferred`).

    Returns:
      scores(weights, crops): a flat dict of all weights and a set of (i, j), numbers of
      photograph and crop, to a dict of (i, j) to the crop's `CPCNN.scores` without the
      B. It raises Interrupted when asked to stop; whole files are kept.
    """
    settings = run.config

    def look(weights, image):
        variables = steps.variables(weights)
        return run.model.apply(variables, image, blocks=1, method="scores")

    def read(i, j):
        crop = pipeline.read_crop(
            run.source, settings.crops, settings.target, settings.seed, i, j
        )
        return crop["image"]

    def scores(weights, crops):
        if run.model.gce is None and run.model.lce is None:
            return dict.fromkeys(crops, {})
        placed, looks = strategy.place_state(weights), strategy.wrap_answers(look)
        return _of_all(
            Path(folder),
            crops,
            read,
            lambda images: looks(placed, strategy.place_batch(images)),
            settings.density.batch_size,
            stop,
        )

    return scores


def _of_all(folder, crops, read, look, batch_size, stop):
    numbers = {}
    for i, j in sorted(crops):
        numbers.setdefault(i, []).append(j)
    found = {}
    for i, of_i in tqdm(numbers.items(), desc="context", unit="photograph"):
        scores = kept(
            folder / f"crops_{i:06d}_{len(of_i)}.safetensors",
            functools.partial(_in_batches, look, read, i, of_i, batch_size),
        )
        for place, j in enumerate(of_i):
            found[i, j] = {name: values[place] for name, values in scores.items()}
        if stop():
            raise Interrupted(stop(), f"in the context of photograph {i}'s crops")
    return found


def _in_batches(look, read, i, numbers, batch_size):
    """`look` at crops of a photograph; the last batch is filled with repeats."""
    count = len(numbers)
    rows = np.arange(-(-count // batch_size) * batch_size).clip(max=count - 1)
    answers = [
        look(np.stack([read(i, numbers[row]) for row in part]))
        for part in rows.reshape(-1, batch_size)
    ]
    return {
        name: np.concatenate([np.asarray(answer[name]) for answer in answers])[:count]
        for name in answers[0]
    }
