"""Density levels: the table of errors, and the filter of the page."""

from cpcnn_jax.evaluation.report import html_table
from cpcnn_jax.evaluation.report.number_format import format_number, parse_finite
from cpcnn_jax.evaluation.report.run_files import RunFiles
from cpcnn_jax.io.html import Html, tag


def render_filter(run: RunFiles) -> Html:
    """Renders the checkboxes of the levels, from the lowest density."""
    by_count = sorted(run.images, key=lambda image: image.count)
    names = dict.fromkeys(image.level for image in by_count if image.level)
    if not names:
        return tag(
            "p",
            "predictions.csv has no density levels to filter by; an evaluation by this "
            "version of cpcnn_jax writes them.",
        )
    number = len(run.images)
    return tag(
        "fieldset",
        tag("legend", "Density levels shown"),
        *(_render_checkbox(level) for level in names),
        tag("output", f"{number} of {number} images", id="shown"),
        id="filter",
    )


def _render_checkbox(level):
    box = tag("input", type="checkbox", value=level, checked=True)
    return tag("label", box, " ", level)


def render(run: RunFiles) -> Html:
    """Renders the error of each level."""
    levels = run.scores.get("mae_per_level")
    levels = levels if isinstance(levels, list) else []
    rows = [level for level in levels if isinstance(level, dict)]
    if not rows:
        return tag("p", "metrics.json has no error per density level.")
    largest = max(parse_finite(level.get("mae")) or 0 for level in rows) or 1
    titles = ("level", "true people", "images", "MAE")
    return html_table.render_table(
        "Error per density level",
        map(html_table.render_title, titles),
        [_render_row(level, largest) for level in rows],
        kind="levels",
        class_="box",
    )


def _render_row(level, largest):
    share = (parse_finite(level.get("mae")) or 0) / largest
    error = tag(
        *("span", format_number(level.get("mae"))),
        class_="bar",
        style=f"--share: {100 * share:.1f}%",
    )
    return tag(
        "tr",
        tag("th", str(level.get("level", "–")), scope="row"),
        tag("td", _format_range(level)),
        tag("td", format_number(level.get("num_images"), 0)),
        tag("td", error),
    )


def _format_range(level):
    above, to = (parse_finite(level.get(end)) for end in ("above", "to"))
    if to is None:
        return "–" if above is None else f"above {format_number(above, 0)}"
    return f"{format_number(above or 0, 0)} to {format_number(to, 0)}"
