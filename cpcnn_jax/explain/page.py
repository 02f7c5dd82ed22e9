"""The explanation as one HTML page without network access.

The page recomputes the explanation in JavaScript when the user changes a value.
"""

import json
from typing import Any

from cpcnn_jax.explain import captions, code_samples
from cpcnn_jax.explain.animations import ANIMATIONS
from cpcnn_jax.explain.explanation import Explanation
from cpcnn_jax.io import html as html_io
from cpcnn_jax.layers.arithmetic import Layer

PARTS = (
    *("page.css", "arithmetic.js", "captions.js", "stage.js", "sliders.js"),
    *("tables.js", "page.js"),
)
MAX_CELLS = 1024  # of the output


def render_page(e: Explanation) -> str:
    """Renders the HTML document, which opens on the layer of an explanation.

    Raises:
        ValueError: the output has more than MAX_CELLS cells.
    """
    if e.output.size > MAX_CELLS:
        raise ValueError(
            f"got an output of {captions.format_size(*e.output.shape)} cells, expected "
            f"at most {MAX_CELLS} on a page; take a smaller input or stride"
        )
    parts = {part: html_io.read_part(__package__, part) for part in PARTS}
    # "<\/" in a JSON string means "</" and cannot close the script.
    parts["given"] = json.dumps(_collect_data(e)).replace("</", "<\\/")
    parts["theme.css"] = html_io.read_part("cpcnn_jax.io", "theme.css")
    return html_io.fill_template(html_io.read_part(__package__, "page.html"), parts)


def _collect_data(e: Explanation) -> dict[str, Any]:
    return {
        "start": {
            "x": e.x.tolist(),
            "kernel": e.kernel.tolist(),
            "layers": [_convert_layer(z) for z in e.layers],
        },
        "animations": {
            name: {"size": [i, i], "layers": [_convert_layer(layer)] * 2}
            for name, (i, layer) in ANIMATIONS.items()
        },
        "maxCells": MAX_CELLS,
        "formulas": captions.FORMULAS,
        "calls": code_samples.TEMPLATES,
        "credit": captions.CREDIT,
    }


def _convert_layer(layer: Layer) -> dict[str, Any]:
    return {**layer._asdict(), "p": list(layer.pads)}
