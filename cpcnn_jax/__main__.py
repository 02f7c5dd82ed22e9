"""`cpcnn_jax COMMAND`, or `python -m cpcnn_jax COMMAND`."""

import gc
import os
import sys

import cpcnn_jax
from cpcnn_jax.cli import extras
from cpcnn_jax.cli.commands import COMMANDS, import_command
from cpcnn_jax.distributed import platforms
from cpcnn_jax.io import console
from cpcnn_jax.io.suggestion import suggest


def main(argv: list[str]) -> int:
    """Runs a command and imports no other.

    Args:
      argv: the command's name and its arguments; nothing, `help` or `--help` lists the
        commands.

    Returns:
      The exit status; 2 for an unknown command, and for a platform that JAX cannot
      use; 130 after Ctrl-C.
    """
    match argv:
        case [] | [("help" | "--help" | "-h")]:
            print(_overview())
            return 0
        case ["--version" | "-V" | "version"]:
            print(f"cpcnn_jax {cpcnn_jax.__version__}")
            return 0
        case [("help" | "--help" | "-h"), name, *_]:
            argv = [name, "--help"]
    name, *arguments = argv
    if name not in COMMANDS:
        near = suggest(name, [*COMMANDS, "--help", "--version"])
        if os.path.exists(name):
            near = f", did you mean count {name}?"
        text = f"no command {name!r}{near} (`cpcnn_jax help` lists the commands)"
        print(f"cpcnn_jax: {text}", file=sys.stderr)
        return 2
    try:
        return import_command(name).main(arguments)
    except KeyboardInterrupt:
        print(f"{name}: stopped by Ctrl-C", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        sentence = extras.describe_missing(error)
        if sentence is None:
            raise
        print(f"{name}: {sentence}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        if not (sentence := platforms.describe_platform_error(error)):
            raise
        print(f"{name}: {sentence}", file=sys.stderr)
        return 2


def run() -> None:
    """Runs the command line of the process and exits; the console script."""
    console.tolerate_closed_pipes()
    status = console.finish_output(main(sys.argv[1:]))
    gc.freeze()  # saves the interpreter a search for cycles before its end, 0.3 s
    sys.exit(status)


def _overview():
    """One line for each command."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {line}" for name, line in COMMANDS.items()]
    return "\n".join(
        [
            "usage: cpcnn_jax COMMAND [ARGUMENTS]",
            "",
            "Crowd counting in JAX and Flax: people in images and videos.",
            "",
            *lines,
            "",
            "`cpcnn_jax COMMAND --help` describes the arguments of a command.",
            "For example: cpcnn_jax count photo.jpg --overlay overlays",
        ]
    )


if __name__ == "__main__":
    run()
