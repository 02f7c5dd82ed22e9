"""The explanation as one HTML page without network access.

The page recomputes the explanation in JavaScript when the user changes a value.
"""

import json
from typing import Any

from cpcnn_jax.explain import (
    captions,
    code_samples,
    released_layer_pictures,
    trained_kernel,
)
from cpcnn_jax.explain.animations import ANIMATIONS
from cpcnn_jax.explain.explanation import Explanation
from cpcnn_jax.explain.released_layer_pictures import NetworkPictures
from cpcnn_jax.io import html as html_io
from cpcnn_jax.layers.arithmetic import Layer
from cpcnn_jax.weights import pretrained

PARTS = (
    *("page.css", "print.css", "tour.html", "arithmetic.js", "captions.js"),
    *("stage.js", "sliders.js", "link.js", "tour.js", "tables.js", "page.js"),
    *("picture.js", "events.js"),
)
MAX_CELLS = 1024  # of the output
# The kernel with the largest weights of the released network's first T.
TRAINED_LAYER, TRAINED_CHANNELS = "fcnn/t1", (14, 16)


def render_page(e: Explanation, pictures: NetworkPictures | None = None) -> str:
    """Renders the HTML document, which opens on the layer of an explanation.

    Args:
        e: the explanation.
        pictures: the released network at work; None: on a drawn crowd.

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
    pictures = pictures or released_layer_pictures.load_bundled()
    parts |= released_layer_pictures.encode_pictures(pictures)
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
        "trained": _read_trained_kernel(),
        "maxCells": MAX_CELLS,
        "formulas": captions.FORMULAS,
        "calls": code_samples.TEMPLATES,
        "credit": captions.CREDIT,
    }


def _read_trained_kernel() -> dict[str, Any]:
    """Reads one kernel of the first T of F-CNN in the released network."""
    file = pretrained.find_weights(pretrained.DEFAULT)
    kernel = trained_kernel.read_kernel(file, TRAINED_LAYER, TRAINED_CHANNELS)
    return {"kernel": kernel.round(3).tolist()}


def _convert_layer(layer: Layer) -> dict[str, Any]:
    return {**layer._asdict(), "p": list(layer.pads)}
