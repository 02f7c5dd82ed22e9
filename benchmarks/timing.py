"""What benchmarks share: contenders in turns, ratios of one round, one JSON file."""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path


def seconds_of(call: Callable, *arguments, **options) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    call(*arguments, **options)
    return time.perf_counter() - start


def interleaved(calls: dict[str, Callable], rounds: int) -> dict[str, list[float]]:
    """Seconds of each round, by name: the contenders take turns."""
    seconds = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(seconds_of(call))
    return seconds


def ratios(
    seconds: dict[str, list[float]], reference: str
) -> dict[str, dict[str, float]]:
    """Each contender's time over the reference's in the same round.

    Args:
      seconds: of each round, by name; at least 2 rounds.
      reference: the name whose times are 1.

    Returns:
      By name {"median", "low", "high": of the ratios, with their quartiles, "seconds":
      the median time}.
    """
    table = {}
    for name, times in seconds.items():
        pairs = zip(times, seconds[reference], strict=True)
        low, median, high = statistics.quantiles([a / b for a, b in pairs])
        middle = statistics.median(times)
        table[name] = dict(median=median, low=low, high=high, seconds=middle)
    return table


def write(file: str, benchmark: str, found: dict) -> None:
    """Put what a benchmark found into a JSON file, beside what others put there."""
    path = Path(file)
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | {benchmark: found}, indent=2))
