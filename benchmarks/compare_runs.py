"""Comparison of two runs of the benchmarks.

    make bench BENCH_JSON=old.json
    make bench BENCH_JSON=new.json
    python benchmarks/compare_runs.py old.json new.json

It compares the ratios of cpcnn_jax to each benchmark's reference, because seconds also
depend on the load of the machine. A row is slower if its quartiles are both above the
old ones, and faster if both are below. The status is 1 if a row is slower, and 2 if
nothing can be compared.
"""

import argparse
import json
import sys
from pathlib import Path

OURS = "cpcnn_jax"  # start of the names of our contenders


def read(file: str) -> dict[str, dict[str, float]]:
    """Reads the rows of our contenders, by "benchmark: task: contender".

    Raises:
      ValueError: the file cannot be read or has none; the message names it.
    """
    try:
        tables = json.loads(Path(file).read_text())
        ratios = {
            f"{benchmark}: {task}: {name}": {
                key: float(row[key]) for key in ("low", "median", "high")
            }
            for benchmark, table in tables.items()
            for task, rows in table.get("columns", {}).items()
            for name, row in rows.items()
            if name.startswith(OURS)
        }
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from error
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{file} was not written by benchmarks' --json") from error
    if not ratios:
        raise ValueError(f"{file} has no ratio of {OURS}")
    return ratios


def classify_change(old: dict[str, float], new: dict[str, float]) -> str:
    """Returns "slower", "faster", or "same" where the quartile ranges overlap."""
    if new["low"] > old["high"]:
        return "slower"
    return "faster" if new["high"] < old["low"] else "same"


def table_rows(old: dict, new: dict) -> list[list[str]]:
    """Formats [name, old ratio, new ratio, change] for each row of both files."""

    def cell(row):
        return f"{row['median']:.3g} ({row['low']:.3g}-{row['high']:.3g})"

    return [
        [name, cell(row), cell(new[name]), classify_change(row, new[name])]
        for name, row in old.items()
        if name in new
    ]


def main() -> int:
    """Prints the rows of both files, and the names that only one file has."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", help="JSON file of `make bench BENCH_JSON=...`")
    parser.add_argument("new", help="JSON file of the later run")
    files = parser.parse_args()
    try:
        old, new = read(files.old), read(files.new)
    except ValueError as error:
        print(f"compare_runs.py: {error}", file=sys.stderr)
        return 2
    rows = table_rows(old, new)
    head = ["time / time of the reference", "old", "new", ""], ["---"] * 4
    for row in (*head, *rows) if rows else ():
        print(f"| {' | '.join(row)} |")
    for file, names in ((files.old, old.keys() - new), (files.new, new.keys() - old)):
        if names:
            print(f"\nOnly {file} has {'; '.join(sorted(names))}.")
    slower = [name for name, *_, change in rows if change == "slower"]
    print(f"\n{len(slower)} of {len(rows)} are slower.")
    return int(bool(slower)) if rows else 2


if __name__ == "__main__":
    sys.exit(main())
