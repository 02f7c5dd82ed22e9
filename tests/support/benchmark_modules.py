"""Import of the programs in benchmarks/."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def module(name):
    """Imports the program benchmarks/NAME.py."""
    path = ROOT / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{name}_benchmark", path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program
