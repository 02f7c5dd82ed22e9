"""Report of a checked data set, as JSON data and as text."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cpcnn_jax.data.checks import faults
from cpcnn_jax.io import folder_listing

EDGES = (0, 1, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)  # heads per image
MAX_LABELS = 20  # in the text
BAR_WIDTH = 40  # characters of the longest bar


def count_histogram(counts: Sequence[int]) -> list[tuple[int, int | None, int]]:
    """Counts the images in each interval of EDGES from the heads of each image.

    Returns:
      [(fewest heads, most heads, images)]; the last interval has no upper limit, None.

    Example:
      >>> count_histogram([0, 3, 9, 12_000])[:2]
      [(0, 0, 1), (1, 9, 2)]
    """
    tops = [*(edge - 1 for edge in EDGES[1:]), None]
    images = np.histogram(counts, (*EDGES, np.inf))[0].tolist()
    return list(zip(EDGES, tops, images, strict=True))


def build_report(
    name: str,
    splits: Mapping[str, Sequence[faults.ExaminedImage]],
    all_faults: Sequence[faults.Fault],
    labels: Mapping[str, int] | None = None,
    left_out: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Collects numbers and faults of a data set in a dict for JSON."""
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
        "labels": dict(labels or {}),
        "left_out": dict(left_out or {}),
        "histogram": [
            {"fewest": low, "most": top, "photographs": number}
            for low, top, number in count_histogram(sum(counts.values(), []))
        ],
        "faults": [
            {
                "kind": fault.kind,
                "must_be_mended": fault.kind in faults.ERRORS,
                "file": str(fault.file),
                "text": fault.text,
            }
            for fault in all_faults
        ],
    }


def format_report(report: Mapping[str, Any]) -> str:
    """Formats the result of `build_report` as lines of text."""
    lines = [
        f"{'fault' if fault['must_be_mended'] else 'note '}  {fault['text']}"
        for fault in report["faults"]
    ]
    lines += ["", report["layout"]]
    for split, numbers in report["splits"].items():
        name = split or "(no train or test)"
        number, heads = numbers["photographs"], numbers["heads"]
        lines.append(f"  {name}: {number:,} photographs, {heads:,} heads")
    lines += ["", *_format_bars(report["histogram"]), ""]
    lines += _format_labels(report["labels"])
    kinds = collections.Counter(fault["kind"] for fault in report["faults"])
    meanings = faults.ERRORS | faults.NOTES
    table = [f"{kinds[k]:6,}  {meaning}" for k, meaning in meanings.items() if kinds[k]]
    lines += [" files  of", *table] if table else [" No fault was found."]
    if report["left_out"]:
        lines += ["", f" left out: {folder_listing.describe(report['left_out'])}"]
    return "\n".join(lines)


def _format_labels(labels):
    """The most frequent labels; all of them are counted as heads."""
    ordered = sorted(labels.items(), key=lambda item: (-item[1], item[0]))
    if ordered:
        yield " heads  of label"
        yield from (f"{number:6,}  {label}" for label, number in ordered[:MAX_LABELS])
        if len(ordered) > MAX_LABELS:
            yield f"        and {len(ordered) - MAX_LABELS} more labels"
        yield ""


def _format_bars(rows):
    most = max(row["photographs"] for row in rows)
    yield " heads          photographs"
    for low, top, number in (row.values() for row in rows):
        if number:
            heads = f"{low:,}+" if top is None else f"{low:,}"
            heads += f" to {top:,}" if top and top > low else ""
            bar = "#" * max(1, round(number / most * BAR_WIDTH))
            yield f" {heads:<14} {number:6,}  {bar}"
