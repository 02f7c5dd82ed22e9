"""Published results on the data sets of CP-CNN's tables, with their evidence.

RMSE is the column that the papers call MSE. PSNR and SSIM depend on a normalization
that no paper gives, so they compare within one code base only.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

VERIFIED, RECALLED = "verified", "recalled"
EVIDENCE = (
    "Verified: read in later papers' tables or on a public leaderboard, not in the "
    "paper itself. Recalled: from memory, not checked against any copy."
)

SCENES = ("scene 1", "scene 2", "scene 3", "scene 4", "scene 5")
# Trained parts of a CP-CNN: GCE, LCE, F-CNN, adversarial loss.
ALL = (True, True, True, True)
NO_ADVERSARY = (True, True, True, False)
DME_GCE = (True, False, True, False)
DME = (False, False, False, False)


class Row(NamedTuple):
    """Row of a results table."""

    method: str
    scores: dict[str, float]  # the known ones of mae, rmse, psnr, ssim and SCENES
    evidence: str  # VERIFIED or RECALLED
    note: str = ""
    networks: tuple[bool, ...] | None = None  # parts of a CP-CNN, as in ALL


class Table(NamedTuple):
    """Published results on one data set."""

    title: str
    columns: tuple[str, ...]  # names of scores
    rows: tuple[Row, ...]


_COUNTS, _MAPS = ("mae", "rmse"), ("mae", "rmse", "psnr", "ssim")
_OF_SCENES = (*SCENES, "mae")


def _row(method, *numbers, columns=_MAPS, evidence=VERIFIED, **more):
    """Makes a row from numbers in the order of the columns; None is unknown."""
    known = zip(columns, numbers, strict=False)
    scores = {name: number for name, number in known if number is not None}
    return Row(method, scores, evidence, **more)


def _cpcnn_row(*numbers, **more):
    method = "CP-CNN, 2017, all four networks and the adversary"
    return _row(method, *numbers, networks=ALL, **more)


def _ablation_row(method, *numbers, networks):
    return _row(method, *numbers, evidence=RECALLED, networks=networks)


def _scene_row(method, *numbers, **more):
    return _row(method, *numbers, columns=_OF_SCENES, **more)


SHANGHAITECH_A = Table(
    "ShanghaiTech, part A",
    _MAPS,
    (
        _row("Zhang et al., 2015", 181.8, 277.7),
        _row(
            *("MCNN, 2016", 110.2, 173.2, 21.4, 0.52),
            note="PSNR and SSIM as CSRNet's paper gives them",
        ),
        _row("Cascaded-MTL, 2017", 101.3, 152.4),
        _row("Switching-CNN, 2017", 90.4, 135.0),
        _ablation_row("CP-CNN, DME alone", 104.3, 154.2, networks=DME),
        _ablation_row("CP-CNN, DME, GCE and F-CNN", 89.9, 127.9, networks=DME_GCE),
        _ablation_row("CP-CNN, all four networks", 76.1, 110.2, networks=NO_ADVERSARY),
        _cpcnn_row(73.6, 106.4, 21.72, 0.72),
        _row("CSRNet, 2018", None, None, 23.79, 0.76),
    ),
)
SHANGHAITECH_B = Table(
    "ShanghaiTech, part B",
    _COUNTS,
    (
        _row("Zhang et al., 2015", 32.0, 49.8),
        _row("MCNN, 2016", 26.4, 41.3),
        _row("Cascaded-MTL, 2017", 20.0, 31.1),
        _row("Switching-CNN, 2017", 21.6, 33.4),
        _cpcnn_row(20.1, 30.1),
    ),
)
UCF_CC_50 = Table(
    "UCF_CC_50; papers print the mean over five folds, a run is one",
    _COUNTS,
    (
        _row("Zhang et al., 2015", 467.0, 498.5),
        _row("MCNN, 2016", 377.6, 509.1),
        _row("Hydra, 2016", 333.7, 425.2),
        _row("Cascaded-MTL, 2017", 322.8, 397.9),
        _row("Switching-CNN, 2017", 318.1, 439.2),
        _cpcnn_row(295.8, 320.9, note="a leaderboard prints MAE 298.8"),
    ),
)
WORLD_EXPO = Table(
    "WorldExpo'10; papers print the mean of the five scenes' MAE",
    _OF_SCENES,
    (
        _scene_row(
            "Chen et al., 2013", 2.1, 55.9, 9.6, 11.3, 3.4, 16.5, evidence=RECALLED
        ),
        _scene_row("Zhang et al., 2015", 9.8, 14.1, 14.3, 22.2, 3.7, 12.9),
        _scene_row("MCNN, 2016", 3.4, 20.6, 12.9, 13.0, 8.1, 11.6),
        _scene_row("Switching-CNN, 2017", 4.4, 15.7, 10.0, 11.0, 5.9, 9.4),
        _cpcnn_row(
            *(2.9, 14.7, 10.5, 10.4, 5.8, 8.86),
            columns=_OF_SCENES,
            note="some round it to 8.9",
        ),
    ),
)


def find_table(config: Mapping[str, Any], scores: Mapping[str, Any]) -> Table | None:
    """Finds the published results on a run's data set.

    Args:
      config: config.json, which holds the fields of a data set but not its name.
      scores: metrics.json.

    Returns:
      The table, or None for a data set that CP-CNN's paper lacks and for validation
      images.

    Example:
      >>> find_table({"data": {"part": "B", "root": "data"}}, {}).title
      'ShanghaiTech, part B'
    """
    if scores.get("split") == "validation":
        return None
    match config.get("data"):
        case {"part": "A"}:
            return SHANGHAITECH_A
        case {"part": "B"}:
            return SHANGHAITECH_B
        case {"fold": _}:
            return UCF_CC_50
    return WORLD_EXPO if scores.get("mae_per_scene") else None


def find_networks(config: Mapping[str, Any]) -> tuple[bool, ...] | None:
    """Finds the parts that an experiment trains, as in `ALL`.

    Args:
      config: config.json.

    Returns:
      Four bools, or None where the file does not define them.

    Example:
      >>> find_networks({"model": {"use_gce": True, "use_lce": False,
      ...     "use_fcnn": True}, "adversary": {"steps": 0}})
      (True, False, True, False)
    """
    match config:
        case {
            "model": {"use_gce": gce, "use_lce": lce, "use_fcnn": fcnn},
            "adversary": {"steps": steps},
        }:
            return bool(gce), bool(lce), bool(fcnn), bool(steps)
    return None
