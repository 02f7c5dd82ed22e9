"""Gallery of the best, the median and the worst images with their density maps."""

import base64
import io
import os
from collections.abc import Collection

import numpy as np
from PIL import Image

from cpcnn_jax.evaluation.report import scatter
from cpcnn_jax.evaluation.report.run_files import RunFiles
from cpcnn_jax.io.html import Html, tag

MAX_PICTURES = 12  # keeps a page within a few megabytes
WIDTH = 1200  # pixels


def select_ranks(ranks: Collection[int], number: int = MAX_PICTURES) -> list[int]:
    """Selects at most `number` ranks, evenly spaced from the first to the last.

    Example:
      >>> select_ranks(range(1, 24))
      [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23]
    """
    ordered = sorted(ranks)
    places = np.linspace(0, len(ordered) - 1, min(number, len(ordered)))
    return [ordered[place] for place in places.round().astype(int)]


def render(run: RunFiles) -> tuple[Html, Collection[int]]:
    """Renders the gallery, and lists its ranks."""
    encoded = {
        rank: data
        for rank in select_ranks(run.pictures)
        if (data := encode_jpeg(run.pictures[rank]))
    }
    if not encoded:
        text = "The folder has no readable pictures of these predictions"
        return tag("p", f"{text}; --mode=evaluate draws them."), ()
    titles = _title_ranks(encoded, len(run.images))
    figures = {
        rank: _render_figure(rank, titles.get(rank), run.images[rank - 1], *data)
        for rank, data in encoded.items()
    }
    in_order = sorted(figures, key=lambda rank: rank not in titles)
    shown = tag("div", *(figures[rank] for rank in in_order), id="pictures")
    return shown, encoded.keys()


def _title_ranks(ranks, number):
    """Names the best, the median and the worst of the shown ranks."""
    middle = (number + 1) / 2
    median = min(ranks, key=lambda rank: abs(rank - middle))
    title = "Median" if abs(median - middle) < 1 else "Nearest to the median"
    worst = {number: "Worst count"} if number > 1 else {}
    return {median: title, 1: "Best count"} | worst


def _render_figure(rank, title, image, data, size):
    text = scatter.describe_image(image)
    picture = tag(
        "img",
        src=f"data:image/jpeg;base64,{data}",
        alt=f"Image, true map and predicted map of {text}",
        width=size[0],
        height=size[1],
    )
    return tag(
        "figure",
        tag("figcaption", tag("strong", title or f"Rank {rank}"), " ", text),
        tag(
            *("div", picture),
            class_="wide",
            role="region",
            tabindex=0,  # it scrolls sideways on narrow screens
            aria_label=f"Picture of {image.name}",
        ),
        id=f"picture-{rank}",
        data_level=image.level,
        tabindex=-1,
    )


def encode_jpeg(file: str | os.PathLike[str]) -> tuple[str, tuple[int, int]] | None:
    """Encodes a picture as (base64 JPEG, its size); None for an unreadable file."""
    try:
        with Image.open(file) as image:
            picture = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    picture.thumbnail((WIDTH, 4 * WIDTH), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=82, optimize=True)
    return base64.b64encode(data.getvalue()).decode(), picture.size
