"""Scores of the frozen GCE and LCE for all crops that a stage uses."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.data.resample import resize_corner
from cpcnn_jax.distributed.data_parallel import Strategy
from cpcnn_jax.models import gce
from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.models.crop_context import cut_windows
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.training import context_cache
from cpcnn_jax.training.stage import StageContext

Params = Mapping[str, jax.Array]
Scores = dict[str, np.ndarray]


def gce_input(batch: Mapping[str, jax.Array]) -> jax.Array:
    """Resizes the crops of a batch of `device_batches.crop_batch` for the GCE.

    Returns:
      `[B, 224, 224, 3]` RGB in [0, 1].
    """
    resize = jax.vmap(resize_corner, (0, 0, None))
    return resize(batch["image"], batch["size"], gce.SIDE)


def score_crops(
    model: CPCNN, params: Params, batch: Mapping[str, jax.Array]
) -> dict[str, jax.Array]:
    """Classifies crops with GCE and LCE.

    Args:
      model: the networks.
      params: flat parameter dict.
      batch: of `device_batches.crop_batch`.

    Returns:
      Softmax scores {"global": `[B, K]`, "local": `[B, n, m, K]`}, without omitted
      networks; n x m is the grid of the LCE's windows on the canvas.
    """
    scores = {}
    if model.gce is not None:
        variables = to_variables(params, scope="gce/")
        logits: Any = model.gce.apply(variables, gce_input(batch))
        scores["global"] = jax.nn.softmax(logits)
    if model.lce is not None:
        cut = jax.vmap(cut_windows, (0, 0, None))
        windows = cut(batch["image"], batch["size"], model.lce_stride)
        grid, window = windows.shape[:3], windows.shape[3:]
        variables = to_variables(params, scope="lce/")
        logits = model.lce.apply(variables, windows.reshape(-1, *window))
        scores["local"] = jax.nn.softmax(logits).reshape(*grid, -1)
    return scores


def make_crop_scorer(
    context: StageContext,
    folder: str | os.PathLike[str],
    strategy: Strategy,
    stop: Callable[[], int | None],
) -> Callable[[Params, Callable[[], Sequence[np.ndarray]]], list[Scores]]:
    """Makes a function that scores the training crops of a stage.

    Args:
      context: the stages' common record.
      folder: the folder of the cache.
      strategy: the placement on devices.
      stop: function, the number of a received signal or None.

    Returns:
      scores(params, used): a flat parameter dict, and a function that returns int
      `[U, 2]` of each group, the places and windows that are used. The result has for
      each group the scores as arrays `[N, J, ...]` of all places and windows; unused
      ones are zero. It raises Interrupted after a signal; complete files are kept.
    """
    model, images = context.model, context.images

    def predict(state, pairs):
        params, bank = state
        return score_crops(model, params, images.crop_batch(bank, pairs))

    predict = strategy.compile_local(predict)
    batch_size = _batch_size(context, strategy)

    def score_group(params, group, used):
        if not len(used):
            return {}  # the stage does not visit the group
        state = strategy.place_local((params, images.load(group)))
        number = images.groups[group]
        places = {number[place]: place for place in np.unique(used[:, 0]).tolist()}
        wanted = {i: used[used[:, 0] == at, 1].tolist() for i, at in places.items()}

        def score(i, windows):
            def batch(j):
                pairs = np.stack([np.full_like(j, places[i]), j], axis=1)
                return predict(state, pairs)

            return context_cache.in_batches(batch, windows, batch_size)

        known = context_cache.score_all(folder, wanted, score, stop)
        shape = (images.size.images, crops_lib.crops_per_image(context.config.crops))
        return _as_arrays(shape, {places[i]: (wanted[i], known[i]) for i in wanted})

    def scores(params, used):
        if model.gce is None and model.lce is None:
            return [{} for _ in images.groups]
        return [score_group(params, group, pairs) for group, pairs in enumerate(used())]

    return scores


def _batch_size(context: StageContext, strategy: Strategy) -> int:
    if microbatch := context.config.deterministic_microbatch:
        return microbatch * strategy.num_local_devices
    return context.config.density.batch_size


def _as_arrays(shape: tuple[int, int], known: Mapping[int, Any]) -> Scores:
    """Arrays `[N, J, ...]` of the scores of {place: (windows, scores)}."""
    _, first = next(iter(known.values()))
    arrays = {
        name: np.zeros((*shape, *values.shape[1:]), values.dtype)
        for name, values in first.items()
    }
    for place, (windows, scores) in known.items():
        for name, values in scores.items():
            arrays[name][place, windows] = values
    return arrays
