"""What got slower between two runs of the benchmarks?

    make bench BENCH_JSON=old.json
    make bench BENCH_JSON=new.json
    python benchmarks/compare_runs.py old.json new.json

Compares cpcnn_jax's ratios to each benchmark's reference, not seconds: the machine may
have been busier. Slower is what has its whole range of quartiles above the old one,
faster what has it below. Status 1 if anything got slower, 2 if nothing can be compared.
"""

import argparse
import json
import sys
from pathlib import Path

OURS = "cpcnn_jax"  # what the names of our contenders begin with


def read(file: str) -> dict[str, dict[str, float]]:
    """Our contenders' rows in a file, by "benchmark: task: contender".

    Raises:
      ValueError: the file cannot be read or holds none; the text names it.
    """
    try:
        known = json.loads(Path(file).read_text())
        found = {
            f"{benchmark}: {task}: {name}": {
                key: float(row[key]) for key in ("low", "median", "high")
            }
            for benchmark, result in known.items()
            for task, rows in result.get("columns", {}).items()
            for name, row in rows.items()
            if name.startswith(OURS)
        }
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from error
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{file} was not written by benchmarks' --json") from error
    if not found:
        raise ValueError(f"{file} holds no ratio of {OURS}")
    return found


def judge(old: dict[str, float], new: dict[str, float]) -> str:
    """How a row changed: "slower", "faster", or "same" where the ranges meet."""
    if new["low"] > old["high"]:
        return "slower"
    return "faster" if new["high"] < old["low"] else "same"


def compared(old: dict, new: dict) -> list[list[str]]:
    """[what, old ratio, new ratio, how it changed] of all that is in both files."""

    def cell(row):
        return f"{row['median']:.3g} ({row['low']:.3g}-{row['high']:.3g})"

    return [
        [name, cell(row), cell(new[name]), judge(row, new[name])]
        for name, row in old.items()
        if name in new
    ]


def main() -> int:
    """Print a row for each, and what only one file has."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", help="JSON file of `make bench BENCH_JSON=...`")
    parser.add_argument("new", help="the same, of the later run")
    files = parser.parse_args()
    try:
        old, new = read(files.old), read(files.new)
    except ValueError as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    rows = compared(old, new)
    head = ["time / time of the reference", "old", "new", ""], ["---"] * 4
    for row in (*head, *rows) if rows else ():
        print(f"| {' | '.join(row)} |")
    for file, names in ((files.old, old.keys() - new), (files.new, new.keys() - old)):
        if names:
            print(f"\nOnly {file} has {'; '.join(sorted(names))}.")
    slower = [name for name, *_, change in rows if change == "slower"]
    print(f"\n{len(slower)} of {len(rows)} got slower.")
    return int(bool(slower)) if rows else 2


if __name__ == "__main__":
    sys.exit(main())
