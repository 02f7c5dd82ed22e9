"""python -m cpcnn_jax check-data: all faults of a folder of photographs; and a copy."""

import collections
import json
import sys
from pathlib import Path

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.io import atomic_write

EDGES = (0, 1, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)  # of the histogram
WIDTH = 40  # characters of its longest bar


def histogram(counts):
    """How many photographs hold how many heads.

    Args:
      counts: heads of each photograph.

    Returns:
      [(fewest, most heads, photographs)]; the last most is None.

    Example:
      >>> histogram([0, 3, 9, 12_000])[:2]
      [(0, 0, 1), (1, 9, 2)]
    """
    tops = [edge - 1 for edge in EDGES[1:]] + [None]
    return [
        (low, top, sum(low <= n and (top is None or n <= top) for n in counts))
        for low, top in zip(EDGES, tops, strict=True)
    ]


def report(name, splits, found):
    """What was found, as numbers and texts.

    Args:
      name: of the data set.
      splits: {split: list of `faults.ExaminedImage`}.
      found: list of `faults.Fault`, of all.

    Returns:
      A dict for JSON.
    """
    from cpcnn_jax.data.checks import faults

    counts = {
        split: [len(e.points) for e in examined if e.points is not None]
        for split, examined in splits.items()
    }
    return {
        "layout": name,
        "splits": {
            split: {"photographs": len(examined), "heads": sum(counts[split])}
            for split, examined in splits.items()
        },
        "histogram": [
            {"fewest": low, "most": top, "photographs": number}
            for low, top, number in histogram(sum(counts.values(), []))
        ],
        "faults": [
            {
                "kind": fault.kind,
                "must_be_mended": fault.kind in faults.MUST,
                "file": str(fault.file),
                "text": fault.text,
            }
            for fault in found
        ],
    }


def text(told, meanings):
    """The report as lines.

    Args:
      told: of `report`.
      meanings: {kind of fault: what it is}.

    Returns:
      A str.
    """
    lines = [
        f"{'fault' if fault['must_be_mended'] else 'note '}  {fault['text']}"
        for fault in told["faults"]
    ]
    lines += ["", told["layout"]]
    for split, numbers in told["splits"].items():
        name = split or "(no train or test)"
        lines.append(
            f"  {name}: {numbers['photographs']:,} photographs, "
            f"{numbers['heads']:,} heads"
        )
    lines += ["", *_bars(told["histogram"]), ""]
    kinds = collections.Counter(fault["kind"] for fault in told["faults"])
    table = [f"{kinds[k]:6,}  {meaning}" for k, meaning in meanings.items() if kinds[k]]
    lines += [" files  of", *table] if table else [" No fault was found."]
    return "\n".join(lines)


def _bars(rows):
    most = max(row["photographs"] for row in rows)
    yield " heads          photographs"
    for low, top, number in (row.values() for row in rows):
        if number:
            heads = f"{low:,}+" if top is None else f"{low:,}"
            heads += f" to {top:,}" if top and top > low else ""
            bar = "#" * max(1, round(number / most * WIDTH))
            yield f" {heads:<14} {number:6,}  {bar}"


def main(argv):
    """The command; returns the exit status."""
    args = _parse(argv)
    source = Path(args.folder)
    try:
        if wrong := _wrong_usage(source, args.write):
            return _refuse(wrong, 2)
        return _run(source, args)
    except (ValueError, OSError) as error:
        return _refuse(error, 1)


def _refuse(sentence, status):
    print(f"check-data: {sentence}", file=sys.stderr)
    return status


def _parse(argv):
    parser = Parser(
        prog="python -m cpcnn_jax check-data",
        description="Read every photograph of a folder and its head points, and list "
        "what is wrong: of your own photographs, or of a data set as distributed. "
        "Exit status: 0 when nothing must be mended, 1 otherwise, 2 when the command "
        "line is wrong.",
    )
    parser.add_argument("folder", help="a folder of photographs and head points")
    parser.add_argument(
        "--write",
        metavar="COPY",
        help="write a copy without the faults: upright, heads outside, not finite or "
        "marked twice taken out, unusable photographs left out",
    )
    parser.add_argument("--json", metavar="FILE", help="write what was found as JSON")
    return parser.parse_args(argv)


def _wrong_usage(source, copy):
    if not source.is_dir():
        return f"{source} is not a folder"
    if copy is None:
        return None
    if Path(copy).exists() and (not Path(copy).is_dir() or any(Path(copy).iterdir())):
        return f"--write={copy} is there and not empty: name a new folder"
    if Path(copy).resolve().is_relative_to(source.resolve()):
        return f"--write={copy} lies in {source}, which is never written to"
    return None


def _run(source, args):
    from cpcnn_jax.data.checks import detect_dataset, faults

    found = detect_dataset.detect_dataset(source)
    if not any(found.splits.values()):
        return _refuse(f"{source} holds no photographs .jpg, .jpeg or .png", 2)
    splits = faults.examine_dataset(found)
    listed = [f for examined in splits.values() for one in examined for f in one.faults]
    listed += faults.folder_faults(found)
    told = report(found.name, splits, listed)
    print(text(told, faults.MUST | faults.NOTES))
    if args.json:
        atomic_write.write_atomic(
            args.json, (json.dumps(told, indent=2) + "\n").encode()
        )
    if args.write:
        _write(args.write, splits)
    return 1 if any(fault.kind in faults.MUST for fault in listed) else 0


def _write(copy, splits):
    from cpcnn_jax.data.checks import write_clean

    written = write_clean.write_clean_copy(copy, splits)
    for examined in (one for split in splits.values() for one in split):
        if not examined.usable:
            print(f"left out: {examined.photograph.image}")
    for split, (number, heads) in written.items():
        print(f"written: {Path(copy) / split}, {number:,} photographs, {heads:,} heads")
