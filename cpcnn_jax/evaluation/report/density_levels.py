"""Density levels: the error of each, and the filter that acts on the whole page."""

from cpcnn_jax.evaluation.report import html_table, number_format
from cpcnn_jax.io.html import tag


def names(run):
    """The levels that the photographs have.

    Args:
      run: `run_files.RunFiles`.

    Returns:
      A list of str, from the emptiest; empty where the evaluation gave none.
    """
    fullest = {}
    for photograph in run.photographs:
        level = photograph.level
        fullest[level] = max(fullest.get(level, 0), photograph.count)
    return [level for level in sorted(fullest, key=fullest.get) if level]


def choice(run):
    """The filter.

    Args:
      run: `run_files.RunFiles`.

    Returns:
      Html; a sentence where there is nothing to choose.
    """
    if not (found := names(run)):
        return tag(
            "p",
            "predictions.csv has no density levels to filter by; an evaluation by this "
            "version of cpcnn_jax writes them.",
        )
    number = len(run.photographs)
    return tag(
        "fieldset",
        tag("legend", "Density levels shown"),
        *(_box(level) for level in found),
        tag("output", f"{number} of {number} photographs", id="shown"),
        id="filter",
    )


def _box(level):
    box = tag("input", type="checkbox", value=level, checked=True)
    return tag("label", box, " ", level)


def section(scores):
    """The error of each level.

    Args:
      scores: dict of metrics.json.

    Returns:
      Html; a sentence where the evaluation gave none.
    """
    levels = scores.get("mae_per_level")
    rows = [level for level in levels or () if isinstance(level, dict)]
    if not isinstance(levels, list) or not rows:
        return tag("p", "metrics.json has no error per density level.")
    errors = [number_format.finite(level.get("mae")) for level in rows]
    most = max((error for error in errors if error is not None), default=0) or 1
    titles = ("level", "true people", "photographs", "MAE")
    return html_table.boxed(
        "Error per density level",
        map(html_table.title, titles),
        map(_row, rows, errors, [most] * len(rows)),
        kind="levels",
        class_="box",
    )


def _row(level, error, most):
    width = f"--share: {100 * (error or 0) / most:.1f}%"
    return tag(
        "tr",
        tag("th", str(level.get("level", "–")), scope="row"),
        tag("td", _range(level)),
        tag("td", number_format.text(level.get("num_images"), 0)),
        tag("td", tag("span", number_format.text(error)), class_="bar", style=width),
    )


def _range(level):
    above, to = (number_format.finite(level.get(end)) for end in ("above", "to"))
    if to is None:
        return "–" if above is None else f"above {number_format.text(above, 0)}"
    return f"{number_format.text(above or 0, 0)} to {number_format.text(to, 0)}"
