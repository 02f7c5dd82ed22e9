"""The page: one HTML document that asks this server for counts, and nobody for more."""

import base64
import hashlib

from cpcnn_jax.inference import counter
from cpcnn_jax.io import html as html_io
from cpcnn_jax.io.html import tag
from cpcnn_jax.serve import examples
from cpcnn_jax.weights import pretrained

SCRIPTS = ("density.js", "regions.js", "picture.js", "page.js")


def _script():
    parts = [html_io.read_part(__package__, name) for name in SCRIPTS]
    return "\n".join(['"use strict";', *parts])


def _headers():
    """The page's policy: its own script alone, and this server alone."""
    digest = hashlib.sha256(_script().encode()).digest()
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; connect-src 'self'; img-src 'self' blob: data:; "
        "style-src 'unsafe-inline'; "
        f"script-src 'sha256-{base64.b64encode(digest).decode()}'"
    )
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
    }


HEADERS = _headers()


def render(weights):
    """Write the page.

    Args:
      weights: what the networks' weights are called.

    Returns:
      The whole HTML document, a str.
    """
    parts = {
        "weights": tag("code", weights),
        "caution": html_io.join([_caution(weights)]),
        "examples": html_io.join(
            _example(number, len(points))
            for number, points in enumerate(examples.source().points)
        ),
        "theme.css": html_io.read_part("cpcnn_jax.io", "theme.css"),
        "page.css": html_io.read_part(__package__, "page.css"),
        "script": _script(),
    }
    return html_io.fill_template(html_io.read_part(__package__, "page.html"), parts)


def _caution(weights):
    if str(weights) == counter.DEMO:
        return (
            "These networks are small and have seen only generated crowds: their "
            "counts of real photographs show how it works, not how many there are."
        )
    if str(weights) in pretrained.RELEASES:
        return (
            "These networks have been trained on photographs: of the generated crowds "
            "above they see too few."
        )
    return "How well these networks count depends on what they have been trained on."


def _example(number, people):
    picture = tag("img", src=f"examples/{number}.jpg", alt="", width=640, height=480)
    words = tag("span", f"{people} people")
    return tag("button", picture, words, type="button", data_example=number)
