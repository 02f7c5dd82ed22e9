"""The folder of a run: its owner, and the record of what runs where."""

import contextlib
import dataclasses
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from cpcnn_jax import config
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.io import atomic_write

# Fields that may change when a run is resumed, because they do not change its result.
_FREE = (
    "data.root",
    "log_every",
    "checkpoint_every",
    "num_eval_images",
    "count_reference",
)
# Fields that may differ between the processes of a run.
_FREE_OF_A_PROCESS = ("data.root",)
LOCK = "run.lock"
_RECORDS = {"config.json", "environment.json", LOCK}
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")

PathLike = str | os.PathLike[str]


def claim_workdir(
    workdir: PathLike, experiment: config.Experiment, *, record: bool = True
) -> None:
    """Makes a folder the workdir of an experiment and writes its records.

    Args:
      workdir: the folder; created where absent.
      experiment: written to config.json with the kind of its data set.
      record: whether environment.json is written. An evaluation keeps that of the
        training.

    Raises:
      ValueError: the folder belongs to another experiment or version, or another
        process holds it.
    """
    workdir = Path(workdir)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"--workdir={workdir} cannot be made ({error.strerror}): choose a folder "
            "that may be written"
        ) from None
    tree = _tree(experiment)
    if any(path.name not in _RECORDS for path in workdir.iterdir()):  # a run has begun
        defaults = _tree(config.Experiment(data=type(experiment.data)()))
        del defaults["data"]["kind"]  # no default
        _refuse_other_experiment(workdir, tree, defaults)
    with hold_workdir(workdir):
        atomic_write.write_atomic(workdir / "config.json", _json(tree))
        if record or not (workdir / "environment.json").exists():
            environment = _json(_environment())
            atomic_write.write_atomic(workdir / "environment.json", environment)


@contextlib.contextmanager
def hold_workdir(workdir: PathLike) -> Iterator[None]:
    """Keeps other processes of this and other machines out of a workdir.

    The end of the process frees it, by a kill, too.

    Raises:
      ValueError: another process holds the folder.
    """
    lock = filelock.FileLock(Path(workdir, LOCK), timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise ValueError(
            f"--workdir={workdir}: another process trains or evaluates there: wait for "
            "its end, or choose another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()


def check_shared(workdir: PathLike, experiment: config.Experiment) -> None:
    """Checks that a process shares workdir and experiment with the main process.

    Args:
      workdir: the folder, as this process names it.
      experiment: the experiment of this process.

    Raises:
      ValueError: the experiments differ, or the processes share no folder.
    """
    file = Path(workdir) / "config.json"
    try:
        main = json.loads(file.read_text())
    except (OSError, ValueError):
        raise ValueError(
            f"{file}, which process 0 has written, cannot be read here: choose a "
            "--workdir that all machines share"
        ) from None
    if text := _differences(main, _tree(experiment), free=_FREE_OF_A_PROCESS):
        raise ValueError(
            f"{file} is of process 0 and says that {text}: start all processes with "
            "the same --config"
        )


def _tree(experiment):
    """The experiment as config.json stores it."""
    tree = json.loads(_json(dataclasses.asdict(experiment)))
    tree["data"]["kind"] = type(experiment.data).__name__
    return tree


def _refuse_other_experiment(workdir, tree, defaults):
    file = workdir / "config.json"
    advice = "nothing was changed in it: choose another folder"
    if not file.exists():
        raise ValueError(
            f"--workdir={workdir} is not empty and holds no config.json of a run; "
            f"{advice}"
        )
    try:
        stored = json.loads(file.read_text())
    except ValueError as error:
        raise ValueError(f"{file} is damaged ({error}); {advice}") from None
    stored = dict(_leaves(stored))
    known = dict(_leaves(tree)).keys()
    if unknown := sorted(n for n in stored.keys() - known if n[:5] != "data."):
        raise ValueError(
            f"--workdir={workdir} holds a run of another version of cpcnn_jax (this "
            f"one has no config.{unknown[0]}); {advice}"
        )
    # Fields that are newer than the run had their defaults.
    stored = dict(_leaves(defaults)) | stored
    if text := _differences(stored, tree):
        raise ValueError(
            f"--workdir={workdir} holds another experiment ({text}); {advice}"
        )


def _json(tree):
    return (json.dumps(tree, indent=2) + "\n").encode()


def _differences(stored, new, free=_FREE):
    old, new = dict(_leaves(stored)), dict(_leaves(new))
    changes = [
        f"config.{name} was {old.get(name)}, now {new.get(name)}"
        for name in sorted({*old, *new} - {*free})
        if old.get(name) != new.get(name)
    ]
    more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
    return "; ".join(changes[:3]) + more


def _leaves(tree, prefix=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _environment() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "commit": commit.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "devices": data_parallel.device_names(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }
