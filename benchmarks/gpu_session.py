"""Nine minutes on a GPU: training rates, networks, and rows of the paper's ablation.

    make gpu [GPU_DATA=DIR] [GPU_OUT=DIR]
    python benchmarks/gpu_session.py [--data DIR] [--out DIR] [--parts abcd]

Parts, in order:

    a  each stage of CP-CNN through launch.py, twice, the second time with a warm cache
    b  DME and F-CNN against torch.compile, and the forms for CPUs (networks_gpu.py)
    c  the paper's ablation on ShanghaiTech A, then ShanghaiTech B and UCF_CC_50
    d  the network with a shared backbone, if experiments/shared_backbone.py exists

--data names a folder with ShanghaiTech/ and UCF_CC_50/. Without them (a) trains on the
synthetic crowd, and (c) and (d) are left out. After every part table.md and
session.json of --out are written again; runs/ has the workdirs and the logs. A part
that reaches its limit gets SIGTERM, saves, and keeps its results. The same command
resumes unfinished parts and skips finished ones.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import gpu_tables
import timing
from gpu_parts import BACKBONE, ROOT, Part, plan, runs_folder

from cpcnn_jax.io import user_cache

TOTAL = 530  # seconds of a session
KEPT = 200  # seconds kept for the part of the shared backbone
SHORTEST = 30  # seconds; a part with less is not started
GRACE = 15  # seconds from SIGTERM to SIGKILL, within the limit of a part


def run_session(flags: argparse.Namespace) -> dict[str, dict]:
    """Runs the parts one after the other, within the time of the session.

    Args:
      flags: from `parse`.

    Returns:
      The rows of the parts, as session.json stores them.
    """
    began, parts = time.monotonic(), plan(flags)
    rows = gpu_tables.read_json(flags.out / "session.json").get("parts", {})
    parts = [x for x in parts if rows.get(x.name, {}).get("end") != "complete"]
    for index, part in enumerate(parts):
        left = flags.seconds - (time.monotonic() - began)
        later = [other.name for other in parts[index + 1 :] if not other.missing]
        kept = KEPT if BACKBONE in later else 0
        limit = min(part.limit, left - kept)
        if part.missing:
            rows[part.name] = {"end": f"left out: {part.missing} does not exist"}
        elif limit < SHORTEST:
            rows[part.name] = {"end": f"not started: {max(left, 0):.0f} s were left"}
        else:
            rows[part.name] = {"end": "running", "limit": limit}
            write_tables(flags, rows)
            rows[part.name] |= run_part(part, limit, runs_folder(flags))
        write_tables(flags, rows)
    return rows


def run_part(part: Part, limit: float, folder: Path) -> dict:
    """Runs a part until its limit.

    Args:
      part: the part.
      limit: seconds, the grace for saving included.
      folder: place of the log and of the compiled programs.

    Returns:
      "seconds", and "end": "complete", or "cut off", or the last line of a failure.
    """
    log, began = folder / f"{part.name}.log", time.monotonic()
    grace = min(GRACE, limit / 3)
    with open(log, "ab") as output, _started(part, output, folder) as process:
        try:
            status = process.wait(limit - grace)
            end = "complete" if status == 0 else f"failed: {_reason(log)}"
        except subprocess.TimeoutExpired:
            end = f"cut off after {limit - grace:.0f} s"
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(grace)
    return {"end": end, "seconds": time.monotonic() - began}


@contextlib.contextmanager
def _started(part, output, folder) -> Iterator[subprocess.Popen]:
    """A process in a group of its own, which ends with the block."""
    environment = {
        "JAX_PLATFORMS": "cuda,cpu",  # no GPU is an error
        **os.environ,
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    process = subprocess.Popen(
        [sys.executable, *part.words],
        cwd=ROOT,
        env=environment,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _reason(log):
    """The sentence of a failure: launch.py's own, or the last line."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line]
    own = [line for line in lines if line.startswith("launch.py: ")]
    return (own or lines or ["no output"])[-1]


def write_tables(flags: argparse.Namespace, rows: dict[str, dict]) -> None:
    """Writes session.json and table.md from the rows and from the folders of the runs.

    Args:
      flags: from `parse`.
      rows: the rows of the parts.
    """
    folders = [runs_folder(flags) / name for name in rows]
    runs = {
        folder.name: gpu_tables.read_run(folder)
        for folder in folders
        if (folder / "metrics.jsonl").exists()
    }
    session = {"machine": flags.machine, "parts": rows, "runs": runs}
    networks = flags.out / "networks.md"
    sections = [
        f"# GPU session\n\n{flags.machine}",
        gpu_tables.part_table(rows),
        "## Stages\n\nRates are those of the later half of the steps.",
        gpu_tables.stage_table(runs),
        "## Scores",
        gpu_tables.score_table(runs),
        f"## Networks\n\n{networks.read_text() if networks.exists() else ''}",
    ]
    timing.replace_text(flags.out / "session.json", json.dumps(session, indent=2))
    timing.replace_text(flags.out / "table.md", "\n\n".join(sections).strip() + "\n")


def machine() -> str:
    """Describes the GPU, Python, the packages and the commit."""
    queries = (
        ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
    )
    answers = []
    for words in queries:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            answers.append(subprocess.check_output(words, text=True).strip())
    for package in ("jax", "flax", "torch"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            answers.append(f"{package} {importlib.metadata.version(package)}")
    cores = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    return "; ".join([*answers, cores, time.strftime("%Y-%m-%d")])


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", type=Path, default="data", help="with ShanghaiTech and UCF_CC_50")
    add("--out", type=Path, default="runs/gpu", help="folder of the results")
    add("--parts", default="abcd", help="letters of the parts to run")
    add("--seconds", type=float, default=TOTAL, help="time of the whole session")
    default = user_cache.weights_file("vgg16")
    add("--vgg16", type=Path, default=default, help="of `make vgg16`")
    flags = parser.parse_args(words)
    flags.machine = machine()
    for name in ("data", "out", "vgg16"):  # the parts run in the repository's folder
        setattr(flags, name, Path(getattr(flags, name)).absolute())
    return flags


def main() -> None:
    """Runs the session and prints its table."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    flags = parse()
    runs_folder(flags).mkdir(parents=True, exist_ok=True)
    run_session(flags)
    print((flags.out / "table.md").read_text())


if __name__ == "__main__":
    main()
