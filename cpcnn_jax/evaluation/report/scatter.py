"""Scatter chart of predicted against true counts."""

from cpcnn_jax.evaluation.report import svg_chart
from cpcnn_jax.evaluation.report.number_format import (
    format_count,
    format_number,
    format_signed,
    parse_finite,
)
from cpcnn_jax.evaluation.report.run_files import ImageResult, RunFiles
from cpcnn_jax.io.html import Html, join, tag

SIZE = 460  # points, of the square chart


def render(run: RunFiles) -> Html:
    """Renders the chart; page.js describes the image of the selected point."""
    training_mean = parse_finite(run.scores.get("training_mean"))
    figure, axes = _draw_axes(run.images, training_mean)
    by_count = sorted(enumerate(run.images, 1), key=lambda ranked: ranked[1].count)
    points = [_render_point(axes, rank, image) for rank, image in by_count]
    chart = svg_chart.inline_svg(
        figure,
        label="Predicted against true people, a point per image. Arrow keys move "
        "between points, Enter selects the image's row of the table.",
        over=join(points),
    )
    legend = "Counts on the line are right, counts above it are too high."
    if training_mean is not None:
        people = format_count(training_mean)
        legend += f" Dashed: constant prediction of the training mean, {people}."
    text = "Point at a dot, or tap it, to see which image it is."
    hint = tag("p", text, id="selected", class_="selected")
    return tag("div", tag("p", legend, class_="soft"), chart, hint, id="scatter")


def _draw_axes(images, training_mean):
    figure, axes = svg_chart.blank_chart(
        SIZE, SIZE, x="true people", y="predicted people"
    )
    highest = max(max(image.count, image.predicted) for image in images) or 1
    lowest = min(0, *(image.predicted for image in images))
    margin = 0.03 * (highest - lowest)
    axes.set_xlim(lowest - margin, highest + margin)
    axes.set_ylim(lowest - margin, highest + margin)
    axes.locator_params(nbins=6)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,g}")
    axes.axline((0, 0), slope=1, color=svg_chart.INK, linewidth=1)
    if training_mean is not None:
        axes.axhline(training_mean, color=svg_chart.SOFT, linewidth=1, linestyle="--")
    return figure, axes


def _render_point(axes, rank, image):
    x, up = axes.transData.transform((image.count, image.predicted))
    return tag(
        "circle",
        tag("title", describe_image(image)),
        cx=f"{x:.1f}",
        cy=f"{axes.figure.bbox.height - up:.1f}",
        r=4.5,
        role="img",
        tabindex=-1,
        data_rank=rank,
        data_level=image.level,
        data_error=abs(image.error),
    )


def describe_image(image: ImageResult) -> str:
    """Describes an image by its name, counts and error."""
    return (
        f"{image.name}: {format_count(image.count)} people, "
        f"predicted {format_number(image.predicted)} ({format_signed(image.error)})"
    )
