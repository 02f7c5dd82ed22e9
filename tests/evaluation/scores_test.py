"""Scores of one image, of all images and inside a region of interest."""

import dataclasses

import dataset_layouts
import numpy as np
import pytest
from scipy import stats
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from cpcnn_jax import config, data
from cpcnn_jax.data import density_map
from cpcnn_jax.evaluation import scores

EXPERIMENT = config.Experiment()
ON_MAPS = dataclasses.replace(EXPERIMENT, count_reference="maps")
THRESHOLDS = np.array([2, 4, 6, 8], np.float32)


def record(points, shape=(64, 80), **more):
    points = np.asarray(points, np.float32).reshape(-1, 2)
    image = np.zeros((*shape, 3), np.uint8)
    return {"name": "IMG_1", "image": image, "points": points, **more}


def row(predicted, count, **more):
    names = ("psnr", "ssim", "game1", "game2", "game3")
    zeros = dict.fromkeys(names, 0.0) | {"peaks": 0, "matched": 0}
    return {"name": "", "count": count, "predicted": predicted, **zeros, **more}


# --- one image


def test_row_of_one_image():
    estimate = np.zeros((64, 80))
    estimate[3, 3], estimate[60, 70] = 1, 2.5  # in two corners
    sample = record([[3, 3], [70, 3], [75, 8]])
    row = scores.score_image(sample, estimate, EXPERIMENT, THRESHOLDS)
    assert list(row) == [
        *("name", "count", "predicted", "psnr", "ssim"),
        *("game1", "game2", "game3", "level"),
        *("width", "height", "peaks", "matched"),
    ]
    assert (row["name"], row["count"], row["predicted"]) == ("IMG_1", 3, 3.5)
    assert [row[f"game{level}"] for level in (1, 2, 3)] == [4.5] * 3
    assert row["level"] == "lo"
    assert (row["width"], row["height"]) == (80, 64)
    assert (row["peaks"], row["matched"]) == (2, 1)


@pytest.mark.parametrize(
    "count, level",
    [*enumerate("ex-lo ex-lo ex-lo lo lo med med hi hi ex-hi".split())],
)
def test_levels_include_their_upper_threshold(count, level):
    sample = record([[9, 9]] * count)
    row = scores.score_image(sample, np.ones((64, 80)), EXPERIMENT, THRESHOLDS)
    assert row["level"] == level


def test_count_reference_maps_scores_against_the_true_map():
    """Equal maps have GAME 0 against the map, but not against head points."""
    sample = record([[39.5, 20], [40.5, 31.5]])
    true = density_map.density_map(sample["points"], shape=(64, 80))
    points, maps = (
        scores.score_image(sample, true, experiment, THRESHOLDS)
        for experiment in (EXPERIMENT, ON_MAPS)
    )
    assert points["count"] == 2 and isinstance(points["count"], int)
    assert maps["count"] == maps["predicted"] == true.sum(dtype=np.float64)
    assert maps["game3"] == 0 and points["game3"] > 0.5


@pytest.mark.parametrize("kernel", ["fixed", "adaptive"])
def test_true_map_is_the_target_of_all_heads(kernel):
    experiment = config.Experiment(target=config.Target(kernel, sigma=3.0))
    sample, estimate = record([[3, 3], [70, 30], [75, 60]]), np.ones((64, 80))
    points, true, masked = scores.apply_roi(sample, estimate, experiment)
    sigma = "adaptive" if kernel == "adaptive" else 3.0
    expected = density_map.density_map(sample["points"], shape=(64, 80), sigma=sigma)
    np.testing.assert_array_equal(true, expected)
    assert points is sample["points"] and masked is estimate


# --- the region of interest


def test_heads_and_density_outside_the_region_change_no_score():
    """300 annotated heads and a constant density outside leave the row unchanged."""
    roi = np.zeros((64, 80), np.uint8)
    roi[:, :40] = 1
    rng = np.random.default_rng(0)
    inside = rng.uniform((0, 0), (25, 64), (5, 2))
    outside = rng.uniform((48, 0), (80, 64), (300, 2))  # outside the SSIM windows, too
    estimate = rng.gamma(0.3, 0.01, (64, 80)) * roi
    for experiment in (EXPERIMENT, ON_MAPS):
        one = scores.score_image(
            record(inside, roi=roi), estimate, experiment, THRESHOLDS
        )
        other = scores.score_image(
            record([*inside, *outside], roi=roi),
            estimate + (1 - roi),
            experiment,
            THRESHOLDS,
        )
        assert one == other
        assert one["predicted"] == pytest.approx(estimate.sum())
        assert one["count"] == pytest.approx(5)


def test_head_counts_fully_although_its_map_is_cut():
    roi = np.zeros((64, 80), np.uint8)
    roi[:, :40] = 1
    sample = record([[39.9, 32]], roi=roi)
    points, maps = (
        scores.score_image(sample, np.zeros((64, 80)), experiment, THRESHOLDS)
        for experiment in (EXPERIMENT, ON_MAPS)
    )
    assert points["count"] == 1
    kernel = np.exp(-(np.arange(-7, 8) ** 2) / 32)  # the head's column and seven left
    assert maps["count"] == pytest.approx(kernel[:8].sum() / kernel.sum(), rel=1e-5)


