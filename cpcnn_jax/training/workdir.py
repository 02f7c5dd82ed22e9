"""A run's folder: who may write there, and under which names things lie in it."""

import dataclasses
import importlib.metadata
import json
import platform
import subprocess
from pathlib import Path

from cpcnn_jax import config
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.io import atomic_write

# What may differ between two starts of one run: none of it changes what is trained.
_FREE = (
    "data.root",
    "workers",
    "log_every",
    "checkpoint_every",
    "num_eval_images",
    "count_reference",
)
# What may differ between the processes of one run.
_FREE_OF_A_PROCESS = ("data.root", "workers")
_OURS = {"config.json", "environment.json"}
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


def claim_workdir(workdir, experiment: config.Experiment, *, record=True):
    """Make the folder this experiment's, and write down what runs and where.

    Args:
      workdir: the folder; made where absent.
      experiment: goes to config.json, with the kind of its data set.
      record: whether this machine goes to environment.json: that of the training stays
        when a run is only evaluated.

    Raises:
      ValueError: the folder belongs to another experiment.
    """
    workdir = Path(workdir)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"--workdir={workdir} cannot be made ({error.strerror}): choose a folder "
            "that may be written"
        ) from None
    ours = _ours(experiment)
    if any(path.name not in _OURS for path in workdir.iterdir()):  # a run has begun
        default = config.Experiment(data=type(experiment.data)())
        _refuse_another(workdir, ours, absent=_tree(default))
    atomic_write.write_atomic(workdir / "config.json", _json(ours))
    if record or not (workdir / "environment.json").exists():
        atomic_write.write_atomic(workdir / "environment.json", _json(_environment()))


def check_shared(workdir, experiment: config.Experiment):
    """Refuse where a process does not find what the main one has claimed.

    Args:
      workdir: as each of the processes was told.
      experiment: likewise.

    Raises:
      ValueError: they are not told the same, or have no folder in common.
    """
    file = Path(workdir) / "config.json"
    try:
        theirs = json.loads(file.read_text())
    except (OSError, ValueError):
        raise ValueError(
            f"{file}, which process 0 has written, cannot be read here: choose a "
            "--workdir that all machines share"
        ) from None
    if found := _differences(theirs, _ours(experiment), free=_FREE_OF_A_PROCESS):
        raise ValueError(
            f"{file} is of process 0 and says that {found}: start all processes with "
            "the same --config"
        )


def _ours(experiment):
    """The experiment as config.json has it."""
    tree = _tree(experiment)
    tree["data"]["kind"] = type(experiment.data).__name__
    return tree


def _tree(experiment):
    return json.loads(_json(dataclasses.asdict(experiment)))


def _refuse_another(workdir, ours, absent):
    """`absent`: what the run meant by fields that config.py did not have yet."""
    file = workdir / "config.json"
    advice = "nothing was changed in it: choose another folder"
    if not file.exists():
        raise ValueError(
            f"--workdir={workdir} is not empty and holds no config.json of a run; "
            f"{advice}"
        )
    try:
        theirs = json.loads(file.read_text())
    except ValueError as error:
        raise ValueError(f"{file} is damaged ({error}); {advice}") from None
    theirs = dict(_leaves(absent)) | dict(_leaves(theirs))
    if found := _differences(theirs, ours):
        raise ValueError(
            f"--workdir={workdir} holds another experiment ({found}); {advice}"
        )


def _json(tree):
    return (json.dumps(tree, indent=2) + "\n").encode()


def _differences(theirs, ours, free=_FREE):
    theirs, ours = dict(_leaves(theirs)), dict(_leaves(ours))
    found = [
        f"config.{name} was {theirs.get(name)}, now {ours.get(name)}"
        for name in sorted({*theirs, *ours} - {*free})
        if theirs.get(name) != ours.get(name)
    ]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return "; ".join(found[:3]) + more


def _leaves(tree, prefix=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _environment():
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
