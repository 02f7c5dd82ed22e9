"""Charts as inline SVG in the page's colors, light or dark."""

import io
import re
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cpcnn_jax.io.html import Html, tag

# Placeholders in matplotlib's drawing for the colors of theme.css.
INK, SOFT, LINE, ACCENT, BRIGHT = "#000001", "#000002", "#000003", "#000004", "#000005"
_COLORS = {INK: "ink", SOFT: "soft", LINE: "line", ACCENT: "accent", BRIGHT: "bright"}
_SETTINGS: Any = {"svg.fonttype": "none", "font.size": 11, "axes.unicode_minus": True}


def blank_chart(width: int, height: int, *, x: str, y: str) -> tuple[Figure, Axes]:
    """Draws axes with labels x and y; the size is in points, which are pixels."""
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        # Left and bottom margins for labels, then the sizes of the axes.
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


def inline_svg(figure: Figure, *, label: str, over: Html | None = None) -> Html:
    """Renders a figure of `blank_chart` as an SVG element.

    `label` is its accessible name, `over` are SVG elements on top, in points.
    """
    data = io.StringIO()
    # The salt keeps the ids of several charts in one page apart.
    with matplotlib.rc_context(_SETTINGS | {"svg.hashsalt": label}):
        figure.savefig(data, format="svg", metadata={"Date": None}, transparent=True)
    _, _, svg = data.getvalue().partition("<svg")
    drawing = svg[svg.index(">") + 1 : svg.rindex("</svg>")]
    drawing = re.sub(r"(?s)<metadata>.*?</metadata>|<style.*?</style>", "", drawing)
    drawing = re.sub(r'<g id="[^"]*"', "<g", drawing)
    for placeholder, name in _COLORS.items():
        drawing = drawing.replace(placeholder, f"var(--{name})")
    width, height = figure.get_size_inches() * 72
    return tag(
        "svg",
        tag("g", Html(drawing), aria_hidden="true"),
        over,
        viewBox=f"0 0 {width:g} {height:g}",
        role="group" if over else "img",
        aria_label=label,
        class_="chart",
    )