def test_world_expo_is_scored_in_its_region(tmp_path, monkeypatch):
    """The region is a rectangle and includes its border."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    dataset_layouts.write_world_expo(tmp_path / "data")
    settings = config.WorldExpo(root=str(tmp_path / "data"))
    sample = data.open_dataset(settings, "test")[0]
    (left, top), (right, bottom) = dataset_layouts.CORNERS[[0, 2]]
    estimate = np.random.default_rng(0).gamma(0.3, 0.01, sample["image"].shape[:2])
    result = scores.score_image(sample, estimate, ON_MAPS, THRESHOLDS)

    true = density_map.density_map(sample["points"], shape=estimate.shape)
    maps = np.zeros((2, *estimate.shape))
    cut = slice(top, bottom + 1), slice(left, right + 1)
    maps[0][cut], maps[1][cut] = true[cut], estimate[cut]
    assert result["predicted"] == pytest.approx(estimate[cut].sum())
    assert result["count"] == pytest.approx(true[cut].sum(), rel=1e-5)
    assert result["count"] < len(sample["points"])  # one head's Gaussian is cut
    half = np.add.reduceat(np.add.reduceat(maps[1] - maps[0], [0, 33], 0), [0, 36], 1)
    assert result["game1"] == pytest.approx(np.abs(half).sum())
    maps /= maps[0].max()
    expected = peak_signal_noise_ratio(*maps, data_range=1)
    assert result["psnr"] == pytest.approx(expected, abs=1e-6)
    expected = structural_similarity(
        *maps,
        data_range=1,
        gaussian_weights=True,
        use_sample_covariance=False,
    )
    assert result["ssim"] == pytest.approx(expected, abs=1e-6)
    assert result["scene"] == "104207" and list(result)[-1] == "scene"


# --- all images


def test_summary_by_hand():
    rows = [row(3.0, 1, psnr=10.0, game2=6.0), row(8.0, 9, psnr=20.0, game2=2.0)]
    summary = scores.summarize(rows, training=[0, 10, 5])
    assert summary["mae"] == summary["game0"] == 1.5
    assert summary["rmse"] == pytest.approx(2.5**0.5)
    assert summary["nae"] == pytest.approx((2 + 1 / 9) / 2)
    assert (summary["psnr"], summary["game2"], summary["num_images"]) == (15, 4, 2)
    assert (summary["training_mean"], summary["mae_of_training_mean"]) == (5, 4)
    assert "divided by the true map's peak" in summary["psnr_ssim"]
    assert "mae_per_scene" not in summary


def test_levels_are_quantiles_of_the_training_images():
    """Each level has a fifth of them; the test image of 40 people changes nothing."""
    rows = [row(1.0, 2), row(7.0, 3), row(30.0, 40), row(9.0, 8.5)]
    levels = scores.summarize(rows, training=range(0, 11, 2))["mae_per_level"]
    assert [list(level.values()) for level in levels] == [
        ["ex-lo", 0, 2, 1, 1.0],
        ["lo", 2, 4, 1, 4.0],
        ["med", 4, 6, 0, pytest.approx(np.nan, nan_ok=True)],
        ["hi", 6, 8, 0, pytest.approx(np.nan, nan_ok=True)],
        ["ex-hi", 8, np.inf, 2, (10 + 0.5) / 2],
    ]
    assert list(levels[0]) == ["level", "above", "to", "num_images", "mae"]


def test_intervals_equal_scipy_with_the_stated_resamples():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 500, 40)
    rows = [row(people + rng.normal(3, 40), people) for people in true]
    summary = scores.summarize(rows, training=[500])
    errors = np.array([r["predicted"] - r["count"] for r in rows])
    for name, score in (
        ("mae", lambda e, axis: np.abs(e).mean(axis)),
        ("rmse", lambda e, axis: np.sqrt((e**2).mean(axis))),
    ):
        expected = stats.bootstrap(
            (errors,),
            score,
            n_resamples=summary["bootstrap"]["resamples"],
            confidence_level=summary["bootstrap"]["confidence"],
            method="percentile",
            rng=np.random.default_rng(summary["bootstrap"]["seed"]),
        ).confidence_interval
        np.testing.assert_allclose(summary[f"{name}_interval"], expected, rtol=1e-4)


def test_one_image_has_no_interval():
    summary = scores.summarize([row(3.0, 0)], training=[4])
    assert np.isnan([*summary["mae_interval"], *summary["rmse_interval"]]).all()
    assert np.isnan(summary["nae"]) and summary["mae"] == 3


def test_scenes_have_equal_weights():
    rows = [row(2.0, 1, scene="b"), row(4.0, 1, scene="b"), row(9.0, 1, scene="a")]
    summary = scores.summarize(rows, training=[4])
    assert summary["mae_per_scene"] == {"a": 8.0, "b": 2.0}
    assert summary["mae_of_scenes"] == 5.0 and summary["mae"] == 4.0


# --- text


def test_summary_as_text():
    rows = [row(3.0, 1, scene="b"), row(9.0, 8, scene="a"), row(8.0, 4, scene="a")]
    summary = scores.summarize(rows, training=[4, 6]) | {
        "test_evaluations": 1,
        "split": "test",
    }
    low, high = summary["mae_interval"]
    assert scores.format_summary(summary).splitlines() == [
        "MAE 2.3, RMSE 2.6 (MSE in crowd papers), PSNR 0.00 dB, SSIM 0.000 on 3 test "
        "images;",
        f"95% interval of the MAE {low:.1f} to {high:.1f}, NAE 1.042;",
        "mean MAE of the scenes 2.2;",
        "constant prediction of the training mean, 5.0 people: MAE 2.7",
    ]


@pytest.mark.parametrize(
    ("number", "word"),
    [(2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (21, "21st"), (112, "112th")],
)
def test_repeated_test_evaluations_are_reported(number, word):
    summary = scores.summarize([row(3.0, 0)], [4]) | {
        "test_evaluations": number,
        "split": "test",
    }
    assert scores.format_summary(summary).endswith(
        f"\ntest set scored for the {word} time"
    )
    assert "on 1 test image;\nNAE nan;" in scores.format_summary(summary)
