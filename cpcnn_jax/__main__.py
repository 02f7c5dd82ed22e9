"""python -m cpcnn_jax COMMAND ...: each command is a module with a main(argv)."""

import importlib
import sys

COMMANDS = {
    "check-data": "cpcnn_jax.check_data",
    "check-density": "cpcnn_jax.check_density",
    "compare": "cpcnn_jax.compare",
    "count": "cpcnn_jax.count",
    "csrnet": "cpcnn_jax.foreign_weights.csrnet",
    "doctor": "cpcnn_jax.doctor",
    "explain": "cpcnn_jax.explain.command",
    "export": "cpcnn_jax.export.command",
    "mcnn": "cpcnn_jax.foreign_weights.mcnn",
    "release": "cpcnn_jax.released.command",
    "report": "cpcnn_jax.report.command",
    "serve": "cpcnn_jax.serve.command",
    "sweep": "cpcnn_jax.sweep",
    "vgg16": "cpcnn_jax.foreign_weights.vgg16",
}


def main(argv: list[str]) -> int:
    """Run a command; only its own module is imported.

    Args:
        argv: the command's name and its arguments.

    Returns:
        The exit status; 2 when there is no such command.
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
    sys.exit(main(sys.argv[1:]))
