"""The parser of the commands' flags: argparse, with errors of one line."""

import argparse


class Parser(argparse.ArgumentParser):
    """A parser that answers a wrong command line with one sentence and status 2."""

    def error(self, message):
        """End with "COMMAND: what is wrong", without the usage above it."""
        command = self.prog.rpartition(" ")[2]
        self.exit(2, f"{command}: {message} (--help lists the flags)\n")
