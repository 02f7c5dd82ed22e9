"""`cpcnn_jax completion`: a script that completes commands and flags in a shell."""

import argparse
from collections.abc import Sequence

import shtab

from cpcnn_jax.cli.commands import COMMANDS, import_command
from cpcnn_jax.cli.parser import Parser


def main(argv: Sequence[str]) -> int:
    """Prints the script and returns the exit status."""
    return make_parser().run(argv, lambda args: print(make_script(args.shell)))


def make_script(shell: str) -> str:
    """Makes the script of a shell from the parsers of all commands.

    Args:
      shell: one of `shtab.SUPPORTED_SHELLS`.
    """
    parser = argparse.ArgumentParser("cpcnn_jax")
    subparsers = parser.add_subparsers()
    for name, line in COMMANDS.items():
        parents = _make_parsers(name)
        subparsers.add_parser(name, parents=parents, add_help=False, help=line)
    return shtab.complete(parser, shell)


def _make_parsers(name):
    """The parser of a command; none if an extra that it needs is not installed."""
    try:
        command = import_command(name).make_parser()
    except ModuleNotFoundError:
        return []
    for action in command._actions:  # files, where a shell completes nothing else
        if not action.choices and action.nargs != 0:
            action.complete = shtab.FILE
    return [command]


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax completion",
        description="Print a script that completes commands and flags in a shell. For "
        'bash, put into ~/.bashrc: eval "$(cpcnn_jax completion bash)". For zsh, write '
        "the script to a file _cpcnn_jax in a folder of $fpath. For fish, write it to "
        "~/.config/fish/completions/cpcnn_jax.fish.",
    )
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="%(choices)s")
    return parser
