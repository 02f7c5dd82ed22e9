"""How the scores of a run came about: the sentences that make them comparable."""

from cpcnn_jax.evaluation.report import number_format, training_curves
from cpcnn_jax.io.html import tag


def section(run):
    """How the scores came about.

    Args:
      run: `run_files.RunFiles`.

    Returns:
      Html, a list of sentences.
    """
    said = [_truth(run.scores), _looks(run.scores), _validation(run.log)]
    if isinstance(sentence := run.scores.get("psnr_ssim"), str):
        said.append(f"PSNR and SSIM are {sentence}.")
    if None not in (run.scores.get("mae_interval") or [None]):
        said.append(
            "The interval is a bootstrap over the photographs: it says what other "
            "photographs could have given, nothing about another training."
        )
    return tag("ul", *(tag("li", sentence) for sentence in said))


def _truth(scores):
    match scores.get("count_reference"):
        case "points":
            return "Counts are held against the annotated heads."
        case "maps":
            return "Counts are held against the sums of the true maps."
    return "metrics.json does not say what the counts are held against."


def _looks(scores):
    times = number_format.finite(scores.get("test_evaluations"))
    if times is None:
        return "metrics.json does not say how often the test photographs were scored."
    if scores.get("split") == "validation":
        return "These are validation photographs, for choosing settings by."
    if times <= 1:
        return "The test photographs were scored once in this run."
    return (
        f"The test photographs were scored {times:.0f} times in this run: what was "
        "chosen in between makes the last score look better than it is."
    )


def _validation(log):
    scored = {
        s: training_curves.series(lines, "validation_mae") for s, lines in log.items()
    }
    scored = {stage: points for stage, points in scored.items() if points}
    if not scored:
        return "No error on validation photographs was logged."
    stage, points = list(scored.items())[-1]
    step, value = min(points, key=lambda point: point[1])
    return (
        "Of each stage, the checkpoint is taken that counts the validation "
        "photographs, kept out of training and test, best: in the last, "
        f"{stage}, that of step {step:,} with MAE {number_format.text(value)}."
    )
