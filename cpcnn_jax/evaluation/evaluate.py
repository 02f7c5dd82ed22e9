"""Evaluation: every photograph at its own size, scored and shown.

The test photographs are for the end. What settings are chosen by are the validation
photographs, which are kept apart from training.
"""

import hashlib
import io
import json
import math
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cpcnn_jax import data
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.data import splits
from cpcnn_jax.distributed import multihost
from cpcnn_jax.distributed.preemption import Interrupted, immediate_signals
from cpcnn_jax.evaluation import figures, predictions, scores
from cpcnn_jax.evaluation.report import page
from cpcnn_jax.inference import counter
from cpcnn_jax.io import atomic_write
from cpcnn_jax.weights import serialization


def open_images(config, split):
    """The photographs that `evaluate` scores; worth opening before the training.

    Args:
      config: `config.Experiment`.
      split: "test" or "validation".

    Returns:
      A source; see `cpcnn_jax.data`.

    Raises:
      ValueError: there are none, or one is too small for the networks.
    """
    if split == "test":
        source = data.open_dataset(config.data, "test")
    else:
        known, share = (
            data.open_dataset(config.data, "train"),
            config.validation.percent,
        )
        source = splits.split(known, share)[1]
        if not len(source):
            raise ValueError(
                f"--config.validation.percent={share} keeps no photographs to choose "
                "settings by, which --eval_split=validation needs"
            )
    for name, (height, width) in zip(source.names, source.shapes, strict=True):
        if min(height, width) < PATCH:
            raise ValueError(
                f"the {split} photograph {name} has {width}x{height} pixels; the "
                f"networks need at least {PATCH}x{PATCH}"
            )
    return source


def evaluate(config, folder, *, stop, split="test"):
    """Score the trained networks on whole photographs.

    Several processes share the photographs; the main one writes `predictions.csv`,
    `metrics.json`, `pictures/` and `report.html` into the folder.

    Args:
      config: `config.Experiment`.
      folder: the run's folder, with trained weights.
      split: of `open_images`.
      stop: function, the number of a received signal or None.

    Returns:
      The scores, as in metrics.json but for numbers that JSON has not; in the main
      process also how often they were computed.

    Raises:
      Interrupted: asked to stop; earlier results are left as they were.
      ValueError: no trained weights, or the data cannot be used.
    """
    folder = Path(folder)
    file = serialization.weights_file(folder)
    if not file.exists():
        raise ValueError(f"{file} does not exist: train first, with --mode=train")
    with immediate_signals(stop, "before the evaluation: photographs were being read"):
        source = open_images(config, split)
        known = data.open_dataset(config.data, "train")
    training = [len(points) for points in known.points]
    ready = counter.load(file)
    thresholds = scores.level_thresholds(training)

    def estimate(image):
        return ready.count(image).density

    rows = score_images(source, estimate, config, thresholds, stop=stop)
    found = scores.summarize(rows, training)
    found |= {"split": split, "count_reference": config.count_reference}
    if multihost.is_main():
        found |= _times_scored(folder / "metrics.json", file, now=split == "test")
        predictions.write(folder, rows)
        atomic_write.write_atomic(folder / "metrics.json", _json(found))
        _draw(folder / "pictures", rows, source, estimate, config)
        page.write(folder)
    multihost.barrier("evaluated")
    return found


def score_images(source, estimate, config, thresholds, *, stop):
    """Score an estimate of every photograph, whichever network made it.

    Args:
      source: photographs; see `cpcnn_jax.data`.
      estimate: function, uint8 `[H, W, 3]` to density `[H, W]`.
      config: `config.Experiment`; how the true maps are drawn, and what is counted.
      thresholds: of the density levels, from `scores.level_thresholds`.
      stop: as in `evaluate`.

    Returns:
      A dict per photograph, of all processes; see `scores.score_image`.

    Raises:
      Interrupted: asked to stop.
    """
    rows = []
    bar = tqdm(
        multihost.local_share(range(len(source))),
        desc="evaluate",
        unit="photograph",
        disable=not multihost.is_main(),
    )
    for index in bar:
        if index is not None:
            record = source[index]
            density = estimate(record["image"])
            rows.append(scores.score_image(record, density, config, thresholds))
            error = np.mean([abs(row["predicted"] - row["count"]) for row in rows])
            bar.set_postfix(mae=f"{error:.1f}")
        if stop():
            raise Interrupted(
                stop(), f"in the evaluation, after {len(rows)} photographs"
            )
    return multihost.gather(rows)


def _times_scored(file, trained, *, now):
    """How often these weights have met the test photographs, with this time."""
    with open(trained, "rb") as opened:
        weights_sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    try:
        last = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        last = {}
    same = isinstance(last, dict) and last.get("weights_sha256") == weights_sha256
    times = last.get("test_evaluations", 0) if same else 0
    return {"test_evaluations": times + now, "weights_sha256": weights_sha256}


def _json(tree):
    return (json.dumps(_finite(tree), indent=2, allow_nan=False) + "\n").encode()


def _finite(tree):
    """The tree with null for nan and the infinities, which JSON has not."""
    if isinstance(tree, dict):
        return {name: _finite(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_finite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


def _draw(folder, rows, source, run, config):
    """Pictures from the best count to the worst, evenly over the ranking."""
    folder.mkdir(exist_ok=True)
    before, drawn = set(folder.glob("*.png")), set()
    errors = [abs(row["predicted"] - row["count"]) for row in rows]
    ranking = np.argsort(errors, kind="stable")
    shown = min(config.num_eval_images, len(rows))
    for rank in np.linspace(0, len(rows) - 1, shown).round().astype(int):
        index = int(ranking[rank])
        record, people = source[index], rows[index]["count"]
        title = f"{record['name']}: {rank + 1} of {len(rows)}, best first"
        _, true, found = scores.apply_roi(record, run(record["image"]), config)
        figure = figures.comparison_figure(
            record["image"], true, found, people=people, title=title
        )
        file = folder / f"{rank + 1:03d}_{record['name']}.png"
        atomic_write.write_atomic(file, _png(figure))
        drawn.add(file)
    for file in before - drawn:
        file.unlink()


def _png(figure):
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=100)
    return data.getvalue()
