"""The scores of a run next to what papers print, and how they came about."""

from cpcnn_jax.document import tag
from cpcnn_jax.report import curves, numbers, published, table

TITLES = {
    "mae": "MAE",
    "rmse": "RMSE (MSE in crowd papers)",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    **{scene: scene for scene in published.SCENES},
}
DIGITS = {"psnr": 2, "ssim": 2}
MORE = {
    "nae": ("NAE (error over people)", 3),
    "game1": ("GAME(1)", 1),
    "game2": ("GAME(2)", 1),
    "game3": ("GAME(3)", 1),
}


def lead(run):
    """The result in two sentences.

    Args:
      run: `run.Run`.

    Returns:
      str.
    """
    scores, number = run.scores, len(run.photographs)
    said = f"The count is off by {numbers.text(scores.get('mae'))} people in the mean "
    said += f"over {number} test photograph{'s' if number != 1 else ''}"
    if interval := _interval(scores.get("mae_interval")):
        said += f" (95% interval {interval})"
    if numbers.finite(error := scores.get("mae_of_training_mean")) is None:
        return said + "."
    mean = numbers.text(scores.get("training_mean"))
    return (
        f"{said}; always answering the training mean, {mean}, by {numbers.text(error)}."
    )


def _interval(ends):
    match ends:
        case [low, high] if None not in map(numbers.finite, ends):
            return f"{numbers.text(low)} to {numbers.text(high)}"
    return ""


def section(run):
    """The table of results.

    Args:
      run: `run.Run`.

    Returns:
      Html.
    """
    papers = published.table(run.config, run.scores)
    columns = papers.columns if papers else ("mae", "rmse", "psnr", "ssim")
    networks = published.networks(run.config)
    rows = [_ours(run, columns), _mean(run.scores, columns)]
    if papers:
        rows += [_published(row, columns, networks) for row in papers.rows]
    titles = ["", *(TITLES[name] for name in columns), "how sure"]
    return tag(
        "div",
        tag("p", _words(papers, networks)),
        table.boxed(
            "Results", map(table.title, titles), rows, kind="results", class_="box"
        ),
        _more(run.scores),
        tag("p", published.SURE, class_="soft") if papers else None,
    )


def _words(papers, networks):
    if papers is None:
        return "CP-CNN's paper has no results on these photographs."
    words = f"Published results: {papers.title}. "
    if any(row.networks == networks for row in papers.rows if row.networks):
        return words + "The marked row has the networks of this run."
    return words + "The paper has no row with just the networks of this run."


def _ours(run, columns):
    scores = dict(run.scores)
    if scenes := scores.get("mae_per_scene"):
        scores |= dict(zip(published.SCENES, _by_scene(scenes), strict=False))
        if "rmse" not in columns:
            scores["mae"] = scores.get("mae_of_scenes", scores.get("mae"))
    cells = [
        tag("td", _number(scores, name), _small(run.scores.get(f"{name}_interval")))
        for name in columns
    ]
    return _row("This run", cells, "measured", "ours")


def _by_scene(scenes):
    """The MAE of each scene, in the order of the scenes' names."""
    return [scenes[name] for name in sorted(scenes)] if isinstance(scenes, dict) else []


def _small(interval):
    shown = _interval(interval)
    return tag("small", f"95%: {shown}") if shown else None


def _mean(scores, columns):
    known = {"mae": scores.get("mae_of_training_mean")}
    cells = [tag("td", _number(known, name)) for name in columns]
    return _row("Always the training mean", cells, "measured")


def _published(row, columns, networks):
    own = row.networks is not None and row.networks == networks
    cells = [tag("td", _number(row.scores, name)) for name in columns]
    return _row(row.method, cells, row.sure, "own" if own else None, row.note)


def _row(method, cells, sure, kind=None, note=""):
    first = tag("th", method, scope="row")
    last = tag("td", sure, tag("small", note) if note else None, class_="sure")
    return tag("tr", first, *cells, last, class_=kind)


def _number(scores, name):
    return numbers.text(scores.get(name), DIGITS.get(name, 1))


def _more(scores):
    known = [
        f"{title} {numbers.text(scores[name], digits)}"
        for name, (title, digits) in MORE.items()
        if numbers.finite(scores.get(name)) is not None
    ]
    return tag("p", "Also: " + ", ".join(known) + ".") if known else None


def protocol(run):
    """How the scores came about.

    Args:
      run: `run.Run`.

    Returns:
      Html, a list of sentences.
    """
    said = [_truth(run.scores), _looks(run.scores), _validation(run.log)]
    if isinstance(sentence := run.scores.get("psnr_ssim"), str):
        said.append(sentence)
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
        f"On validation photographs, which are none of the test's, the lowest MAE that "
        f"was logged is {numbers.text(value)}, at step {step:,} of the stage {stage}."
    )
