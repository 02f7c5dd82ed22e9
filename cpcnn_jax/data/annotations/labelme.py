"""Head points from LabelMe's JSON, one file per image.

Heads are the points, and the centers of rectangles and circles. LabelMe displays the
upright image (EXIF orientation applied) and states its size. Its path of the image
starts at the folder of the file.
"""

from typing import Any

import numpy as np

from cpcnn_jax.data.annotations.heads import HeadsByImage, make_heads


def is_labelme(tree: Any) -> bool:
    """Whether parsed JSON has LabelMe's structure."""
    return isinstance(tree, dict) and "shapes" in tree and "imagePath" in tree


def read(tree: dict[str, Any]) -> HeadsByImage:
    """Reads the head points of one image from parsed JSON.

    Raises:
      ValueError: a shape without a center.
    """
    size = tree.get("imageWidth"), tree.get("imageHeight")
    points = [_head_point(n, shape) for n, shape in enumerate(tree["shapes"], 1)]
    labels = [shape.get("label") for shape in tree["shapes"]]
    return {"./" + tree["imagePath"]: make_heads(points, size, True, labels)}


def _head_point(number, shape):
    kind, points = shape.get("shape_type", "polygon"), shape["points"]
    match kind, len(points):
        case ("point", 1) | ("circle", 2):  # a circle's points are its center and edge
            return points[0]
        case "rectangle", 2 | 4:
            corners = np.array(points, np.float64)
            return (corners.min(axis=0) + corners.max(axis=0)) / 2
    raise ValueError(
        f"shape {number} is a {kind} of {len(points)} points; heads are points, "
        "rectangles or circles"
    )
