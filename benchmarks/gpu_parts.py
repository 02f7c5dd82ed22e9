"""Parts of gpu_session.py: their commands, limits and the files that they need."""

import argparse
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SYNTHETIC = "benchmarks/synthetic_experiment.py"
PHOTOGRAPHS = "experiments/shanghaitech_a_gpu.py"
# Changes of the experiment of part a: some hundred steps of each stage.
THROUGHPUT = (
    "gce.steps=300 lce.steps=300 density.steps=550 adversary.steps=110 "
    "validation.percent=5 validation.eval_every=10000 checkpoint_every=10000 "
    "log_every=50 num_eval_images=0"
).split()
NETWORKS = ("benchmarks/networks_gpu.py",)
BACKBONE = "shared_backbone"  # experiment of the last part
# Changes of the experiments of part c: at least 100,000 crops for DME and F-CNN.
SIZES = (
    "compute_dtype=bfloat16 crops.num_plain=100 crops.num_augmented=200 "
    "gce.steps=1500 gce.batch_size=32 lce.steps=1500 lce.batch_size=128 "
    "density.steps=3200 density.batch_size=32 adversary.batch_size=32 "
    "validation.eval_every=1600 checkpoint_every=400 log_every=50 num_eval_images=4"
).split()
ADVERSARY = "adversary.steps=300"
# About 100 seconds of training.
SHORT_BACKBONE = "joint.steps=7000 validation.eval_every=3500 log_every=50".split()
# Experiment and further changes of each run of part c. The fourth row of the ablation
# adds the adversary to the trained networks of the third.
ROWS = {
    "a_row1": ("ablation_dme", ""),
    "a_row3": ("ablation_lce", ""),
    "a_row4": (
        "shanghaitech_a",
        "init_from={runs}/a_row3 gce.steps=0 lce.steps=0 density.steps=0 " + ADVERSARY,
    ),
    "a_row2": ("ablation_gce", ""),
    "b": ("shanghaitech_b", ADVERSARY),
    **{
        f"ucf_fold{n}": ("ucf_cc_50", f"data.fold={n} {ADVERSARY}") for n in range(1, 6)
    },
}


class Part(NamedTuple):
    """A command of the session."""

    name: str  # of its workdir and log
    words: Sequence[str]  # program and flags, for this Python
    limit: float = float("inf")  # seconds
    missing: str = ""  # a file without which the part is left out


def plan(flags: argparse.Namespace) -> list[Part]:
    """Lists the parts of a session in their order.

    Args:
      flags: from `gpu_session.parse`.
    """
    groups = {
        "a": _throughput_parts,
        "b": _network_parts,
        "c": _ablation_parts,
        "d": _backbone_parts,
    }
    chosen = (parts for letter, parts in groups.items() if letter in flags.parts)
    return [part for parts in chosen for part in parts(flags)]


def runs_folder(flags: argparse.Namespace) -> Path:
    """The folder of the workdirs, logs and compiled programs."""
    return flags.out / "runs"


def _throughput_parts(flags) -> Iterator[Part]:
    root = flags.data / "ShanghaiTech"
    experiment, fields = SYNTHETIC, THROUGHPUT
    if root.is_dir():
        experiment, fields = PHOTOGRAPHS, [*THROUGHPUT, f"data.root={root}"]
    for name, limit in (("throughput_cold", 170), ("throughput_warm", 60)):
        words = _launch(flags, name, experiment, fields)
        yield Part(name, [*words, "--eval_split=validation"], limit)


def _network_parts(flags) -> Iterator[Part]:
    words = [*NETWORKS, f"--json={flags.out / 'networks.json'}"]
    if not any(shutil.which(compiler) for compiler in ("cc", "gcc", "clang")):
        words.append("--no-compile")
    yield Part("networks", words, 100)


def _ablation_parts(flags) -> Iterator[Part]:
    for name, (experiment, changes) in ROWS.items():
        root = flags.data / ("UCF_CC_50" if "ucf" in name else "ShanghaiTech")
        changes = changes.format(runs=runs_folder(flags)).split()
        fields, needed = [*SIZES, f"data.root={root}", *changes], [root]
        if name != "a_row1":
            fields.append(f"gce.pretrained_vgg16={flags.vgg16}")
            needed.append(flags.vgg16)
        words = _launch(flags, name, f"experiments/{experiment}.py", fields)
        yield Part(name, words, missing=_missing(needed))


def _backbone_parts(flags) -> Iterator[Part]:
    experiment = f"experiments/{BACKBONE}.py"
    if (ROOT / experiment).exists():
        root = flags.data / "ShanghaiTech"
        fields = [f"data.root={root}", f"joint.pretrained_vgg16={flags.vgg16}"]
        words = _launch(flags, BACKBONE, experiment, [*SHORT_BACKBONE, *fields])
        missing = _missing([root, flags.vgg16])
        yield Part(BACKBONE, [*words, "--eval_split=validation"], missing=missing)


def _missing(needed):
    return next((str(path) for path in needed if not path.exists()), "")


def _launch(flags, name, experiment, fields):
    changes = [f"--config.{field}" for field in fields]
    workdir = f"--workdir={runs_folder(flags) / name}"
    return ["launch.py", f"--config={experiment}", workdir, *changes]
