"""Scores of one image, and of all images together as metrics.json stores them.

Heads outside a record's "roi" are left out, and both maps are multiplied by it.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cpcnn_jax.config import Experiment
from cpcnn_jax.data import density_classes, density_map
from cpcnn_jax.data.density_classes import Counts
from cpcnn_jax.evaluation import bootstrap, metrics
from cpcnn_jax.inference import head_points, prediction_interval

LEVELS = ("ex-lo", "lo", "med", "hi", "ex-hi")  # of density [R]
PSNR_SSIM = (
    "computed at the image's size, zero outside a region of interest, with both maps "
    "divided by the true map's peak (data range 1); SSIM has an 11x11 Gaussian window "
    "of sigma 1.5, and both are means over images"
)


def level_thresholds(training: Counts) -> np.ndarray:
    """Computes the boundaries of levels with equally many training images.

    Args:
      training: `[N]` people in each training image.

    Returns:
      `[4]` ascending people; see `density_classes.density_class`.
    """
    return density_classes.fit_thresholds(
        training, num_classes=len(LEVELS), binning="quantile"
    )


def apply_roi(
    record: Mapping[str, Any], estimate: np.ndarray, config: Experiment
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Restricts heads and maps to the region of interest, if the record has one.

    Args:
      record: a record of a data set; see `cpcnn_jax.data`.
      estimate: `[H, W]` people per pixel.
      config: the experiment, whose target defines the true map.

    Returns:
      Points `[N, 2]`, the true map `[H, W]` and the estimate `[H, W]`.
    """
    points, shape = record["points"], record["image"].shape[:2]
    sigma = config.target.sigma_of(record)
    true = density_map.density_map(points, shape=shape, sigma=sigma)
    if "roi" not in record:
        return points, true, estimate
    roi = record["roi"] > 0
    x, y = np.floor(points).astype(int).T
    return points[roi[y, x]], true * roi, estimate * roi


def score_image(
    record: Mapping[str, Any],
    estimate: np.ndarray,
    config: Experiment,
    thresholds: Counts,
) -> dict[str, Any]:
    """Computes the scores of one image, its row of predictions.csv.

    Args:
      record: a record of a data set; see `cpcnn_jax.data`.
      estimate: `[H, W]` people per pixel.
      config: the experiment, whose `count_reference` defines the true count.
      thresholds: `[4]` people, from `level_thresholds`.

    Returns:
      name, count (true people), predicted (sum of the estimate), psnr, ssim, game1 to
      game3, level, width and height in pixels, peaks (heads in the estimate), matched
      (peaks within 8 pixels of a head); and scene if the record has one.
    """
    points, true, estimate = apply_roi(record, estimate, config)
    count: float
    if config.count_reference == "points":
        count, game = len(points), functools.partial(metrics.game, estimate, points)
    else:
        count = float(true.sum(dtype=np.float64))
        game = functools.partial(metrics.game_of_maps, estimate, true)
    row = {
        "name": record["name"],
        "count": count,
        "predicted": float(estimate.sum(dtype=np.float64)),
        "psnr": metrics.psnr(estimate, true),
        "ssim": metrics.ssim(estimate, true),
        **{f"game{level}": game(level) for level in (1, 2, 3)},
        "level": LEVELS[density_classes.density_class(count, thresholds)],
        "width": estimate.shape[1],
        "height": estimate.shape[0],
        **_localize(estimate, points),
    }
    return row | {key: record[key] for key in ("scene",) if key in record}


def _localize(estimate, points):
    matches = metrics.localize(head_points.find_points(estimate), points)
    return {"peaks": matches.predicted, "matched": matches.matched}


def summarize(rows: Sequence[Mapping[str, Any]], training: Counts) -> dict[str, Any]:
    """Computes the scores of all images together.

    Args:
      rows: results of `score_image`, at least one.
      training: `[N]` people in each training image, for the density levels and the
        constant prediction of their mean.

    Returns:
      The content of metrics.json; nan or infinite where a score does not exist.
    """
    predicted, true = (
        np.array([row[name] for row in rows], np.float64)
        for name in ("predicted", "count")
    )
    mean, mae = float(np.mean(training)), metrics.mae(predicted, true)
    return {
        "mae": mae,
        "rmse": metrics.rmse(predicted, true),
        "nae": metrics.nae(predicted, true),
        "game0": mae,  # by definition
        **{
            name: float(np.mean([row[name] for row in rows]))
            for name in ("game1", "game2", "game3", "psnr", "ssim")
        },
        "num_images": len(rows),
        **_intervals(np.abs(predicted - true)),
        **_score_points(rows, true),
        **_score_coverage(rows, true),
        "mae_per_level": _score_levels(predicted, true, level_thresholds(training)),
        **_score_scenes(rows),
        "training_mean": mean,
        "mae_of_training_mean": metrics.mae(np.full_like(true, mean), true),
        "psnr_ssim": PSNR_SSIM,
    }


def _intervals(errors):
    """Computes the intervals of MAE and RMSE; the root is monotone."""
    mae = mse = (float("nan"),) * 2
    if len(errors) > 1:
        mae, mse = map(bootstrap.mean_interval, (errors, errors**2))
    return {
        "mae_interval": list(mae),
        "rmse_interval": np.sqrt(mse).tolist(),
        "bootstrap": bootstrap.BOOTSTRAP,
    }


def _score_points(rows, true):
    """Computes precision, recall and F1 of the peaks of all maps together."""
    matched, peaks = (sum(row[name] for row in rows) for name in ("matched", "peaks"))
    whole = metrics.Localization(matched, peaks, int(round(true.sum())))
    values = {name: getattr(whole, name) for name in ("precision", "recall", "f1")}
    return {"localization": values | {"radius": metrics.RADIUS}}


def _score_coverage(rows, true):
    """Computes the share of counts inside their intervals, if there are intervals."""
    if "low" not in rows[0]:
        return {}
    low, high = ([row[name] for row in rows] for name in ("low", "high"))
    return {"interval_coverage": prediction_interval.coverage(true, low, high)}


def _score_levels(predicted, true, thresholds):
    edges = [0.0, *map(float, thresholds), float("inf")]
    level = density_classes.density_class(true, thresholds)
    number = np.bincount(level, minlength=len(LEVELS)).tolist()
    mae = metrics.mae_per_level(predicted, true, thresholds).tolist()
    names = ("level", "above", "to", "num_images", "mae")
    columns = zip(LEVELS, edges[:-1], edges[1:], number, mae, strict=True)
    return [dict(zip(names, values, strict=True)) for values in columns]


def _score_scenes(rows):
    """Computes the MAE of each scene, and their mean as WorldExpo'10 reports it."""
    errors: dict[str, list[float]] = {}
    for row in rows:
        if "scene" in row:
            error = abs(row["predicted"] - row["count"])
            errors.setdefault(row["scene"], []).append(error)
    if not errors:
        return {}
    mae = {scene: float(np.mean(errors[scene])) for scene in sorted(errors)}
    return {"mae_per_scene": mae, "mae_of_scenes": float(np.mean([*mae.values()]))}


def format_summary(summary: Mapping[str, Any]) -> str:
    """Formats the result of `summarize`, with split and test_evaluations, as lines."""
    (low, high), number = summary["mae_interval"], summary["num_images"]
    known = math.isfinite(low) and math.isfinite(high)  # of two images or more
    interval = f"95% interval of the MAE {low:.1f} to {high:.1f}, " * known
    lines = [
        f"MAE {summary['mae']:.1f}, RMSE {summary['rmse']:.1f} (MSE in crowd papers), "
        f"PSNR {summary['psnr']:.2f} dB, SSIM {summary['ssim']:.3f} on "
        f"{number} {summary['split']} image{'s' * (number > 1)};",
        f"{interval}NAE {summary['nae']:.3f};",
    ]
    if "mae_of_scenes" in summary:
        lines.append(f"mean MAE of the scenes {summary['mae_of_scenes']:.1f};")
    lines.append(
        "constant prediction of the training mean, "
        f"{summary['training_mean']:.1f} people: "
        f"MAE {summary['mae_of_training_mean']:.1f}"
    )
    if summary["test_evaluations"] > 1:
        times = _ordinal(summary["test_evaluations"])
        lines.append(f"test set scored for the {times} time")
    return "\n".join(lines)


def _ordinal(number):
    """Formats 2 as "2nd"."""
    tens, ones = divmod(number, 10)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(ones, "th")
    return f"{number}{'th' if tens % 10 == 1 else ending}"
