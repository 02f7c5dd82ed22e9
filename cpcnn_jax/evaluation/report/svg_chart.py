"""Charts as SVG that stands in the page and wears its colours, light or dark."""

import io
import re

import matplotlib
from matplotlib.figure import Figure

from cpcnn_jax.io.html import Html, tag

# Placeholders of matplotlib's drawing, each for a colour of theme.css.
INK, SOFT, LINE, ACCENT, BRIGHT = "#000001", "#000002", "#000003", "#000004", "#000005"
_VARIABLES = {
    INK: "ink",
    SOFT: "soft",
    LINE: "line",
    ACCENT: "accent",
    BRIGHT: "bright",
}
_SETTINGS = {"svg.fonttype": "none", "font.size": 11, "axes.unicode_minus": True}


def blank_chart(width, height, *, x, y):
    """Axes without data.

    Args:
      width: of the chart, points.
      height: likewise.
      x: words under the axes.
      y: words beside them.

    Returns:
      (figure, axes) of matplotlib; the figure has 72 pixels an inch: pixels are points.
    """
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        # Room for numbers and words: left and below, then right and above.
        axes = figure.add_axes(
            (60 / width, 48 / height, 1 - 84 / width, 1 - 84 / height)
        )
        axes.set_xlabel(x, color=SOFT)
        axes.set_ylabel(y, color=SOFT)
        axes.tick_params(colors=SOFT, length=0)
        axes.grid(color=LINE, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[:].set_visible(False)
        axes.patch.set_visible(False)
        figure.patch.set_visible(False)
    return figure, axes


def inline_svg(figure, *, label, over=None):
    """Write a figure as an SVG element.

    Args:
      figure: of `blank_chart`, drawn on in the colours of this module.
      label: what it shows, for those who do not see it.
      over: Html of SVG elements on top, in points; the chart is then a group of them.

    Returns:
      Html.
    """
    data = io.StringIO()
    # The salt keeps the names of marks apart where a page holds several charts.
    with matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": label}):
        figure.savefig(data, format="svg", metadata={"Date": None}, transparent=True)
    drawn = re.search(r"<svg[^>]*>(.*)</svg>", data.getvalue(), re.DOTALL)[1]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"<style.*?</style>", "", drawn, count=1, flags=re.DOTALL)
    drawn = re.sub(r'<g id="[^"]*"', "<g", drawn)
    for placeholder, name in _VARIABLES.items():
        drawn = drawn.replace(placeholder, f"var(--{name})")
    width, height = figure.get_size_inches() * 72
    return tag(
        "svg",
        tag("g", Html(drawn), aria_hidden="true"),
        over,
        viewBox=f"0 0 {width:g} {height:g}",
        role="group" if over else "img",
        aria_label=label,
        class_="chart",
    )


def axes_position(axes, x, y):
    """Where a point of the data lies in the chart.

    Args:
      axes: of `blank_chart`, with its limits set.
      x: in data.
      y: likewise.

    Returns:
      (x, y) in points from the upper left.
    """
    across, up = axes.transData.transform((x, y))
    return float(across), float(axes.figure.bbox.height - up)
