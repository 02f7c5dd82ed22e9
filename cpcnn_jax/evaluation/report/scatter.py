"""Predicted against true counts: a chart whose points can be walked through."""

from cpcnn_jax.evaluation.report import number_format, svg_chart
from cpcnn_jax.io.html import join, tag

SIZE = 460  # points, of the square chart


def section(photographs, mean):
    """The chart; page.js makes its points tell their photograph.

    Args:
      photographs: of `run_files.RunFiles`.
      mean: people of the training mean, drawn as a line; or None.

    Returns:
      Html.
    """
    figure, axes = _axes(photographs, mean)
    by_count = sorted(enumerate(photographs, 1), key=lambda ranked: ranked[1].count)
    points = [_point(axes, rank, photograph) for rank, photograph in by_count]
    drawn = svg_chart.inline_svg(
        figure,
        label="Predicted against true people, a point per photograph. Arrow keys go "
        "from point to point, Enter to the photograph's row of the table.",
        over=join(points),
    )
    legend = "On the line the count is right; above it, too high."
    if mean is not None:
        people = number_format.people(mean)
        legend += f" Dashed: always answering the training mean, {people}."
    told = tag("p", "Point at a photograph.", id="told", class_="told")
    return tag("div", tag("p", legend, class_="soft"), drawn, told, id="scatter")


def _axes(photographs, mean):
    figure, axes = svg_chart.blank_chart(
        SIZE, SIZE, x="true people", y="predicted people"
    )
    most = max(max(p.count, p.predicted) for p in photographs) or 1
    least = min(0, *(p.predicted for p in photographs))
    room = 0.03 * (most - least)
    axes.set_xlim(least - room, most + room)
    axes.set_ylim(least - room, most + room)
    axes.locator_params(nbins=6)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,g}")
    axes.axline((0, 0), slope=1, color=svg_chart.INK, linewidth=1)
    if mean is not None:
        axes.axhline(mean, color=svg_chart.SOFT, linewidth=1, linestyle="--")
    return figure, axes


def _point(axes, rank, photograph):
    x, y = svg_chart.axes_position(axes, photograph.count, photograph.predicted)
    return tag(
        "circle",
        tag("title", told(photograph)),
        cx=f"{x:.1f}",
        cy=f"{y:.1f}",
        r=4.5,
        role="img",
        tabindex=-1,
        data_rank=rank,
        data_level=photograph.level,
        data_error=abs(photograph.error),
    )


def told(photograph):
    """A photograph in words.

    Args:
      photograph: `run_files.ImageResult`.

    Returns:
      str: its name, counts and error.
    """
    return (
        f"{photograph.name}: {number_format.people(photograph.count)} people, "
        f"predicted {number_format.text(photograph.predicted)} "
        f"({number_format.signed(photograph.error)})"
    )
