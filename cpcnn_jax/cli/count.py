"""`cpcnn_jax count`: counts of the people in images, videos and streams."""

import contextlib
import signal
import sys
from collections.abc import Sequence

from tqdm import tqdm

from cpcnn_jax.cli import count_stream
from cpcnn_jax.cli.count_flags import check_args, describe_unused, make_parser
from cpcnn_jax.inference import (
    compilation_cache,
    count_checks,
    count_files,
    count_tables,
    counter,
)
from cpcnn_jax.inference.count_options import CountOptions
from cpcnn_jax.inference.people import format_interval, format_people
from cpcnn_jax.io import console, folder_listing
from cpcnn_jax.weights import pretrained


def main(argv: Sequence[str]) -> int:
    """Counts the people in images, videos and streams, and writes the results.

    Args:
      argv: the arguments; see --help.

    Returns:
      The exit status: 0 if every file was counted, 1 if some were not or a region fits
      not all of them, 130 after Ctrl-C or SIGTERM. The results so far are written in
      each case. A live stream ends with 0 after Ctrl-C and with 1 if it is lost.

    Raises:
      SystemExit: status 2 and one sentence; the command line is wrong.
    """
    parser = make_parser()
    args = parser.parse_args(argv)
    with console.redirect_messages(args.json, args.csv, args.points):
        if count_stream.is_stream(args.paths):
            status = count_stream.count_live(parser, args, check_args)
            if status is not None:
                return status
        with _terminate_as_interrupt():
            return _count(parser, args)


@contextlib.contextmanager
def _terminate_as_interrupt():
    """Lets SIGTERM, of a time limit or a scheduler, end the block as Ctrl-C does."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _count(parser, args):
    compilation_cache.enable()
    results = filter(None, (args.density, args.overlay, args.count_curve))
    rows, left_out = count_files.list_files(args.paths, [*results])
    options = CountOptions(
        args.region,
        args.max_size,
        args.density,
        args.overlay,
        args.count_curve,
        points=bool(args.points),
        frame_step=args.frame_step,
    )
    try:
        check_args(args)
        weights = pretrained.find_weights(args.weights)
        tables = _tables(args)
        count_checks.check_outputs(rows, options, tables, inputs=[weights])
        notes = describe_unused(args, [row.file for row in rows if not row.error])
        for note in [*notes, *count_checks.check_regions(rows, args.region)]:
            print(f"count: {note}", file=sys.stderr)
        networks = counter.load(args.weights, tile_size=args.tile_size)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    stopped = written = False
    try:
        stopped = _count_rows(rows, networks, options)
    finally:  # the counts so far are written whatever happens
        written = _write(args, rows)
    _summarize(rows, left_out, networks)
    if stopped:
        print("count: stopped; the results so far are written", file=sys.stderr)
        return 130
    return int(not written or any(row.error for row in rows))


def _count_rows(rows, networks, options):
    """Counts and prints the table; returns whether Ctrl-C stopped it."""
    width, ranges = max(len(row.file) for row in rows), networks.intervals is not None
    inside = [f"{region.name:>8}" for region in options.regions]
    _say_row("file", width, "people", ["range (90%)"] * ranges, "seconds", inside)
    try:
        with tqdm(total=len(rows), desc="count", unit="file", disable=None) as bar:
            for row in count_files.count_files(rows, networks, options):
                _print(row, width, ranges)
                bar.update()
    except KeyboardInterrupt:
        return True
    return False


def _summarize(rows, left_out, networks):
    counts = [row.count for row in rows if row.count is not None]
    people = format_people(sum(counts))
    _say(f"{len(counts)} of {len(rows)} counted, {people} people in total")
    _say(pretrained.describe_weights(networks.name))
    if left_out:
        _say(f"left out: {folder_listing.describe(left_out)}")


def _print(row, width, ranges):
    if row.error:
        tqdm.write(f"count: {row.error}", file=sys.stderr)
    people, seconds, inside = "-", "-", []
    if row.count is not None:
        people, seconds = format_people(row.count), f"{row.seconds:.2f}"
        inside = [_cell(number, name) for name, number in row.regions.items()]
    ends = [format_interval(row.low, row.high) or "-"] * ranges  # none of a video
    _say_row(row.file, width, people, ends, seconds, inside)


def _say_row(file, width, people, ends, seconds, inside):
    """Prints a line of the table; `ends` and `inside` hold any number of cells."""
    cells = [f"{file:<{width}}", f"{people:>9}", *(f"{end:>15}" for end in ends)]
    _say("  ".join([*cells, f"{seconds:>7}", *inside]))


def _cell(number, name):
    """People in a region, or a dash where it does not fit the image."""
    text = "-" if number is None else format_people(number)
    return f"{text:>{max(len(name), 8)}}"


def _say(line):
    """Prints a line, with backslashes for what stdout cannot encode."""
    encoding = sys.stdout.encoding or "utf-8"
    text = line.encode(encoding, errors="backslashreplace").decode(encoding)
    tqdm.write(text, file=sys.stdout)


def _write(args, rows):
    """Writes the tables; returns whether all were written."""
    for row in rows:
        if row.count is None and not row.error:
            row.error = f"{row.file}: stopped before it was counted"
    names, written = [region.name for region in args.region], True
    for file, write in (
        (args.json, lambda file: count_tables.write_json(file, rows, names)),
        (args.csv, lambda file: count_tables.write_csv(file, rows, names)),
        (args.points, lambda file: count_tables.write_points(file, rows)),
    ):
        try:
            if file:
                write(file)
        except OSError as error:
            print(f"count: {error}", file=sys.stderr)
            written = False
    return written


def _tables(args):
    """The requested tables."""
    return [file for file in (args.json, args.csv, args.points) if file]
