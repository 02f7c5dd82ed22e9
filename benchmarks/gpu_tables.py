"""Results of gpu_session.py, read from the folders of its runs, and their tables."""

import json
from pathlib import Path

SCORES = ("mae", "rmse", "psnr", "ssim")


def read_lines(file: Path) -> list[dict]:
    """Reads JSON lines; a missing file or a torn line gives nothing."""
    lines = []
    for line in file.read_text().splitlines() if file.exists() else ():
        try:
            lines.append(json.loads(line))
        except ValueError:  # the run was killed while it wrote
            continue
    return lines


def read_json(file: Path) -> dict:
    """Reads a JSON file; a missing or torn one gives {}."""
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return {}


def read_run(folder: Path) -> dict:
    """Reads the stages and the scores of a run of launch.py, complete or not.

    Args:
      folder: the workdir.

    Returns:
      {"stages": rows of `stage_rates` by name, "scores": MAE, RMSE, PSNR and SSIM of
      the evaluation, "validation_mae": the best of the training, "crops": examples of
      the last stage of density maps}; unknown values are absent.
    """
    config = read_json(folder / "config.json")
    stages: dict[str, list] = {}
    for line in read_lines(folder / "metrics.jsonl"):
        stages.setdefault(line["stage"], []).append(line)
    rows = {
        name: stage_rates(lines, config[name]["batch_size"])
        for name, lines in stages.items()
    }
    scores = read_json(folder / "metrics.json")
    run: dict = {"stages": rows, "scores": {n: scores[n] for n in SCORES if scores}}
    for name, lines in stages.items():
        if maes := [x["validation_mae"] for x in lines if "validation_mae" in x]:
            run["validation_mae"] = min(maes + [run.get("validation_mae", maes[0])])
        if name in ("density", "joint"):
            run["crops"] = rows[name]["images"]
    return run


def stage_rates(lines: list[dict], batch_size: int) -> dict:
    """Computes the rates of a stage from its lines of metrics.jsonl.

    A line holds the rates of the steps since the line before it.

    Args:
      lines: the lines, in their order.
      batch_size: examples of a step.

    Returns:
      "images": examples of all steps; "compile_seconds": of the first start;
      "images_per_second" and "model_flops_per_second" over the later half of the
      steps, where caches and clocks are warm; "wait_share" over the same, and
      "wait_seconds" of the whole stage.
    """
    row = {"images": batch_size * max(line["step"] for line in lines)}
    compiled = [x["compile_seconds"] for x in lines if "compile_seconds" in x]
    row |= {"compile_seconds": compiled[0]} if compiled else {}
    rated = [line for line in lines if "images_per_second" in line]
    spans, step = [], rated[0]["step"] - 1 if rated else 0
    for line in rated:
        images = batch_size * (line["step"] - step)
        spans.append((line, images / line["images_per_second"], images))
        step = line["step"]
    if not spans:
        return row
    row["wait_seconds"] = sum(x["wait_share"] * seconds for x, seconds, _ in spans)
    later = [span for span in spans if 2 * span[0]["step"] > step]
    seconds = sum(span[1] for span in later)
    row["images_per_second"] = sum(span[2] for span in later) / seconds
    for name in ("model_flops_per_second", "wait_share"):
        row[name] = sum(line[name] * part for line, part, _ in later) / seconds
    return row


def stage_table(runs: dict[str, dict]) -> str:
    """Formats one row per run and stage."""
    head = ["run", "stage", "images", "images/s", "model TFLOP/s", "GFLOP an image"]
    rows = [[*head, "share of waiting", "waiting, s", "compilation, s"]]
    for name, run in runs.items():
        for stage, row in run["stages"].items():
            rate, flops = (
                row.get("images_per_second"),
                row.get("model_flops_per_second"),
            )
            numbers = (
                (rate, ".0f"),
                (flops and flops / 1e12, ".3g"),
                (rate and flops / rate / 1e9, ".3g"),
                (row.get("wait_share"), ".4f"),
                (row.get("wait_seconds"), ".1f"),
                (row.get("compile_seconds"), ".1f"),
            )
            cells = [_cell(*number) for number in numbers]
            rows.append([name, stage, str(row["images"]), *cells])
        sums = (
            sum(row.get(key, 0) for row in run["stages"].values())
            for key in ("wait_seconds", "compile_seconds")
        )
        rows.append([name, "sum", *[""] * 5, *(_cell(total, ".1f") for total in sums)])
    return markdown(rows)


def score_table(runs: dict[str, dict]) -> str:
    """Formats one row per run with density maps."""
    rows = [["run", "crops", "validation MAE", "MAE", "RMSE", "PSNR", "SSIM"]]
    for name, run in runs.items():
        if "crops" in run:
            cells = [_cell(run.get("validation_mae"), ".1f")]
            for score, form in zip(SCORES, (".1f", ".1f", ".2f", ".3f"), strict=True):
                cells.append(_cell(run["scores"].get(score), form))
            rows.append([name, str(run["crops"]), *cells])
    return markdown(rows)


def part_table(parts: dict[str, dict]) -> str:
    """Formats one row per part of the session."""
    rows = [["part", "end", "seconds", "limit"]]
    for name, part in parts.items():
        seconds = (_cell(part.get(key), ".0f") for key in ("seconds", "limit"))
        rows.append([name, part["end"], *seconds])
    return markdown(rows)


def markdown(rows: list[list[str]]) -> str:
    """Formats rows of cells; the first row is the head."""
    rows = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(value, form):
    return "" if value is None else format(value, form)
