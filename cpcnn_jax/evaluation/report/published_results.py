"""Published results on the data sets of CP-CNN's tables, with their evidence.

PSNR and SSIM depend on a normalization that no paper gives.
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
    scores: tuple[float | None, ...]  # in the order of the columns; None: unknown
    evidence: str = VERIFIED
    networks: tuple[bool, ...] | None = None  # parts of a CP-CNN, as in ALL
    note: str = ""


class Table(NamedTuple):
    """Published results on one data set."""

    title: str
    columns: tuple[str, ...]  # names of scores; rmse is "MSE" in the papers
    rows: tuple[Row, ...]


_CPCNN = "CP-CNN, 2017, all four networks and the adversary"
SHANGHAITECH_A = Table(
    "ShanghaiTech, part A",
    ("mae", "rmse", "psnr", "ssim"),
    (
        Row("Zhang et al., 2015", (181.8, 277.7, None, None)),
        Row(
            *("MCNN, 2016", (110.2, 173.2, 21.4, 0.52)),
            note="PSNR and SSIM as CSRNet's paper gives them",
        ),
        Row("Cascaded-MTL, 2017", (101.3, 152.4, None, None)),
        Row("Switching-CNN, 2017", (90.4, 135.0, None, None)),
        Row("CP-CNN, DME alone", (104.3, 154.2, None, None), RECALLED, DME),
        Row("CP-CNN, DME, GCE and F-CNN", (89.9, 127.9, None, None), RECALLED, DME_GCE),
        Row(
            *("CP-CNN, all four networks", (76.1, 110.2, None, None)),
            *(RECALLED, NO_ADVERSARY),
        ),
        Row(_CPCNN, (73.6, 106.4, 21.72, 0.72), VERIFIED, ALL),
        Row("CSRNet, 2018", (None, None, 23.79, 0.76)),
    ),
)
SHANGHAITECH_B = Table(
    "ShanghaiTech, part B",
    ("mae", "rmse"),
    (
        Row("Zhang et al., 2015", (32.0, 49.8)),
        Row("MCNN, 2016", (26.4, 41.3)),
        Row("Cascaded-MTL, 2017", (20.0, 31.1)),
        Row("Switching-CNN, 2017", (21.6, 33.4)),
        Row(_CPCNN, (20.1, 30.1), VERIFIED, ALL),
    ),
)
UCF_CC_50 = Table(
    "UCF_CC_50; papers print the mean over five folds, a run is one",
    ("mae", "rmse"),
    (
        Row("Zhang et al., 2015", (467.0, 498.5)),
        Row("MCNN, 2016", (377.6, 509.1)),
        Row("Hydra, 2016", (333.7, 425.2)),
        Row("Cascaded-MTL, 2017", (322.8, 397.9)),
        Row("Switching-CNN, 2017", (318.1, 439.2)),
        Row(_CPCNN, (295.8, 320.9), VERIFIED, ALL, "a leaderboard prints MAE 298.8"),
    ),
)
WORLD_EXPO = Table(
    "WorldExpo'10; papers print the mean of the five scenes' MAE",
    (*SCENES, "mae"),
    (
        Row("Chen et al., 2013", (2.1, 55.9, 9.6, 11.3, 3.4, 16.5), RECALLED),
        Row("Zhang et al., 2015", (9.8, 14.1, 14.3, 22.2, 3.7, 12.9)),
        Row("MCNN, 2016", (3.4, 20.6, 12.9, 13.0, 8.1, 11.6)),
        Row("Switching-CNN, 2017", (4.4, 15.7, 10.0, 11.0, 5.9, 9.4)),
        Row(
            *(_CPCNN, (2.9, 14.7, 10.5, 10.4, 5.8, 8.86), VERIFIED, ALL),
            note="some round it to 8.9",
        ),
    ),
)


def find_table(config: Mapping[str, Any], scores: Mapping[str, Any]) -> Table | None:
    """Finds the published results on a run's data set; None for validation images.

    config.json holds the fields of a data set but not its name.

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
    """Finds the parts that config.json trains, as in `ALL`; None if it defines none.

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
