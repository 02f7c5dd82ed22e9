"""HTML page that requests counts from its own server only."""

import html
import importlib.util

from cpcnn_jax.io import video as video_io
from cpcnn_jax.io.html import fill_template, join, read_part, script_hash, tag
from cpcnn_jax.serve import examples
from cpcnn_jax.serve.request_queue import Limits
from cpcnn_jax.weights.pretrained import PRETRAINED

IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
SCRIPTS = (
    *("density.js", "regions.js", "picture.js", "region_list.js", "request.js"),
    *("result.js", "video.js", "file_list.js", "batch.js", "page.js"),
)


def _read_script():
    parts = [read_part(__package__, name) for name in SCRIPTS]
    return "\n".join(['"use strict";', *parts])


def _make_headers():
    """Makes the headers, whose policy allows the page's script and server alone."""
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; connect-src 'self'; img-src 'self' blob: data:; "
        "media-src blob:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{script_hash(_read_script())}'"
    )
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
    }


HEADERS = _make_headers()


def render(weights: str, limits: Limits) -> str:
    """Renders the HTML document, which names the networks' weights."""
    videos = video_io.SUFFIXES if importlib.util.find_spec("av") else ()
    parts = {
        "max_body": str(limits.max_body),
        "max_video": str(limits.max_video),
        "videos": " ".join(videos),
        "accept": ",".join([*IMAGES, *videos, *(["video/*"] if videos else [])]),
        "or_videos": tag("span", " or videos") if videos else "",
        "video_formats": "; MP4, WebM and other videos" if videos else "",
        "weights_name": html.escape(weights),
        "weights": tag("code", weights),
        "caution": join([_describe_weights(weights)]),
        "examples": join(
            _render_example(number, len(points))
            for number, points in enumerate(examples.open_images().points)
        ),
        "theme.css": read_part("cpcnn_jax.io", "theme.css"),
        "page.css": read_part(__package__, "page.css"),
        "script": _read_script(),
    }
    return fill_template(read_part(__package__, "page.html"), parts)


def _describe_weights(weights):
    if str(weights) in PRETRAINED:
        return (
            "These networks were trained on real images. They undercount the synthetic "
            "crowds above."
        )
    return "The accuracy of these networks depends on their training images."


def _render_example(number, people):
    image = tag("img", src=f"examples/{number}.jpg", alt="", width=640, height=480)
    label = tag("span", f"{people} people")
    return tag("button", image, label, type="button", data_example=number)
