"""The explanation as one HTML page that needs no network.

page.html holds the structure; the style and the scripts beside it are put into it.
The page computes again, in its own JavaScript, whatever its reader changes.
"""

import json

from cpcnn_jax.explain import captions, code_samples
from cpcnn_jax.explain.animations import ANIMATIONS
from cpcnn_jax.explain.explanation import Explanation
from cpcnn_jax.io import html as html_io
from cpcnn_jax.layers.arithmetic import Layer

PARTS = (
    "page.css",
    "arithmetic.js",
    "captions.js",
    "stage.js",
    "sliders.js",
    "tables.js",
    "page.js",
)
MAX_CELLS = 1024  # of the output


def render(e: Explanation) -> str:
    """Write the page, which opens on the layer and the numbers of an explanation.

    Args:
        e: the explanation.

    Returns:
        The whole HTML document.

    Raises:
        ValueError: the output has more cells than a page can hold.
    """
    if e.output.size > MAX_CELLS:
        raise ValueError(
            f"got an output of {captions.by(*e.output.shape)} cells, expected at most "
            f"{MAX_CELLS} on a page; take a smaller input or stride"
        )
    parts = {part: html_io.read_part("cpcnn_jax.explain", part) for part in PARTS}
    # "<\/" in a JSON string means "</" and cannot close the script.
    parts["given"] = json.dumps(_given(e)).replace("</", "<\\/")
    parts["theme.css"] = html_io.read_part("cpcnn_jax.io", "theme.css")
    return html_io.fill_template(
        html_io.read_part("cpcnn_jax.explain", "page.html"), parts
    )


def _given(e: Explanation) -> dict:
    """What the page's script is given."""
    return {
        "start": {
            "x": e.x.tolist(),
            "kernel": e.kernel.tolist(),
            "layers": [_layer(z) for z in e.layers],
        },
        "animations": {
            name: {"size": [i, i], "layers": [_layer(layer)] * 2}
            for name, (i, layer) in ANIMATIONS.items()
        },
        "maxCells": MAX_CELLS,
        "formulas": captions.FORMULAS,
        "calls": code_samples.TEMPLATES,
        "credit": captions.CREDIT,
    }


def _layer(layer: Layer) -> dict:
    """One axis, its padding as a pair."""
    return {**layer._asdict(), "p": list(layer.pads)}
