"""Files of an evaluated run; only metrics.json and predictions.csv are required."""

import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from cpcnn_jax.evaluation import predictions
from cpcnn_jax.evaluation.report.number_format import parse_finite

CONFIG = "config.json"
# Title and decimals of each further number of an image.
METRICS = {
    "low": ("low", 0),
    "high": ("high", 0),
    "psnr": ("PSNR", 2),
    "ssim": ("SSIM", 3),
    "game1": ("GAME(1)", 1),
    "game2": ("GAME(2)", 1),
    "game3": ("GAME(3)", 1),
}


@dataclasses.dataclass(frozen=True)
class ImageResult:
    """Result of one image."""

    name: str
    count: float  # true people
    predicted: float  # people
    level: str  # density level; "" where the evaluation gave none
    scene: str  # "" where the data set has no scenes
    metrics: dict[str, float]  # the known ones of METRICS

    @property
    def error(self) -> float:
        """Predicted minus true people."""
        return self.predicted - self.count


class RunFiles(NamedTuple):
    """Contents of a run's files."""

    name: str
    scores: dict[str, Any]  # metrics.json
    images: list[ImageResult]  # from the best count to the worst
    log: dict[str, list[dict]]  # stage: lines of metrics.jsonl, ascending steps
    config: dict[str, Any]  # config.json, or empty
    environment: dict[str, Any]  # environment.json, or empty
    pictures: dict[int, Path]  # rank, 1 for the best count: PNG file


def read_run(folder: str | os.PathLike[str]) -> RunFiles:
    """Reads the files of a workdir, or of its folder of validation results.

    Raises:
      ValueError: the folder is no evaluated run, or one of its files is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: name the workdir of a run")
    if not (folder / "metrics.json").exists():
        raise ValueError(
            f"{folder} has no metrics.json: it is no run, or a run to evaluate first "
            "with --mode=evaluate"
        )
    scores, images = _read_object(folder / "metrics.json"), _read_images(folder)
    name, run = folder.resolve().name, folder
    if name == predictions.VALIDATION and (folder.resolve().parent / CONFIG).exists():
        run = folder.resolve().parent
        name = f"{run.name}, {name}"
    return RunFiles(
        name=name,
        scores=scores,
        images=images,
        log=_read_log(run / "metrics.jsonl"),
        config=_read_object(run / CONFIG),
        environment=_read_object(run / "environment.json"),
        pictures=_find_pictures(folder / "pictures", images),
    )


def _read_object(path):
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: expected an object {{...}}")
    return content


def _read_images(folder):
    rows = predictions.read(folder)
    if not rows:
        raise ValueError(
            f"{folder / predictions.NAME} has no image: evaluate the run again, with "
            "--mode=evaluate"
        )
    return sorted(map(_parse_row, rows), key=lambda image: abs(image.error))


def _parse_row(row):
    metrics = {name: parse_finite(row.get(name)) for name in METRICS}
    return ImageResult(
        name=row["name"],
        count=row["count"],
        predicted=row["predicted"],
        level=row.get("level") or "",
        scene=row.get("scene") or "",
        metrics={name: value for name, value in metrics.items() if value is not None},
    )


def _read_log(path):
    """Reads the log; a resumed run repeats steps, and the later line of a step wins."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    stages: dict[str, dict[int, dict]] = {}
    for line in filter(None, map(_parse_line, lines)):
        stages.setdefault(str(line["stage"]), {})[line["step"]] = line
    return {
        stage: [steps[step] for step in sorted(steps)]
        for stage, steps in stages.items()
    }


def _parse_line(text):
    """Parses a line of the log; None for a line that a killed run left incomplete."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    complete = isinstance(line, dict) and "stage" in line
    return line if complete and isinstance(line.get("step"), int) else None


def _find_pictures(folder, images):
    """Finds the pictures of these predictions, without those of earlier ones."""
    pictures = {}
    for file in sorted(folder.glob("*.png")):
        match = re.match(r"(\d+)_(.+)", file.stem, re.DOTALL)
        if match and 1 <= (rank := int(match[1])) <= len(images):
            name = Path(images[rank - 1].name).stem
            if _strip_symbols(name) in _strip_symbols(match[2]):
                pictures[rank] = file
    return pictures


def _strip_symbols(name):
    """Removes from a name all that some file system cannot store."""
    return re.sub(r"[\W_]", "", name)
