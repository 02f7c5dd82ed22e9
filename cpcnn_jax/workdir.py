"""A run's folder: who may write there, and under which names things lie in it."""

import dataclasses
import importlib.metadata
import json
import platform
import subprocess
from pathlib import Path

import jax

from cpcnn_jax import config

# What may differ between two starts of one run: none of it changes the result.
_FREE = ("data.root", "log_every", "save_every", "pictures")
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


def weights_file(workdir):
    """The trained networks."""
    return Path(workdir) / "weights.safetensors"


def claim(workdir, experiment: config.Experiment):
    """Make the folder this experiment's, and write down what runs and where.

    Args:
      workdir: the folder; made where absent.
      experiment: goes to config.json.

    Raises:
      ValueError: the folder belongs to another experiment.
    """
    workdir = Path(workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    ours = json.loads(json.dumps(dataclasses.asdict(experiment)))
    file = workdir / "config.json"
    if file.exists():
        differences = _differences(json.loads(file.read_text()), ours)
        if differences:
            raise ValueError(
                f"--workdir={workdir} holds another experiment ({differences}); "
                "nothing was changed in it: choose another folder"
            )
    elif any(workdir.iterdir()):
        raise ValueError(
            f"--workdir={workdir} is not empty and holds no config.json of a run; "
            "nothing was changed in it: choose another folder"
        )
    file.write_text(json.dumps(ours, indent=2) + "\n")
    (workdir / "environment.json").write_text(json.dumps(_environment(), indent=2))


def _differences(theirs, ours):
    theirs, ours = dict(_leaves(theirs)), dict(_leaves(ours))
    found = [
        f"config.{name} was {theirs.get(name)}, now {ours.get(name)}"
        for name in sorted({*theirs, *ours} - {*_FREE})
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
        "devices": [str(device) for device in jax.devices()],
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }
