"""The scores of a run next to what papers print."""

from cpcnn_jax.document import tag
from cpcnn_jax.report import numbers, published, table

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
    split = "validation" if scores.get("split") == "validation" else "test"
    said += f"over {number} {split} photograph{'s' if number != 1 else ''}"
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
    rows = [_ours(run, columns)]
    if (error := run.scores.get("mae_of_training_mean")) is not None:
        rows.append(_row("Always the training mean", _cells({"mae": error}, columns)))
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
    return numbers.text(scores.get(name), DIGITS.get(name, 1))


def _more(scores):
    known = [
        f"{title} {numbers.text(scores[name], digits)}"
        for name, (title, digits) in MORE.items()
        if numbers.finite(scores.get(name)) is not None
    ]
    return tag("p", "Also: " + ", ".join(known) + ".") if known else None
