"""The scores of a run next to what papers print."""

from cpcnn_jax.evaluation.report import html_table, number_format, published_results
from cpcnn_jax.io.html import tag

TITLES = {
    "mae": "MAE",
    "rmse": "RMSE (MSE in crowd papers)",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    **{scene: scene for scene in published_results.SCENES},
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
      run: `run_files.RunFiles`.

    Returns:
      str.
    """
    scores, number = run.scores, len(run.photographs)
    mae = number_format.text(scores.get("mae"))
    said = f"The count is off by {mae} people in the mean "
    split = "validation" if scores.get("split") == "validation" else "test"
    said += f"over {number} {split} photograph{'s' if number != 1 else ''}"
    if interval := _interval(scores.get("mae_interval")):
        said += f" (95% interval {interval})"
    if number_format.finite(error := scores.get("mae_of_training_mean")) is None:
        return said + "."
    mean = number_format.text(scores.get("training_mean"))
    constant = number_format.text(error)
    return f"{said}; always answering the training mean, {mean}, by {constant}."


def _interval(ends):
    match ends:
        case [low, high] if None not in map(number_format.finite, ends):
            return f"{number_format.text(low)} to {number_format.text(high)}"
    return ""


def section(run):
    """The table of results.

    Args:
      run: `run_files.RunFiles`.

    Returns:
      Html.
    """
    papers = published_results.table(run.config, run.scores)
    columns = papers.columns if papers else ("mae", "rmse", "psnr", "ssim")
    networks = published_results.networks(run.config)
    rows = [_ours(run, columns)]
    if (error := run.scores.get("mae_of_training_mean")) is not None:
        rows.append(_row("Always the training mean", _cells({"mae": error}, columns)))
    if papers:
        rows += [_published(row, columns, networks) for row in papers.rows]
    titles = ["", *(TITLES[name] for name in columns), "how sure"]
    return tag(
        "div",
        tag("p", _words(papers, networks)),
        html_table.boxed(
            "Results", map(html_table.title, titles), rows, kind="results", class_="box"
        ),
        _more(run.scores),
        tag("p", published_results.SURE, class_="soft") if papers else None,
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
        scores |= dict(zip(published_results.SCENES, _by_scene(scenes), strict=False))
        if "rmse" not in columns:
            scores["mae"] = scores.get("mae_of_scenes", scores.get("mae"))
    cells = [
        tag("td", _number(scores, name), _small(run.scores.get(f"{name}_interval")))
        for name in columns
    ]
    return _row("This run", cells, kind="ours")


def _by_scene(scenes):
    """The MAE of each scene, in the order of the scenes' names."""
    return [scenes[name] for name in sorted(scenes)] if isinstance(scenes, dict) else []


def _small(interval):
    shown = _interval(interval)
    return tag("small", f"95%: {shown}") if shown else None


def _published(row, columns, networks):
    own = row.networks is not None and row.networks == networks
    kind = "own" if own else None
    return _row(row.method, _cells(row.scores, columns), row.sure, kind, row.note)


def _row(method, cells, sure="measured", kind=None, note=""):
    first = tag("th", method, scope="row")
    last = tag("td", sure, tag("small", note) if note else None, class_="sure")
    return tag("tr", first, *cells, last, class_=kind)


def _cells(scores, columns):
    return [tag("td", _number(scores, name)) for name in columns]


def _number(scores, name):
    return number_format.text(scores.get(name), DIGITS.get(name, 1))


def _more(scores):
    known = [
        f"{title} {number_format.text(scores[name], digits)}"
        for name, (title, digits) in MORE.items()
        if number_format.finite(scores.get(name)) is not None
    ]
    return tag("p", "Also: " + ", ".join(known) + ".") if known else None
