"""Training curves: for each stage its loss and its error, from metrics.jsonl."""

import statistics

from cpcnn_jax.evaluation.report import number_format, svg_chart
from cpcnn_jax.io.html import tag

# A panel: its words, and what of the log is drawn in it, as the legend calls it.
PANELS = (
    ("loss", {"loss": "training"}),
    ("MAE, people", {"crop_mae": "crops", "validation_mae": "validation photographs"}),
    ("accuracy", {"accuracy": "training"}),
    (
        "loss",
        {"adversarial": "of the estimate", "discriminator": "of the discriminator"},
    ),
)
STAGES = {
    "gce": "Global context (GCE)",
    "lce": "Local context (LCE)",
    "density": "Density (DME and F-CNN)",
    "adversary": "With the adversary",
}


def section(log):
    """The curves of all stages.

    Args:
      log: as in `run_files.RunFiles`.

    Returns:
      Html; a sentence where nothing was logged.
    """
    figures = [_stage(stage, lines) for stage, lines in log.items()]
    if not any(figures):
        return tag("p", "The folder has no metrics.jsonl with losses: no curves.")
    return tag("div", *figures, class_="stages")


def _stage(stage, lines):
    panels = [_panel(stage, lines, *panel) for panel in PANELS]
    if not any(panels):
        return None
    title = tag("h3", STAGES.get(stage, stage))
    charts = tag("div", *panels, class_="panels")
    return tag("figure", title, tag("p", _pace(lines), class_="soft"), charts)


def _panel(stage, lines, words, names):
    drawn = {name: points for name in names if (points := series(lines, name))}
    if not drawn:
        return None
    figure, axes = svg_chart.blank_chart(400, 230, x="step", y=words)
    colours = [svg_chart.ACCENT, svg_chart.BRIGHT]
    for (name, points), colour in zip(drawn.items(), colours, strict=False):
        few = ".-" if len(points) <= 60 else "-"  # a lone point has no line
        axes.plot(*zip(*points, strict=True), few, color=colour, label=names[name])
    axes.xaxis.get_major_locator().set_params(integer=True)
    if len(names) > 1:
        above = {"loc": "lower right", "bbox_to_anchor": (1, 0.98), "ncols": 2}
        axes.legend(frameon=False, labelcolor=svg_chart.SOFT, **above)
    return tag(
        "div", svg_chart.inline_svg(figure, label=_label(stage, words, names, drawn))
    )


def _label(stage, words, names, drawn):
    told = "; ".join(
        f"{names[name]} from {points[0][1]:.4g} at step {points[0][0]} to "
        f"{points[-1][1]:.4g} at step {points[-1][0]}"
        for name, points in drawn.items()
    )
    return f"{stage}, {words}: {told}"


def series(lines, name):
    """What a name was at each step.

    Args:
      lines: of one stage.
      name: of a number in them.

    Returns:
      A list of (step, value); lines without a finite value are left out.

    Example:
      >>> series([{"step": 1, "loss": 2}, {"step": 2, "loss": None}], "loss")
      [(1, 2.0)]
    """
    found = ((line["step"], number_format.finite(line.get(name))) for line in lines)
    return [(step, value) for step, value in found if value is not None]


def _pace(lines):
    said = [f"{lines[-1]['step']:,} steps"]
    if speed := series(lines, "images_per_second"):
        middle = statistics.median(value for _, value in speed)
        said.append(f"{middle:,.1f} images per second in the median")
    if waits := series(lines, "wait_share"):
        middle = statistics.median(value for _, value in waits)
        said.append(f"{middle:.1%} of the time spent waiting for data")
    return ", ".join(said) + "."
