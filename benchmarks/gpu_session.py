"""Nine minutes on a GPU: training rates, networks, and rows of the paper's ablation.

    make gpu [GPU_DATA=DIR] [GPU_OUT=DIR]
    python benchmarks/gpu_session.py [--data DIR] [--out DIR] [--parts abcd]

Parts, in order:

    a  each stage of CP-CNN through launch.py, twice, the second time with a warm cache
    b  DME and F-CNN against torch.compile, and the forms for CPUs (networks_gpu.py)
    c  the paper's ablation on ShanghaiTech A, then ShanghaiTech B and UCF_CC_50
    d  the network with a shared backbone, if experiments/shared_backbone.py exists

--data names a folder with ShanghaiTech/ and UCF_CC_50/. Without it (a) trains on the
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
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import gpu_tables
import timing

ROOT = Path(__file__).parents[1]
TOTAL = 530  # seconds of a session
BACKBONE = 200  # seconds kept for (d)
SHORTEST = 30  # seconds; a part with less is not started
GRACE = 15  # seconds from SIGTERM to SIGKILL, within the limit of a part
THROUGHPUT = "benchmarks/throughput_experiment.py"
NETWORKS = ["benchmarks/networks_gpu.py"]
# At least 100,000 crops for DME and F-CNN, in bfloat16.
SIZES = (
    "compute_dtype=bfloat16 crops.num_plain=100 crops.num_augmented=200 "
    "gce.steps=1500 gce.batch_size=32 lce.steps=1500 lce.batch_size=128 "
    "density.steps=3200 density.batch_size=32 adversary.steps=300 "
    "adversary.batch_size=32 validation.eval_every=1600 checkpoint_every=400 "
    "log_every=50 num_eval_images=4"
).split()
# Experiment and changed fields of each run of (c). The fourth row of the ablation adds
# the adversary to the networks of the third.
ROWS = {
    "a_row1": ("ablation_dme", ""),
    "a_row3": ("ablation_lce", ""),
    "a_row4": (
        "shanghaitech_a",
        "init_from={runs}/a_row3 gce.steps=0 lce.steps=0 density.steps=0",
    ),
    "a_row2": ("ablation_gce", ""),
    "b": ("shanghaitech_b", ""),
    **{f"ucf_fold{n}": ("ucf_cc_50", f"data.fold={n}") for n in range(1, 6)},
}


class Part(NamedTuple):
    """A command of the session."""

    name: str
    words: Sequence[str]  # program and flags, for this Python
    limit: float = TOTAL  # seconds
    missing: str = ""  # a file without which the part is left out


def plan(flags: argparse.Namespace) -> list[Part]:
    """Lists the parts of a session.

    Args:
      flags: from `parse`.
    """
    return [
        part
        for group, parts in (
            ("a", _throughput_parts(flags)),
            ("b", [_networks_part(flags)]),
            ("c", _ablation_parts(flags)),
            ("d", _backbone_parts(flags)),
        )
        if group in flags.parts
        for part in parts
    ]


def _throughput_parts(flags):
    experiment, fields = THROUGHPUT, []
    if flags.data:
        experiment += ":shanghaitech_a"
        fields = [f"data.root={flags.data / 'ShanghaiTech'}"]
    return [
        Part(
            name,
            [*_launch(flags, name, experiment, fields), "--eval_split=validation"],
            limit,
        )
        for name, limit in (("throughput_cold", 170), ("throughput_warm", 60))
    ]


def _networks_part(flags):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    words = [*NETWORKS, f"--json={flags.out / 'networks.json'}"]
    return Part("networks", words if compiler else [*words, "--no-compile"], 100)


def _ablation_parts(flags):
    for name, (experiment, more) in ROWS.items():
        folder = "UCF_CC_50" if name.startswith("ucf") else "ShanghaiTech"
        root = (flags.data or Path("data")) / folder
        fields = [*SIZES, f"data.root={root}", *more.format(runs=_runs(flags)).split()]
        missing = "" if root.is_dir() else str(root)
        if name != "a_row1":
            fields.append(f"gce.pretrained_vgg16={flags.vgg16}")
            missing = missing or ("" if flags.vgg16.is_file() else str(flags.vgg16))
        words = _launch(flags, name, f"experiments/{experiment}.py", fields)
        yield Part(name, words, missing=missing)


def _backbone_parts(flags):
    experiment = ROOT / "experiments/shared_backbone.py"
    if not experiment.exists():
        return
    root = (flags.data or Path("data")) / "ShanghaiTech"
    fields = [f"data.root={root}", f"joint.pretrained_vgg16={flags.vgg16}"]
    missing = [str(path) for path in (root, flags.vgg16) if not path.exists()]
    words = _launch(flags, experiment.stem, f"experiments/{experiment.name}", fields)
    yield Part(experiment.stem, words, missing="".join(missing[:1]))


def _runs(flags):
    return flags.out / "runs"


def _launch(flags, name, experiment, fields):
    changes = [f"--config.{field}" for field in fields]
    workdir = f"--workdir={_runs(flags) / name}"
    return ["launch.py", f"--config={experiment}", workdir, *changes]


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
        kept = BACKBONE if "shared_backbone" in later else 0
        limit = min(part.limit, left - kept)
        if part.missing:
            rows[part.name] = {"end": f"left out: {part.missing} does not exist"}
        elif limit < SHORTEST:
            rows[part.name] = {"end": f"not started: {max(left, 0):.0f} s were left"}
        else:
            rows[part.name] = {"end": "running", "limit": limit}
            write_tables(flags, rows)
            rows[part.name] |= run_part(part, limit, _runs(flags))
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
            end = "complete" if status == 0 else f"failed: {_last_line(log)}"
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


def _last_line(log):
    lines = log.read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "no output")


def write_tables(flags: argparse.Namespace, rows: dict[str, dict]) -> None:
    """Writes session.json and table.md from the rows and from the folders of the runs.

    Args:
      flags: from `parse`.
      rows: the rows of the parts.
    """
    folders = [_runs(flags) / name for name in rows]
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
    add("--data", type=Path, help="folder with ShanghaiTech and UCF_CC_50")
    add("--out", type=Path, default="runs/gpu", help="folder of the results")
    add("--parts", default="abcd", help="letters of the parts to run")
    add("--seconds", type=float, default=TOTAL, help="time of the whole session")
    add("--vgg16", type=Path, default="weights/vgg16.safetensors", help="ImageNet's")
    flags = parser.parse_args(words)
    flags.machine = machine()
    for name in ("data", "out", "vgg16"):  # the parts run in the repository's folder
        path = getattr(flags, name)
        setattr(flags, name, path and path.absolute())
    return flags


def main() -> None:
    """Runs the session and prints its table."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    flags = parse()
    _runs(flags).mkdir(parents=True, exist_ok=True)
    run_session(flags)
    print((flags.out / "table.md").read_text())


if __name__ == "__main__":
    main()
