"""Names of all commands with one line each; `cpcnn_jax NAME` runs `cli/NAME.py`."""

import importlib
from types import ModuleType

COMMANDS = {
    "count": "count the people in images, folders and videos",
    "count-many": "count very many images on several machines",
    "serve": "count on a local web page and at an HTTP endpoint",
    "doctor": "show versions, weights, devices and the time of one count",
    "train": "train an experiment, or evaluate it",
    "check-data": "list the faults of a data set, and write a copy without them",
    "check-density": "compare density maps of other projects with their heads",
    "report": "write the report of an evaluated run as a web page",
    "compare": "compare two evaluated runs on the images in common",
    "sweep": "print the table of a sweep's finished runs",
    "release": "write trained weights as a small file",
    "import-weights": "convert trained weights of other projects",
    "export": "write trained networks as StableHLO or ONNX",
    "explain": "explain a fractionally-strided convolution step by step",
    "completion": "print a script that completes commands and flags in a shell",
}


def import_command(name: str) -> ModuleType:
    """Imports the module of a command, with its `main(argv)` and `make_parser()`."""
    return importlib.import_module(f"cpcnn_jax.cli.{name.replace('-', '_')}")
