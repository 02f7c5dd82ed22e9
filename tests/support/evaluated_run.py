"""Workdir of an evaluated run with small files."""

import csv
import dataclasses
import json

import numpy as np
from PIL import Image

from cpcnn_jax import config

HOSTILE = "<script>alert(1)</script>.jpg"
LEVELS = (("ex-lo", 0, 120), ("lo", 120, 300), ("med", 300, 700), ("hi", 700, None))


def write(folder, number=30, seed=0):
    """Writes the files of a run with `number` images; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = make_rows(number, np.random.default_rng(seed))
    with open(folder / "predictions.csv", "w", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)
    (folder / "metrics.json").write_text(json.dumps(scores(rows)))
    (folder / "metrics.jsonl").write_text("".join(map(_line, log())))
    experiment = config.Experiment(data=config.ShanghaiTech(part="A"))
    (folder / "config.json").write_text(json.dumps(dataclasses.asdict(experiment)))
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT))
    draw_pictures(folder / "pictures", rows)
    return folder


ENVIRONMENT = {
    "commit": "0123abcd",
    "python": "3.11.7",
    "platform": "Linux",
    "devices": ["cuda:0", "cuda:1"],
    "packages": {"jax": "0.10.2", "flax": "0.12.8"},
}


def make_rows(number, rng):
    """Makes rows of predictions.csv; the first name is HTML."""
    rows = []
    for index in range(number):
        count = int(rng.gamma(1.2, 350))
        predicted = max(0.0, count * rng.normal(0.95, 0.25) + rng.normal(20, 15))
        level = next(name for name, _, to in LEVELS if to is None or count <= to)
        name = HOSTILE if index == 0 else f"IMG_{index + 1}"
        rows.append(
            {"name": name, "count": count, "predicted": predicted}
            | {"psnr": rng.normal(21, 2), "ssim": rng.uniform(0.4, 0.9)}
            | {f"game{n}": abs(predicted - count) * (1 + n / 4) for n in (1, 2, 3)}
            | {"level": level}
        )
    return rows


def error(row):
    return abs(row["predicted"] - row["count"])


def scores(rows):
    """Makes the content of metrics.json."""
    errors = np.array([error(row) for row in rows])
    mean = float(np.mean(errors))
    levels = []
    for name, above, to in LEVELS:
        errors_ = [error(row) for row in rows if row["level"] == name]
        mae = float(np.mean(errors_)) if errors_ else None
        levels.append(
            {"level": name, "above": above, "to": to, "num_images": len(errors_)}
            | {"mae": mae}
        )
    return {
        "mae": mean,
        "rmse": float(np.sqrt(np.mean(errors**2))),
        "nae": 0.25,
        **{f"game{n}": mean * (1 + n / 4) for n in range(4)},
        "psnr": 21.25,
        "ssim": 0.625,
        "num_images": len(rows),
        "mae_interval": [0.8 * mean, 1.2 * mean],
        "rmse_interval": [0.9 * mean, 1.9 * mean],
        "mae_per_level": levels,
        "training_mean": 541.5,
        "mae_of_training_mean": 303.75,
        "count_reference": "points",
        "psnr_ssim": "divided by the true map's peak",
        "test_evaluations": 1,
    }


def log():
    """Yields lines of metrics.jsonl, with the repeated steps of a resumed run."""
    for stage, name, steps in (("gce", "accuracy", 40), ("density", "crop_mae", 200)):
        for step in (*range(10, steps + 1, 10), steps - 10, steps):
            loss = {"loss": 1 / step, name: 100 / step, "images_per_second": 12.5}
            yield {"stage": stage, "step": step, "time": 1.5, **loss}
        if name == "crop_mae":
            yield {"stage": stage, "step": 100, "time": 2.5, "validation_mae": 64.5}


def _line(line):
    return json.dumps(line) + "\n"


def draw_pictures(folder, rows, number=5):
    """Draws pictures, evenly spaced over the ranking, best first."""
    folder.mkdir()
    ranking = sorted(rows, key=error)
    for index in np.linspace(0, len(rows) - 1, number).round().astype(int):
        name = ranking[index]["name"].replace("/", "_")
        grey = int(255 * index / len(rows))
        picture = Image.new("RGB", (1350, 540), (grey, 90, 120))
        picture.save(folder / f"{index + 1:03d}_{name}.png")
