"""Table of a run's scores beside published results."""

from cpcnn_jax.evaluation.report import html_table, published_results
from cpcnn_jax.evaluation.report.number_format import format_number, parse_finite
from cpcnn_jax.evaluation.report.run_files import METRICS, RunFiles
from cpcnn_jax.io.html import Html, tag

TITLES = {
    "mae": "MAE",
    "rmse": "RMSE (MSE in crowd papers)",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    **{scene: scene for scene in published_results.SCENES},
}
DIGITS = {"psnr": 2, "ssim": 2}
# Title and decimals of the scores below the table.
MORE = {
    "nae": ("NAE (error over people)", 3),
    **{name: METRICS[name] for name in ("game1", "game2", "game3")},
}


def format_lead(run: RunFiles) -> str:
    """Formats the result in one or two sentences."""
    scores, number = run.scores, len(run.images)
    split = "validation" if scores.get("split") == "validation" else "test"
    images = f"{number} {split} image{'s' if number != 1 else ''}"
    interval = _format_interval(scores.get("mae_interval"))
    lead = (
        f"The mean absolute error of the count is {format_number(scores.get('mae'))} "
        f"people over {images}" + (f" (95% interval {interval})." if interval else ".")
    )
    if parse_finite(constant := scores.get("mae_of_training_mean")) is None:
        return lead
    mean = format_number(scores.get("training_mean"))
    return (
        f"{lead} A constant prediction of the training mean, {mean} people, has an "
        f"error of {format_number(constant)}."
    )


def _format_interval(ends):
    match ends:
        case [low, high] if None not in map(parse_finite, ends):
            return f"{format_number(low)} to {format_number(high)}"
    return ""


def render(run: RunFiles) -> Html:
    """Renders the table."""
    papers = published_results.find_table(run.config, run.scores)
    columns = papers.columns if papers else ("mae", "rmse", "psnr", "ssim")
    networks = published_results.find_networks(run.config)
    rows = [_render_row("This run", _collect_scores(run, columns), columns, "ours")]
    if (error := run.scores.get("mae_of_training_mean")) is not None:
        rows.append(_render_row("Constant training mean", {"mae": error}, columns))
    for row in papers.rows if papers else ():
        scores = dict(zip(columns, row.scores, strict=True))
        kind = "same" if row.networks and row.networks == networks else None
        more = row.evidence, row.note
        rows.append(_render_row(row.method, scores, columns, kind, *more))
    names = ["", *(TITLES[name] for name in columns), "evidence"]
    titles = map(html_table.render_title, names)
    note = tag("p", published_results.EVIDENCE, class_="soft") if papers else None
    return tag(
        "div",
        tag("p", _describe_papers(papers, networks)),
        html_table.render_table("Results", titles, rows, kind="results", class_="box"),
        _render_more(run.scores),
        note,
    )


def _describe_papers(papers, networks):
    if papers is None:
        return "CP-CNN's paper has no results on these images."
    title = f"Published results: {papers.title}. "
    if any(row.networks == networks for row in papers.rows if row.networks):
        return title + "The marked row has the networks of this run."
    return title + "The paper has no row with exactly the networks of this run."


def _collect_scores(run, columns):
    """Collects the run's scores, with those of scenes under the names of columns."""
    scores = dict(run.scores)
    if isinstance(scenes := scores.get("mae_per_scene"), dict):
        in_order = [scenes[name] for name in sorted(scenes)]
        scores |= dict(zip(published_results.SCENES, in_order, strict=False))
        if "rmse" not in columns:
            scores["mae"] = scores.get("mae_of_scenes", scores.get("mae"))
    return scores


def _render_row(method, scores, columns, kind=None, evidence="measured", note=""):
    return tag(
        "tr",
        tag("th", method, scope="row"),
        *(_render_score(scores, name) for name in columns),
        tag("td", evidence, tag("small", note) if note else None, class_="evidence"),
        class_=kind,
    )


def _render_score(scores, name):
    interval = _format_interval(scores.get(f"{name}_interval"))
    small = tag("small", f"95%: {interval}") if interval else None
    return tag("td", format_number(scores.get(name), DIGITS.get(name, 1)), small)


def _render_more(scores):
    known = [
        f"{title} {format_number(scores[name], digits)}"
        for name, (title, digits) in MORE.items()
        if parse_finite(scores.get(name)) is not None
    ]
    if isinstance(heads := scores.get("localization"), dict):
        precision, recall, f1 = (
            format_number(heads.get(name), 3) for name in ("precision", "recall", "f1")
        )
        known.append(
            f"heads as points within {format_number(heads.get('radius'), 0)} pixels: "
            f"precision {precision}, recall {recall}, F1 {f1}"
        )
    return tag("p", "Also: " + ", ".join(known) + ".") if known else None
