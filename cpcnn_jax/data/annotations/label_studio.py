"""Head points from Label Studio's JSON, the export named "JSON".

Heads are the key points, and the centers of rectangles and ellipses. A task without
annotation is not labeled, so its image has no annotation. The browser decides whether
Label Studio displays the stored pixels or the upright image of EXIF.
"""

import math
import re
from pathlib import PurePosixPath
from typing import Any
from urllib import parse

from cpcnn_jax.data.annotations.heads import IMAGE_SUFFIXES, HeadsByImage, make_heads

SHAPES = ("keypoint", "rectangle", "ellipse")
_WITHOUT_PLACE = (
    *("choices", "textarea", "number", "rating", "taxonomy", "labels", "relation"),
    *("datetime", "pairwise"),
)
_UPLOAD = re.compile(r"^/?(?:data/)?upload/(?:\d+/)?(?=[0-9a-f]{8}-[^/]*$)")


def is_label_studio(tree: Any) -> bool:
    """Whether parsed JSON has Label Studio's structure."""
    return isinstance(tree, list) and all(
        isinstance(task, dict) and "data" in task and "annotations" in task
        for task in tree
    )


def read(tree: list[dict[str, Any]]) -> HeadsByImage:
    """Reads the head points of every labeled task of parsed JSON.

    Raises:
      ValueError: an image listed twice, two annotations of one image, an image that was
        rotated in Label Studio, or a shape without a center.
    """
    heads: HeadsByImage = {}
    for task in tree:
        done = [a for a in task["annotations"] if not a.get("was_cancelled")]
        name = _image_path(task["data"])
        if len(done) > 1:
            raise ValueError(f"{name} has {len(done)} annotations: export one of them")
        if name in heads:
            raise ValueError(f"it lists two images named {name}")
        if done:
            shapes = [s for s in done[0]["result"] if s["type"] not in _WITHOUT_PLACE]
            points = [_head_point(name, shape) for shape in shapes]
            sizes = {(s["original_width"], s["original_height"]) for s in shapes}
            size = sizes.pop() if len(sizes) == 1 else None
            heads[name] = make_heads(points, size, None, [*map(_label, shapes)])
    return heads


def _image_path(data):
    """The path of the image, from its address in Label Studio.

    The name of an upload keeps the eight digits that Label Studio put before it.
    """
    texts = [text for text in data.values() if isinstance(text, str)]
    paths = [*map(_address_path, texts)]
    images = [path for path in paths if path.lower().endswith(IMAGE_SUFFIXES)] or paths
    if isinstance(data.get("image"), str):
        images = [_address_path(data["image"])]
    if len(images) != 1:
        raise ValueError(f"one image is expected in the data of a task, got {texts}")
    return images[0]


def _address_path(address):
    url = parse.urlsplit(address)
    local = parse.parse_qs(url.query).get("d")  # of /data/local-files/?d=PATH
    path = local[0] if local else str(PurePosixPath(parse.unquote(url.path)))
    return path if local else _UPLOAD.sub("", path)


def _label(shape):
    return next(iter(shape["value"].get(shape["type"], [])), None)


def _head_point(name, shape):
    value, kind = shape["value"], shape["type"].removesuffix("labels")
    if kind not in SHAPES:
        raise ValueError(
            f"{name} has a {kind}; heads are key points, rectangles or ellipses"
        )
    if shape.get("image_rotation"):
        raise ValueError(f"{name} was rotated in Label Studio: mark it unrotated")
    width, height = shape["original_width"], shape["original_height"]
    x, y = value["x"] * width / 100, value["y"] * height / 100  # of percent
    if kind == "rectangle":  # rotated about its corner (x, y)
        angle = math.radians(value.get("rotation") or 0)
        a, b = value["width"] * width / 200, value["height"] * height / 200
        x += a * math.cos(angle) - b * math.sin(angle)
        y += a * math.sin(angle) + b * math.cos(angle)
    return x, y
