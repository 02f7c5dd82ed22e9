"""Metrics that are not finite are found at the next check, however late."""

import numpy as np
import pytest

from cpcnn_jax.training import nan_guard

NAMES = ("IMG_1", "IMG_2", "IMG_3")
CROPS = np.array([[0, 4], [2, 1], [0, 7]])


def test_check_returns_the_metrics_of_the_last_step_once():
    watch = nan_guard.NanGuard("density", NAMES)
    watch.record(1, {"loss": np.float32(3)}, CROPS)
    watch.record(2, {"loss": np.float32(2.5)}, CROPS)
    assert watch.check() == {"loss": 2.5}
    assert watch.check() == {}


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_the_first_step_that_is_not_finite_is_named_with_its_crops(value):
    watch = nan_guard.NanGuard("density", NAMES)
    watch.record(7, {"loss": np.float32(1), "crop_mae": np.float32(2)}, CROPS[1:2])
    watch.record(8, {"loss": np.float32(1), "crop_mae": np.float32(value)}, CROPS)
    watch.record(9, {"loss": np.float32("nan"), "crop_mae": np.float32(2)}, CROPS[:1])
    text = (
        f"^stage density, step 8: crop_mae {value} is not finite, after "
        r"IMG_1 \(crop 4 and 7\), IMG_3 \(crop 1\)$"
    )
    with pytest.raises(FloatingPointError, match=text):
        watch.check()
