"""Table and summary of audited density maps, as text and as CSV."""

from collections.abc import Sequence
from pathlib import Path

from cpcnn_jax.data.checks.density_audit import Audit, percent_of_heads
from cpcnn_jax.io import atomic_write

COLUMNS = (
    *("map", "height", "width", "scale", "sum", "heads", "outside", "drift", "percent"),
    *("negative", "not_finite", "faults"),
)
HEADER = (
    f"{'map':<20} {'size':>11} {'scale':>5} {'sum':>11} {'heads':>7} "
    f"{'drift':>9} {'percent':>8} {'negative':>9}"
)
Result = tuple[Path, Audit | Exception]  # of `density_audit.audit_maps`


def format_line(path: Path, audit: Audit | Exception, tolerance: float) -> str:
    """Formats one map as a line of text below HEADER."""
    if isinstance(audit, Exception):
        return str(audit)
    size = "x".join(map(str, audit.shape[::-1]))
    scale = f"1/{audit.scale}" if audit.scale else "-"
    text = (
        f"{path.name:<20} {size:>11} {scale:>5} {audit.people:>11.2f} {audit.heads:>7} "
        f"{audit.drift:>+z9.2f} {audit.drift_percent:>+z8.2f} {audit.negative:>z9.2f}  "
        f"{', '.join(audit.faults(tolerance))}"
    )
    return text.rstrip()


def format_total(results: Sequence[Result], tolerance: float) -> str:
    """Summarizes all maps in one or two sentences."""
    audits = [audit for _, audit in results if not isinstance(audit, Exception)]
    people, heads = sum(a.people for a in audits), sum(a.heads for a in audits)
    drift, percent = people - heads, percent_of_heads(people - heads, heads)
    faulty = sum(bool(audit.faults(tolerance)) for audit in audits)
    outside = sum(audit.outside for audit in audits)
    text = f"{len(audits)} maps sum to {people:.2f} for {heads} heads: "
    text += f"{drift:+z.2f} people ({percent:+z.2f} %). "
    text += f"{faulty} drift by more than {tolerance:g} % or have other faults"
    if len(audits) < len(results):
        text += f"; {len(results) - len(audits)} more could not be checked"
    if outside:
        text += f"; {outside} heads outside their images are not counted"
    return text + "."


def has_fault(audit: Audit | Exception, tolerance: float) -> bool:
    """Whether a map has a fault or could not be checked."""
    return isinstance(audit, Exception) or bool(audit.faults(tolerance))


def write_table(file: str, results: Sequence[Result], tolerance: float) -> None:
    """Writes a CSV file with COLUMNS and one row per map; raises OSError."""
    rows = (_table_row(path, audit, tolerance) for path, audit in results)
    atomic_write.write_csv(file, [COLUMNS, *rows])


def _table_row(path, audit, tolerance):
    if isinstance(audit, Exception):
        return [path, *[""] * (len(COLUMNS) - 2), audit]
    return [
        *(path, *audit.shape, audit.scale or "", audit.people, audit.heads),
        *(audit.outside, audit.drift, audit.drift_percent, audit.negative),
        *(audit.not_finite, "; ".join(audit.faults(tolerance))),
    ]
