"""Argument parser of all commands, with error messages of one line."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from cpcnn_jax.io import console
from cpcnn_jax.io.stream_address import hide_credentials
from cpcnn_jax.io.suggestion import suggest


class UsageError(ValueError):
    """A wrong command line that only the command itself can detect."""


class Parser(argparse.ArgumentParser):
    """An argparse parser that reports a wrong command line in one sentence."""

    def __init__(self, prog: str, **kwargs: Any) -> None:
        """Makes a parser without abbreviations of flags."""
        super().__init__(prog, allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Exits with status 2 and "COMMAND: message", without the usage text."""
        message = hide_credentials(message)
        near = "".join(map(self._suggest, message.split()))
        self.exit(2, f"{self._command}: {message}{near} (--help lists the flags)\n")

    def _suggest(self, word):
        """Suggests a flag for a word that begins like one."""
        flag, known = word.partition("=")[0], self._option_string_actions
        if not flag.startswith("--") or flag.rstrip(":,.") in known:
            return ""
        return suggest(flag, known)

    def run(
        self, argv: Sequence[str], work: Callable[[argparse.Namespace], Any]
    ) -> int:
        """Parses the arguments and does the work; prints an error as one sentence.

        Args:
          argv: the arguments.
          work: function of the parsed arguments; returns the status, None for 0.

        Returns:
          The exit status: 2 after a UsageError, 1 after another ValueError or OSError.
        """
        args = self.parse_args(argv)
        results = [getattr(args, name, None) for name in ("csv", "json", "report")]
        try:
            with console.redirect_messages(*results):
                return work(args) or 0
        except (ValueError, OSError) as error:
            text = hide_credentials(str(error))
            print(f"{self._command}: {text}", file=sys.stderr)
            return 2 if isinstance(error, UsageError) else 1

    @property
    def _command(self) -> str:
        return self.prog.rpartition(" ")[2]
