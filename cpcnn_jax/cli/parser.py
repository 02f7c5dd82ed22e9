"""Argument parser of all commands, with error messages of one line."""

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """An argparse parser that reports a wrong command line in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Exits with status 2 and "COMMAND: message", without the usage text."""
        command = self.prog.rpartition(" ")[2]
        self.exit(2, f"{command}: {message} (--help lists the flags)\n")
