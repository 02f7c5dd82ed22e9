"""`python -m cpcnn_jax COMMAND`: runs the main(argv) of the command's module."""

import importlib
import sys

from cpcnn_jax.io import console

COMMANDS = {
    "check-data": "cpcnn_jax.cli.check_data",
    "check-density": "cpcnn_jax.cli.check_density",
    "compare": "cpcnn_jax.cli.compare",
    "count": "cpcnn_jax.cli.count",
    "doctor": "cpcnn_jax.cli.doctor",
    "explain": "cpcnn_jax.cli.explain",
    "export": "cpcnn_jax.cli.export",
    "import-weights": "cpcnn_jax.cli.import_weights",
    "release": "cpcnn_jax.cli.release",
    "report": "cpcnn_jax.cli.report",
    "serve": "cpcnn_jax.cli.serve",
    "sweep": "cpcnn_jax.cli.sweep",
}


def main(argv: list[str]) -> int:
    """Runs a command and imports no other.

    Args:
        argv: the command's name and its arguments.

    Returns:
        The exit status; 2 for an unknown command.
    """
    if not argv or argv[0] not in COMMANDS:
        got = f"got {argv[0]!r}, " if argv else ""
        print(
            f"python -m cpcnn_jax: {got}expected a command: {', '.join(COMMANDS)}",
            file=sys.stderr,
        )
        return 2
    return importlib.import_module(COMMANDS[argv[0]]).main(argv[1:])


if __name__ == "__main__":
    console.tolerate_closed_pipes()
    sys.exit(main(sys.argv[1:]))
