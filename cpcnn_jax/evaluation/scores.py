"""The scores of one photograph, and of all together as metrics.json has them.

A record may have a region of interest ("roi", as WorldExpo'10's). Then heads outside it
are left out and both maps are multiplied by it before anything is counted or compared:
counts, GAME, PSNR and SSIM alike. PSNR and SSIM stay means over the whole frame.
"""

import functools

import numpy as np

from cpcnn_jax.data import density_classes, density_map
from cpcnn_jax.evaluation import bootstrap, metrics

LEVELS = ("ex-lo", "lo", "med", "hi", "ex-hi")  # of density [R]
PSNR_SSIM = (
    "of maps at the photograph's size, zero outside a region of interest, both divided "
    "by the true map's peak (data range 1); SSIM with an 11x11 Gaussian window of "
    "sigma 1.5; means over photographs"
)


def level_thresholds(training):
    """Where one density level ends and the next begins: as many photographs in each.

    Levels of equal width would put 150 of ShanghaiTech A's 182 test photographs into
    the lowest and none into the highest.

    Args:
      training: `[N]` people on each training photograph; never on those of the test.

    Returns:
      `[4]` ascending people; see `density_classes.density_class`.
    """
    return density_classes.fit_thresholds(
        training, num_classes=len(LEVELS), binning="quantile"
    )


def apply_roi(record, estimate, config):
    """What counts of a photograph: all of it, or its region of interest.

    Args:
      record: of a source; see `cpcnn_jax.data`.
      estimate: `[H, W]` people per pixel.
      config: `config.Experiment`; its target says how the true map is drawn.

    Returns:
      points `[N, 2]`, the true map `[H, W]` and the estimate `[H, W]`.
    """
    points, shape = record["points"], record["image"].shape[:2]
    true = density_map.density_map(
        points, shape=shape, sigma=config.target.sigma_of(record)
    )
    if "roi" not in record:
        return points, true, estimate
    roi = record["roi"] > 0
    x, y = np.floor(points).astype(int).T
    return points[roi[y, x]], true * roi, estimate * roi


def score_image(record, estimate, config, thresholds):
    """The scores of one photograph: its row of predictions.csv.

    Args:
      record: of a source; see `cpcnn_jax.data`.
      estimate: `[H, W]` people per pixel.
      config: `config.Experiment`; its `count_reference` says what `count` is.
      thresholds: from `level_thresholds`.

    Returns:
      Dict of name, count (people there), predicted (the estimate's sum), psnr, ssim,
      game1 to game3, level, and scene where the record has one.
    """
    points, true, estimate = apply_roi(record, estimate, config)
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
    }
    return row | {key: record[key] for key in ("scene",) if key in record}


def summarize(rows, training):
    """The scores of all photographs together.

    Args:
      rows: of `score_image`, at least one.
      training: `[N]` people on each training photograph: they fix the density levels
        and the constant answer that a network must beat.

    Returns:
      A dict, as in metrics.json; nan or infinite where a score does not exist.
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
        "mae_per_level": _levels(predicted, true, level_thresholds(training)),
        **_scenes(rows),
        "training_mean": mean,
        "mae_of_training_mean": metrics.mae(np.full_like(true, mean), true),
        "psnr_ssim": PSNR_SSIM,
    }


def _intervals(errors):
    """Of MAE and RMSE; percentiles pass through the root, which keeps the order."""
    mae = mse = (float("nan"),) * 2
    if len(errors) > 1:
        mae, mse = map(bootstrap.mean_interval, (errors, errors**2))
    return {
        "mae_interval": list(mae),
        "rmse_interval": np.sqrt(mse).tolist(),
        "bootstrap": bootstrap.BOOTSTRAP,
    }


def _levels(predicted, true, thresholds):
    edges = [0.0, *map(float, thresholds), float("inf")]
    level = density_classes.density_class(true, thresholds)
    number = np.bincount(level, minlength=len(LEVELS)).tolist()
    mae = metrics.mae_per_level(predicted, true, thresholds).tolist()
    names = ("level", "above", "to", "num_images", "mae")
    columns = zip(LEVELS, edges[:-1], edges[1:], number, mae, strict=True)
    return [dict(zip(names, values, strict=True)) for values in columns]


def _scenes(rows):
    """Each scene's own MAE, and their mean: WorldExpo'10's result."""
    errors = {}
    for row in rows:
        if "scene" in row:
            error = abs(row["predicted"] - row["count"])
            errors.setdefault(row["scene"], []).append(error)
    if not errors:
        return {}
    mae = {scene: float(np.mean(errors[scene])) for scene in sorted(errors)}
    return {"mae_per_scene": mae, "mae_of_scenes": float(np.mean([*mae.values()]))}


def format_summary(found):
    """The scores as a run ends with them.

    Args:
      found: of `summarize`, with what was scored, and the number of test_evaluations.

    Returns:
      A str of several lines.
    """
    low, high = found["mae_interval"]
    lines = [
        f"MAE {found['mae']:.1f}, RMSE {found['rmse']:.1f} (MSE in crowd papers), "
        f"PSNR {found['psnr']:.2f} dB, SSIM {found['ssim']:.3f} on "
        f"{found['num_images']} {found['split']} photographs;",
        f"95% interval of the MAE {low:.1f} to {high:.1f}, NAE {found['nae']:.3f};",
    ]
    if "mae_of_scenes" in found:
        lines.append(f"mean of the scenes' own MAE {found['mae_of_scenes']:.1f};")
    lines.append(
        f"always answering the training mean of {found['training_mean']:.1f} people: "
        f"MAE {found['mae_of_training_mean']:.1f}"
    )
    if found["test_evaluations"] > 1:
        times = _ordinal(found["test_evaluations"])
        lines.append(f"test set scored for the {times} time")
    return "\n".join(lines)


def _ordinal(number):
    """2 -> 2nd."""
    tens, ones = divmod(number, 10)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(ones, "th")
    return f"{number}{'th' if tens % 10 == 1 else ending}"
