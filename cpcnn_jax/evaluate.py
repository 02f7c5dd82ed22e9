"""Evaluation: every test photograph at its own size, scored and shown."""

import csv
import functools
import io
import json
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from cpcnn_jax import data, density, files, metrics, predict, weights, workdir
from cpcnn_jax.interrupt import Interrupted
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.lce import PATCH
from cpcnn_jax.report import pictures


def photographs(settings):
    """The photographs that `evaluate` scores; worth opening before the training.

    Args:
      settings: `config.Experiment.data`.

    Returns:
      A source; see `cpcnn_jax.data`.

    Raises:
      ValueError: there are none, or one is too small for the networks.
    """
    source = data.open_source(settings, "test")
    for name, (height, width) in zip(source.names, source.shapes, strict=True):
        if min(height, width) < PATCH:
            raise ValueError(
                f"the test photograph {name} has {width}x{height} pixels; the networks "
                f"need at least {PATCH}x{PATCH}"
            )
    return source


def evaluate(config, folder, *, stop):
    """Score the trained networks on the test photographs.

    The count is the sum of the map and is held against the annotated heads. Writes
    `predictions.csv`, `metrics.json` and `pictures/` into the folder.

    Args:
      config: `config.Experiment`.
      folder: the run's folder, with trained weights.
      stop: function, the signal that asks to stop or None (`interrupt.deferred`).

    Returns:
      The scores, as in metrics.json.

    Raises:
      Interrupted: asked to stop; earlier results are left as they were.
      ValueError: no trained weights, or the data cannot be used.
    """
    folder = Path(folder)
    file = workdir.weights_file(folder)
    if not file.exists():
        raise ValueError(f"{file} does not exist: train first, with --mode=train")
    source = photographs(config.data)
    trained = jax.device_put(weights.load(file))
    model = cpcnn.build(config.model)
    run = predict.estimator(model, blocks=config.crops.fraction)
    estimate = functools.partial(run, trained)
    rows = score(source, estimate, config, stop=stop)
    scores = summary(rows) | _constant_answer(config, rows)
    _write(folder, rows, scores)
    _draw(folder / "pictures", rows, source, estimate, config)
    return scores


def score(source, estimate, config, *, stop):
    """Score an estimate of every photograph, whichever network made it.

    Args:
      source: photographs; see `cpcnn_jax.data`.
      estimate: function, uint8 `[H, W, 3]` to density `[H, W]`.
      config: `config.Experiment`; its target says how the true maps are drawn.
      stop: as in `evaluate`.

    Returns:
      A dict per photograph: name, count (heads), predicted (the map's sum), psnr, ssim.

    Raises:
      Interrupted: asked to stop.
    """
    rows, bar = [], tqdm(range(len(source)), desc="evaluate", unit="photograph")
    for index in bar:
        record = source[index]
        rows.append(_score(estimate(record["image"]), record, config))
        bar.set_postfix(
            mae=f"{_mean(abs(r['predicted'] - r['count']) for r in rows):.1f}"
        )
        if stop():
            raise Interrupted(
                stop(), f"in the evaluation, after {len(rows)} photographs"
            )
    return rows


def _truth(record, config):
    shape = record["image"].shape[:2]
    return density.density_map(
        record["points"], shape=shape, sigma=config.target.sigma_of(record)
    )


def _score(estimate, record, config):
    true = _truth(record, config)
    return {
        "name": record["name"],
        "count": len(record["points"]),
        "predicted": float(estimate.sum(dtype=np.float64)),
        "psnr": metrics.psnr(estimate, true),
        "ssim": metrics.ssim(estimate, true),
    }


def summary(rows):
    """The scores of all photographs together, from the rows of `score`."""
    predicted, true = ([row[name] for row in rows] for name in ("predicted", "count"))
    return {
        "mae": metrics.mae(predicted, true),
        "rmse": metrics.rmse(predicted, true),
        "psnr": _mean(row["psnr"] for row in rows),
        "ssim": _mean(row["ssim"] for row in rows),
        "num_images": len(rows),
    }


def _constant_answer(config, rows):
    """What always answering the training photographs' mean count would score."""
    heads = [len(points) for points in data.open_source(config.data, "train").points]
    mean = _mean(heads)
    true = [row["count"] for row in rows]
    error = metrics.mae([mean] * len(true), true)
    return {"training_mean": mean, "mae_of_training_mean": error}


def _mean(values):
    return float(np.mean(list(values)))


def _write(folder, rows, scores):
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.replace(folder / "predictions.csv", table.getvalue().encode())
    scored = json.dumps(scores, indent=2) + "\n"
    files.replace(folder / "metrics.json", scored.encode())


def _draw(folder, rows, source, run, config):
    """Pictures from the best count to the worst, evenly over the ranking."""
    folder.mkdir(exist_ok=True)
    before, drawn = set(folder.glob("*.png")), set()
    errors = [abs(row["predicted"] - row["count"]) for row in rows]
    ranking = np.argsort(errors, kind="stable")
    shown = min(config.pictures, len(rows))
    for rank in np.linspace(0, len(rows) - 1, shown).round().astype(int):
        record = source[int(ranking[rank])]
        title = f"{record['name']}: {rank + 1} of {len(rows)}, best first"
        figure = pictures.comparison(
            record["image"],
            _truth(record, config),
            run(record["image"]),
            people=len(record["points"]),
            title=title,
        )
        file = folder / f"{rank + 1:03d}_{record['name']}.png"
        files.replace(file, _png(figure))
        drawn.add(file)
    for file in before - drawn:
        file.unlink()


def _png(figure):
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=100)
    return data.getvalue()
