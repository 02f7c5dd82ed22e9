"""The part of `cpcnn_jax count` for live streams and cameras."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence

import numpy as np

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.distributed import preemption
from cpcnn_jax.inference import count_files, count_stream, counter
from cpcnn_jax.inference.count_options import CountOptions
from cpcnn_jax.inference.people import format_interval, format_people
from cpcnn_jax.io import atomic_write, console, csv_log, live_video
from cpcnn_jax.io.stream_address import StreamAddress, is_address
from cpcnn_jax.weights import pretrained

_WARM_UP = 2  # counts that may include compilation
_FLAGS_OF_FILES = "json points density overlay count_curve frame_step".split()


def is_stream(paths: Sequence[str]) -> bool:
    """Tests whether the command has one stream or camera as its only path."""
    return len(paths) == 1 and is_address(paths[0])


def count_live(
    parser: Parser, args: argparse.Namespace, check_args: Callable
) -> int | None:
    """Counts a live stream or a camera until Ctrl-C, SIGTERM or its loss.

    Args:
      parser: of the command.
      args: its arguments; the only path is the address of a stream.
      check_args: function that checks them; raises ValueError or OSError.

    Returns:
      The exit status: 0 after a signal, 1 after a loss; None if the stream has an end,
      which makes it a video.

    Raises:
      SystemExit: status 2 and one sentence; the command line is wrong.
    """
    address = StreamAddress(args.paths[0])
    with (
        preemption.deferred_signals() as stopped,
        live_video.open_live(address, _note) as live,
    ):
        try:
            first = live.wait_frame(stopped)
        except ValueError as error:
            _note(str(error))
            return 1
        if live.has_end:
            return None
        if first is None:
            return _summarize([])
        with contextlib.ExitStack() as stack:
            try:
                networks, append = _prepare(args, address, first, check_args, stack)
            except (ValueError, OSError) as error:
                parser.error(str(error))
            options = CountOptions(args.region, args.max_size)
            counts = count_stream.count_stream(
                live, first, networks, options, period=args.period, stopped=stopped
            )
            return _print_counts(address, counts, networks, args, append)


def _prepare(args, address, first, check_args, stack):
    """Checks the flags; returns the networks and the function that writes a row."""
    for name in _FLAGS_OF_FILES:
        if getattr(args, name):
            flag = f"--{name.replace('_', '-')}"
            text = "is live, and only its lines and --csv are written"
            raise ValueError(f"{flag}: {address} {text}")
    size = first.pixels.shape[:2]
    for region in args.region:
        if not region.fits(size):
            text = f"region {region.name} does not fit {address}"
            raise ValueError(f"{text}, of {size[1]}x{size[0]} pixels")
    check_args(args)
    weights = pretrained.find_weights(args.weights)
    networks = counter.load(args.weights, tile_size=args.tile_size)
    if not args.csv:
        return networks, lambda row: None
    atomic_write.check_not_input(args.csv, [weights])
    columns = [*count_stream.COLUMNS, *(region.name for region in args.region)]
    return networks, stack.enter_context(csv_log.append_csv(args.csv, columns))


def _print_counts(address, counts, networks, args, append):
    """Prints and writes each count; returns the exit status."""
    people, ranges = [], networks.intervals is not None
    names = [f"{region.name:>8}" for region in args.region]
    error: BaseException | None = None
    _print_row("time", "people", ["range (90%)"] * ranges, names)
    try:
        for result in counts:
            people.append(result.count)
            append(result.cells())
            _print_result(result, ranges)
            if len(people) == _WARM_UP + 1 and result.computing > args.period:
                _note(_describe_lag(result.computing, args.period))
            if console.is_output_closed() and not args.csv:
                break  # nobody reads on
    except BrokenPipeError:  # of --csv -
        pass
    except Exception as failure:
        error = failure
        _note(count_files.describe_error(address, error))
    return _summarize(people, networks) or int(error is not None)


def _print_result(result, ranges):
    ends = [format_interval(result.low, result.high) or "-"] * ranges
    inside = [
        f"{'-' if number is None else format_people(number):>{max(len(name), 8)}}"
        for name, number in result.regions.items()
    ]
    when = f"{result.received.astimezone():%Y-%m-%d %H:%M:%S}"
    _print_row(when, format_people(result.count), ends, inside)


def _describe_lag(seconds, period):
    return (
        f"a count takes {seconds:.1f} s and --period is {period:g} s: the next one "
        "begins at once; a smaller --max-size is faster and less exact"
    )


def _print_row(when, people, ends, inside):
    cells = [f"{when:<19}", f"{people:>9}", *(f"{end:>15}" for end in ends), *inside]
    print("  ".join(cells), flush=True)


def _summarize(people, networks=None):
    """Prints the number of frames, their counts and the weights; returns status 0."""
    if people:
        ends = format_interval(min(people), max(people))
        mean = format_people(float(np.mean(people)))
        print(f"{len(people)} frames counted: {ends} people, {mean} on average")
        print(pretrained.describe_weights(networks.name))
    else:
        print("0 frames counted")
    sys.stdout.flush()
    return 0


def _note(text):
    print(f"count: {text}", file=sys.stderr, flush=True)
