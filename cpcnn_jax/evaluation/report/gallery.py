"""The best, the median and the worst photographs with their maps, put into the page."""

import base64
import io

from PIL import Image

from cpcnn_jax.evaluation.report import scatter
from cpcnn_jax.io.html import tag

MOST = 12  # pictures in a page, so that it stays under a few megabytes
WIDTH = 1200  # pixels


def chosen(pictures):
    """Which pictures a page shows: at most `MOST`, evenly over those that there are.

    Args:
      pictures: dict of rank to file, as in `run_files.RunFiles`.

    Returns:
      A list of ranks; the first and the last are always among them.

    Example:
      >>> chosen({rank: None for rank in range(1, 24)})
      [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23]
    """
    ranks = sorted(pictures)
    if len(ranks) <= MOST:
        return ranks
    return [ranks[round(n * (len(ranks) - 1) / (MOST - 1))] for n in range(MOST)]


def section(run):
    """The pictures.

    Args:
      run: `run_files.RunFiles`.

    Returns:
      (Html, the ranks that it shows); a sentence where there is no picture.
    """
    shown = {rank: jpeg(run.pictures[rank]) for rank in chosen(run.pictures)}
    shown = {rank: data for rank, data in shown.items() if data}
    if not shown:
        words = (
            "The folder has no pictures of these predictions that can be read; "
            "--mode=evaluate draws them."
        )
        return tag("p", words), shown.keys()
    titles = _titles(shown.keys(), len(run.photographs))
    figures = {
        rank: _figure(rank, titles.get(rank), run.photographs[rank - 1], *data)
        for rank, data in shown.items()
    }
    named = [figures[rank] for rank in shown if rank in titles]
    others = [figures[rank] for rank in shown if rank not in titles]
    pairs = tag("div", *others, class_="others") if others else None
    return tag("div", *named, pairs, id="pictures"), shown.keys()


def _titles(ranks, number):
    """Words for the best, the median and the worst of those that are shown."""
    middle = (number + 1) / 2
    median = min(ranks, key=lambda rank: abs(rank - middle))
    near = "Median" if abs(median - middle) < 1 else "Nearest to the median"
    return {median: near, 1: "Best count"} | (
        {number: "Worst count"} if number > 1 else {}
    )


def _figure(rank, title, photograph, data, size):
    words = scatter.told(photograph)
    return tag(
        "figure",
        tag("figcaption", tag("strong", title or f"Rank {rank}"), " ", words),
        tag(
            "img",
            src=f"data:image/jpeg;base64,{data}",
            alt=f"Photograph, true map and estimated map of {words}",
            width=size[0],
            height=size[1],
        ),
        id=f"picture-{rank}",
        data_level=photograph.level,
        tabindex=-1,
    )


def jpeg(file):
    """A picture at the page's width.

    Args:
      file: of an image.

    Returns:
      (base64 of a JPEG, its size (width, height)); None where it cannot be read.
    """
    try:
        with Image.open(file) as image:
            picture = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    picture.thumbnail((WIDTH, 4 * WIDTH), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=82, optimize=True)
    return base64.b64encode(data.getvalue()).decode(), picture.size
