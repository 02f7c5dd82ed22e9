"""How the scores of a run came about: the sentences that make them comparable."""

from cpcnn_jax.document import tag
from cpcnn_jax.report import curves, numbers


def section(run):
    """How the scores came about.

    Args:
      run: `run.Run`.

    Returns:
      Html, a list of sentences.
    """
    said = [_truth(run.scores), _looks(run.scores), _validation(run.log)]
    if isinstance(sentence := run.scores.get("psnr_ssim"), str):
        said.append(sentence)
    if run.scores.get("mae_interval"):
        said.append(
            "The interval is a bootstrap over the test photographs: it says what other "
            "photographs could have given, nothing about another training."
        )
    return tag("ul", *(tag("li", sentence) for sentence in said))


def _truth(scores):
    match scores.get("true_counts"):
        case "points":
            return "Counts are held against the annotated heads."
        case "maps":
            return "Counts are held against the sums of the true maps."
    return "metrics.json does not say what the counts are held against."


def _looks(scores):
    times = numbers.finite(scores.get("test_evaluations"))
    if times is None:
        return "metrics.json does not say how often the test photographs were scored."
    if times <= 1:
        return "The test photographs were scored once in this run."
    return (
        f"The test photographs were scored {times:.0f} times in this run: what was "
        "chosen in between makes the last score look better than it is."
    )


def _validation(log):
    best = [
        (value, step, stage)
        for stage, lines in log.items()
        for step, value in curves.series(lines, "validation_mae")
    ]
    if not best:
        return "No error on validation photographs was logged."
    value, step, stage = min(best)
    return (
        f"On validation photographs, kept out of training and test, the lowest MAE "
        f"logged is {numbers.text(value)}, at step {step:,} of the stage {stage}."
    )
