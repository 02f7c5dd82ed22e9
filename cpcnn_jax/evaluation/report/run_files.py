"""An evaluated run, read back from the files of its folder.

metrics.json and predictions.csv are what an evaluation leaves and must be there; all
else may be absent, as it is where the networks were trained by other code.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

from cpcnn_jax.evaluation import predictions
from cpcnn_jax.evaluation.report import number_format

MAPS = ("psnr", "ssim", "game1", "game2", "game3")  # of a photograph, where known


class ImageResult(NamedTuple):
    """One test photograph."""

    name: str
    count: float  # people
    predicted: float
    level: str  # of density; "" where the evaluation gave none
    scene: str  # likewise
    maps: dict  # of MAPS those that are known

    @property
    def error(self):
        """People too many."""
        return self.predicted - self.count


class RunFiles(NamedTuple):
    """All that a report shows."""

    name: str
    scores: dict  # metrics.json
    photographs: list  # from the best count to the worst
    log: dict  # stage: its lines of metrics.jsonl, one per step, ascending
    config: dict  # config.json, or empty
    environment: dict  # environment.json, or empty
    pictures: dict  # rank, 1 for the best count: a PNG file


def read_run(folder):
    """Read a run.

    Args:
      folder: the run's workdir.

    Returns:
      Run.

    Raises:
      ValueError: the folder is no evaluated run, or a file of it is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: name the workdir of a run")
    if not (folder / "metrics.json").exists():
        raise ValueError(
            f"{folder} holds no metrics.json: it is no run, or one to be evaluated "
            "first, with --mode=evaluate"
        )
    scores = _object(folder / "metrics.json")
    photographs = _photographs(folder)
    return RunFiles(
        name=folder.resolve().name,
        scores=scores,
        photographs=photographs,
        log=_log(folder / "metrics.jsonl"),
        config=_object(folder / "config.json"),
        environment=_object(folder / "environment.json"),
        pictures=_pictures(folder / "pictures", photographs),
    )


def _object(path):
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path} is damaged: expected an object {{...}}")
    return found


def _photographs(folder):
    rows = predictions.read(folder)
    if not rows:
        raise ValueError(
            f"{folder / 'predictions.csv'} holds no photograph: evaluate the run "
            "again, with --mode=evaluate"
        )
    found = [_photograph(row) for row in rows]
    return sorted(found, key=lambda photograph: abs(photograph.error))


def _photograph(row):
    known = {name: number_format.finite(row.get(name)) for name in MAPS}
    return ImageResult(
        name=row["name"],
        count=row["count"],
        predicted=row["predicted"],
        level=row.get("level") or "",
        scene=row.get("scene") or "",
        maps={name: number for name, number in known.items() if number is not None},
    )


def _log(path):
    """Later lines of a step win: a run that went on repeats what it had not saved."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    stages = {}
    for line in filter(None, map(_line, lines)):
        stages.setdefault(str(line["stage"]), {})[line["step"]] = line
    return {stage: [at[step] for step in sorted(at)] for stage, at in stages.items()}


def _line(text):
    """A line of the log; None where the run was killed while it wrote."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(line, dict) and "stage" in line
    return line if whole and isinstance(line.get("step"), int) else None


def _pictures(folder, photographs):
    """Those of these predictions: an evaluation that was stopped leaves older ones."""
    found = {}
    for file in sorted(folder.glob("*.png")):
        place = re.match(r"(\d+)_(.+)", file.stem, re.DOTALL)
        rank = int(place[1]) if place else 0
        if 1 <= rank <= len(photographs):
            name = Path(photographs[rank - 1].name).stem
            if _letters(name) in _letters(place[2]):
                found[rank] = file
    return found


def _letters(name):
    """What of a name every file system can hold."""
    return re.sub(r"[\W_]", "", name)
