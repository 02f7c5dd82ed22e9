"""Evaluation protocol of a run, in sentences."""

from cpcnn_jax.evaluation.report import training_curves
from cpcnn_jax.evaluation.report.number_format import format_number, parse_finite
from cpcnn_jax.evaluation.report.run_files import RunFiles
from cpcnn_jax.io.html import Html, tag


def render(run: RunFiles) -> Html:
    """Renders the list of sentences."""
    sentences = [
        _describe_reference(run.scores),
        _describe_split(run.scores),
        _describe_validation(run.log),
    ]
    if isinstance(definition := run.scores.get("psnr_ssim"), str):
        sentences.append(f"PSNR and SSIM are {definition}.")
    if (share := parse_finite(run.scores.get("interval_coverage"))) is not None:
        sentences.append(
            "The interval of a count, from low to high, is fitted on validation images "
            "to hold the true count nine times in ten. It holds the true count of "
            f"{format_number(100 * share)}% of these images."
        )
    if None not in (run.scores.get("mae_interval") or [None]):
        sentences.append(
            "The interval is a bootstrap over the images. It covers the choice of "
            "images, not the variation between trainings."
        )
    return tag("ul", *(tag("li", sentence) for sentence in sentences))


def _describe_reference(scores):
    match scores.get("count_reference"):
        case "points":
            return "The true counts are the numbers of annotated heads."
        case "maps":
            return "The true counts are the sums of the true maps."
    return "metrics.json does not define the true counts."


def _describe_split(scores):
    times = parse_finite(scores.get("test_evaluations"))
    if times is None:
        return "metrics.json does not record how often the test images were scored."
    if scores.get("split") == "validation":
        return "These are validation images, for the choice of settings."
    if times <= 1:
        return "The test images were scored once in this run."
    return (
        f"The test images were scored {times:.0f} times in this run. Choices between "
        "these evaluations bias the last score."
    )


def _describe_validation(log):
    errors = {
        stage: series
        for stage, lines in log.items()
        if (series := training_curves.extract_series(lines, "validation_mae"))
    }
    if not errors:
        return "No validation error was logged."
    stage, series = list(errors.items())[-1]
    step, value = min(series, key=lambda point: point[1])
    return (
        "Each stage keeps the checkpoint with the smallest MAE on the validation "
        "images, which are in neither training nor test. "
        f"The last stage, {stage}, keeps step {step:,} with MAE {format_number(value)}."
    )
