"""Files of experiments: those of the clone or of the installed package, by name."""

import re
import sys
from importlib import metadata
from pathlib import Path

from cpcnn_jax.io.suggestion import suggest

_CLONE = Path(__file__).parents[2] / "experiments"


def list_experiments() -> dict[str, Path]:
    """Lists the experiments that come with the package: their names and files."""
    files = [*_CLONE.glob("*.py")] or [*_installed_files()]
    return {file.stem: file for file in sorted(files)}


def _installed_files():
    """Files that a wheel installs outside of the package's own folder."""
    for file in metadata.files("cpcnn_jax") or ():
        if file.parent.name == "experiments" and file.suffix == ".py":
            yield Path(str(file.locate())).resolve()


def find_experiment(name: str) -> Path:
    """Finds the file of an experiment.

    A name without a folder and a suffix, such as "demo", is one of `list_experiments`
    and never a file of the current folder. Anything else is a path.

    Raises:
      ValueError: there is no such experiment or file.

    Example:
      >>> find_experiment("demo").name
      'demo.py'
      >>> find_experiment("dmo")
      Traceback (most recent call last):
      ValueError: no experiment named dmo, did you mean demo?
    """
    if not re.fullmatch(r"\w+", name):
        file = Path(name)
        if file.is_dir():
            raise ValueError(f"{name} is a folder: name a file in it")
        if not file.is_file():
            raise ValueError(f"no file {name}")
        return file
    known = list_experiments()
    if name not in known:
        near = suggest(name, known) or f": expected a file or {', '.join(known)}"
        raise ValueError(f"no experiment named {name}{near}")
    return known[name]


def make_importable() -> None:
    """Lets experiments import each other as `experiments.NAME`, from any folder."""
    for folder in {str(file.parents[1]) for file in list_experiments().values()}:
        if folder not in sys.path:
            sys.path.append(folder)
