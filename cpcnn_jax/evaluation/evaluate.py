"""Evaluation: scores and pictures of whole images at their own size.

The test images are for final results; choose settings by the validation images.
"""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from cpcnn_jax.config import Experiment
from cpcnn_jax.data import checksums
from cpcnn_jax.data.experiment_splits import ExperimentSplits
from cpcnn_jax.distributed import multihost
from cpcnn_jax.distributed.preemption import Interrupted
from cpcnn_jax.evaluation import figures, predictions, scores
from cpcnn_jax.evaluation.predictions import results_folder
from cpcnn_jax.evaluation.report import gallery, page
from cpcnn_jax.inference import counter, figure_text
from cpcnn_jax.io import atomic_write
from cpcnn_jax.io.progress_bar import progress_bar
from cpcnn_jax.weights import pretrained, serialization

Estimate = Callable[[np.ndarray], np.ndarray]


def evaluate(
    config: Experiment,
    folder: str | os.PathLike[str],
    splits: ExperimentSplits,
    *,
    stop: Callable[[], int | None],
) -> dict[str, Any]:
    """Scores the trained networks on whole images.

    Several processes share the images. The main process writes predictions.csv,
    metrics.json, pictures/ and report.html into the folder, or those of the validation
    images into its folder validation.

    Args:
      config: the experiment.
      folder: the workdir, with trained weights.
      splits: the opened images.
      stop: function, the number of a received signal or None.

    Returns:
      The scores of metrics.json, with nan and inf where JSON has null; test_evaluations
      and weights_sha256 in the main process only.

    Raises:
      Interrupted: a signal was received; earlier results are unchanged.
      ValueError: there are no trained weights, or the data cannot be used.
    """
    folder = Path(folder)
    file = evaluated_weights(config, folder)
    ready = counter.load(file)

    def estimate(image):
        return ready.count(image).density

    thresholds = scores.level_thresholds(splits.train_counts)
    rows = score_images(splits.evaluation, estimate, config, thresholds, stop=stop)
    rows = [row | _interval(ready, row) for row in rows]
    result = scores.summarize(rows, splits.train_counts)
    split = splits.eval_split
    result |= {"split": split, "count_reference": config.count_reference}
    if multihost.is_main():
        last, results = folder / "metrics.json", results_folder(folder, split)
        result |= _test_evaluations(last, file, now=split == "test")
        results.mkdir(exist_ok=True)
        predictions.write(results, rows)
        atomic_write.write_json(results / "metrics.json", _replace_nonfinite(result))
        _draw(results / "pictures", rows, splits.evaluation, estimate, config)
        page.write(results)
    multihost.barrier("evaluated")
    return result


def evaluated_weights(config: Experiment, folder: str | os.PathLike[str]) -> Path:
    """Finds the weights that an evaluation scores.

    Args:
      config: the experiment.
      folder: the workdir.

    Returns:
      The trained weights of the workdir. Before any training these are the weights of
      `init_from`.

    Raises:
      ValueError: there are none.
    """
    file = serialization.weights_file(folder)
    if file.exists():
        return file
    if config.init_from and not Path(folder, "metrics.jsonl").exists():
        return pretrained.find_weights(config.init_from)
    raise ValueError(f"{file} does not exist: train first, with --mode=train")


def score_images(
    images: Any,
    estimate: Estimate,
    config: Experiment,
    thresholds: np.ndarray,
    *,
    stop: Callable[[], int | None],
) -> list[dict[str, Any]]:
    """Scores an estimate of every image.

    Args:
      images: the images; see `cpcnn_jax.data`.
      estimate: function, uint8 `[H, W, 3]` to density `[H, W]`, people per pixel.
      config: the experiment; decides the target maps and the true counts.
      thresholds: boundaries of the density levels, from `scores.level_thresholds`.
      stop: function, the number of a received signal or None.

    Returns:
      A dict per image, of all processes; see `scores.score_image`.

    Raises:
      Interrupted: a signal was received.
    """
    rows: list[dict[str, Any]] = []
    bar = progress_bar(
        multihost.local_share(range(len(images))),
        desc="evaluate",
        unit="image",
        disable=not multihost.is_main(),
    )
    for index in bar:
        if index is not None:
            record = images[index]
            density = estimate(record["image"])
            rows.append(scores.score_image(record, density, config, thresholds))
            error = np.mean([abs(row["predicted"] - row["count"]) for row in rows])
            bar.set_postfix(mae=f"{error:.1f}", refresh=False)
        if signal := stop():
            raise Interrupted(signal, f"in the evaluation, after {len(rows)} images")
    return multihost.gather(rows)


def _interval(ready, row):
    """The ends of a count's interval, if the weights have intervals."""
    if ready.intervals is None:
        return {}
    pixels = row["width"] * row["height"]
    low, high = ready.intervals.interval(row["predicted"], pixels)
    return {"low": low, "high": high}


def _test_evaluations(file, weights, *, now):
    """Counts how often these weights were scored on the test images."""
    weights_sha256 = checksums.sha256(weights)
    try:
        last = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        last = {}
    same = isinstance(last, dict) and last.get("weights_sha256") == weights_sha256
    times = last.get("test_evaluations", 0) if same else 0
    return {"test_evaluations": times + now, "weights_sha256": weights_sha256}


def _replace_nonfinite(tree):
    """Replaces nan and inf by None."""
    if isinstance(tree, dict):
        return {name: _replace_nonfinite(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_replace_nonfinite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


def _draw(folder, rows, images, estimate, config):
    """Draws comparisons, evenly spaced over the ranking of count errors."""
    folder.mkdir(exist_ok=True)
    old, drawn = set(folder.glob("[0-9][0-9][0-9]*_*.png")), set()
    errors = [abs(row["predicted"] - row["count"]) for row in rows]
    ranking = np.argsort(errors, kind="stable")
    for rank in gallery.select_ranks(range(1, len(rows) + 1), config.num_eval_images):
        index = int(ranking[rank - 1])
        record, people = images[index], rows[index]["count"]
        title = f"{record['name']}: {rank} of {len(rows)}, best first"
        density = estimate(record["image"])
        _, true, predicted = scores.apply_roi(record, density, config)
        file = folder / f"{rank:03d}_{record['name'].replace('/', '_')}.png"
        try:
            figure = figures.comparison_figure(
                record["image"], true, predicted, people=people, title=title
            )
            atomic_write.write_atomic(file, figure_text.render_png(figure))
            drawn.add(file)
        except Exception as error:  # the scores are already written
            logging.warning("%s cannot be drawn and is left out: %s", file, error)
    for file in old - drawn:
        file.unlink()
