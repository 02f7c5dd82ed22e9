"""Timing in turns, ratios per round and the JSON file, for all benchmarks."""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path


def seconds_of(call: Callable, *arguments, **options) -> float:
    """Measures the seconds of one call."""
    start = time.perf_counter()
    call(*arguments, **options)
    return time.perf_counter() - start


def interleaved(calls: dict[str, Callable], rounds: int) -> dict[str, list[float]]:
    """Measures the seconds of each call in each round, by name, in turns."""
    seconds = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(seconds_of(call))
    return seconds


def ratios(
    seconds: dict[str, list[float]], reference: str
) -> dict[str, dict[str, float]]:
    """Computes each contender's time over the reference's in the same round.

    Args:
      seconds: seconds of each round, by name; at least 2 rounds.
      reference: name of the contender with ratio 1.

    Returns:
      Rows by name: "median", "low" and "high" (quartiles) of the ratios, and
      "seconds", the median time.
    """
    table = {}
    for name, times in seconds.items():
        pairs = zip(times, seconds[reference], strict=True)
        low, median, high = statistics.quantiles([a / b for a, b in pairs])
        row = dict(median=median, low=low, high=high, seconds=statistics.median(times))
        table[name] = row
    return table


def write(file: str, benchmark: str, table: dict) -> None:
    """Writes a benchmark's table to a JSON file, beside the tables of the others."""
    path = Path(file)
    tables = json.loads(path.read_text()) if path.exists() else {}
    replace_text(path, json.dumps(tables | {benchmark: table}, indent=2))


def replace_text(path: Path, text: str) -> None:
    """Writes a file at once, so that a killed benchmark leaves a complete one."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)
