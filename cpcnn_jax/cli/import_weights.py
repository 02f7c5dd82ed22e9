"""The command line that the converters share: a file of theirs in, one of ours out."""

import sys

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.weights import serialization


def run(argv, convert, *, name, what, source, out, download=None):
    """Convert the file that a user names.

    Args:
      argv: see --help.
      convert: function of the paths of the source and of the file to write.
      name: of the command.
      what: it does, for --help.
      source: the file's usual name.
      out: where the weights go, unless the user says otherwise.
      download: a command that gets the source.

    Returns:
      The exit status: 1 and one sentence where the source cannot be converted.
    """
    parser = Parser(
        prog=f"python -m cpcnn_jax {name}",
        description=what,
        epilog=download and f"Get {source} with: {download}",
    )
    parser.add_argument("source", nargs="?", default=source, help="%(default)s")
    parser.add_argument("--out", default=out, help="%(default)s")
    args = parser.parse_args(argv)
    try:
        convert(args.source, args.out)
    except (OSError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    print(f"wrote {args.out}")
    return 0


def run_baseline(argv, read, *, name, **words):
    """Convert the weights of a network that CP-CNN is compared with.

    Args:
      argv: see --help.
      read: function of the source's path, to a flat dict of arrays.
      name: of the network and of the command.
      **words: as of `run`.

    Returns:
      The exit status, as of `run`.
    """

    def convert(source, out):
        serialization.save_baseline(out, read(source), name)

    return run(argv, convert, name=name, out=serialization.DEFAULTS[name], **words)
