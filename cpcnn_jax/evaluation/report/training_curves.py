"""Training curves of each stage, from metrics.jsonl."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from cpcnn_jax.evaluation.report import svg_chart
from cpcnn_jax.evaluation.report.number_format import parse_finite
from cpcnn_jax.evaluation.report.run_files import RunFiles
from cpcnn_jax.io.html import Html, tag

# Panels: the axis label, and the legend of each logged name.
PANELS: tuple[tuple[str, dict[str, str]], ...] = (
    ("loss", {"loss": "training"}),
    ("MAE, people", {"crop_mae": "crops", "validation_mae": "validation images"}),
    ("accuracy", {"accuracy": "training"}),
    ("loss", {"adversarial": "generator", "discriminator": "discriminator"}),
)
STAGES = {
    "gce": "Global context (GCE)",
    "lce": "Local context (LCE)",
    "density": "Density (DME and F-CNN)",
    "adversary": "Adversarial training",
}


def render(run: RunFiles) -> Html:
    """Renders the curves of all stages."""
    figures = [_render_stage(stage, lines) for stage, lines in run.log.items()]
    if not any(figures):
        return tag("p", "The folder has no metrics.jsonl with losses.")
    return tag("div", *figures, class_="stages")


def _render_stage(stage, lines):
    panels = [_render_panel(stage, lines, *panel) for panel in PANELS]
    if not any(panels):
        return None
    title = tag("h3", STAGES.get(stage, stage))
    charts = tag("div", *panels, class_="panels")
    return tag("figure", title, tag("p", _format_pace(lines), class_="soft"), charts)


def _render_panel(stage, lines, title, names):
    curves = {
        legend: points
        for name, legend in names.items()
        if (points := extract_series(lines, name))
    }
    if not curves:
        return None
    figure, axes = svg_chart.blank_chart(400, 230, x="step", y=title)
    colors = [svg_chart.ACCENT, svg_chart.BRIGHT]
    for (legend, points), color in zip(curves.items(), colors, strict=False):
        marker = ".-" if len(points) <= 60 else "-"  # a single point has no line
        axes.plot(*zip(*points, strict=True), marker, color=color, label=legend)
    axes.locator_params(axis="x", integer=True)
    if len(names) > 1:
        place: Any = {"loc": "lower right", "bbox_to_anchor": (1, 0.98), "ncols": 2}
        axes.legend(frameon=False, labelcolor=svg_chart.SOFT, **place)
    label = f"{stage}, {title}: {_describe_curves(curves)}"
    return tag("div", svg_chart.inline_svg(figure, label=label))


def _describe_curves(curves):
    return "; ".join(
        f"{legend} from {points[0][1]:.4g} at step {points[0][0]} to "
        f"{points[-1][1]:.4g} at step {points[-1][0]}"
        for legend, points in curves.items()
    )


def extract_series(
    lines: Sequence[Mapping[str, Any]], name: str
) -> list[tuple[int, float]]:
    """Extracts (step, value) of each log line with a finite value of a name.

    Example:
      >>> extract_series([{"step": 1, "loss": 2}, {"step": 2, "loss": None}], "loss")
      [(1, 2.0)]
    """
    values = ((line["step"], parse_finite(line.get(name))) for line in lines)
    return [(step, value) for step, value in values if value is not None]


def _format_pace(lines):
    parts = [f"{lines[-1]['step']:,} steps"]
    for name, text in (
        ("images_per_second", "{:,.1f} images per second (median)"),
        ("wait_share", "{:.1%} of the time waiting for data (median)"),
    ):
        if series := extract_series(lines, name):
            parts.append(text.format(statistics.median(value for _, value in series)))
    return ", ".join(parts) + "."
