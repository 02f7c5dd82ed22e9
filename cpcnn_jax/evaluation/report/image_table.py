"""Table of all images; page.js sorts it."""

from collections.abc import Collection

from cpcnn_jax.evaluation.report import html_table
from cpcnn_jax.evaluation.report.number_format import (
    format_count,
    format_number,
    format_signed,
)
from cpcnn_jax.evaluation.report.run_files import METRICS, RunFiles
from cpcnn_jax.io.html import Html, tag


def render(run: RunFiles, pictured: Collection[int]) -> Html:
    """Renders the table from the worst count, with links to the pictured ranks."""
    columns = _select_columns(run.images)
    rows = [
        _render_row(rank, image, columns, pictured)
        for rank, image in enumerate(run.images, 1)
    ]
    return html_table.render_table(
        "All images",
        [_render_title(title) for title in ("image", *columns)],
        reversed(rows),
        kind="images",
        class_="box tall",
        id="images",
    )


def _select_columns(images):
    """Maps each title to a function: image to (shown text, value to sort by)."""
    columns = {
        "true": lambda i: (format_count(i.count), i.count),
        "predicted": lambda i: (format_number(i.predicted), i.predicted),
        "error": lambda i: (format_signed(i.error), abs(i.error)),
    }
    for name, (title, digits) in METRICS.items():
        if any(name in image.metrics for image in images):
            columns[title] = _metric_column(name, digits)
    if any(image.level for image in images):
        columns["level"] = lambda i: (i.level, i.count)
    if any(image.scene for image in images):
        columns["scene"] = lambda i: (i.scene, i.scene)
    return columns


def _metric_column(name, digits):
    return lambda i: (format_number(v := i.metrics.get(name, ""), digits), v)


def _render_title(title):
    order = "descending" if title == "error" else None
    return html_table.render_title(tag("button", title, type="button"), aria_sort=order)


def _render_row(rank, image, columns, pictured):
    name = image.name
    linked = tag("a", name, href=f"#picture-{rank}") if rank in pictured else name
    cells = [column(image) for column in columns.values()]
    return tag(
        "tr",
        tag("th", linked, scope="row", data_value=name),
        *(tag("td", shown, data_value=value) for shown, value in cells),
        data_rank=rank,
        data_level=image.level,
    )
