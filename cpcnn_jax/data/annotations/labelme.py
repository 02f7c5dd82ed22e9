"""Head points from LabelMe's JSON, one file per image.

The reader takes the shapes point, rectangle (its center) and circle (its center).
LabelMe displays the upright image (EXIF orientation applied) and states its size.
"""

from typing import Any

from cpcnn_jax.data.annotations import heads as heads_lib


def is_labelme(tree: dict[str, Any]) -> bool:
    """Whether parsed JSON has LabelMe's structure."""
    return "shapes" in tree and "imagePath" in tree


def read(tree: dict[str, Any]) -> dict[str, heads_lib.Heads]:
    """Reads the head points of one image from parsed JSON.

    Returns:
      {image name: `heads.Heads`}.

    Raises:
      ValueError: a shape without a center.
    """
    width, height = tree.get("imageWidth"), tree.get("imageHeight")
    size = (width, height) if width and height else None
    points = [_head_point(n, shape) for n, shape in enumerate(tree["shapes"], 1)]
    return {tree["imagePath"]: heads_lib.make_heads(points, size)}


def _head_point(number, shape):
    kind, points = shape.get("shape_type", "polygon"), shape["points"]
    match kind, len(points):
        case ("point", 1) | ("circle", 2):  # a circle's points are its center and edge
            return points[0]
        case "rectangle", 2 | 4:
            return heads_lib.box_center(points)
    raise ValueError(
        f"shape {number} is a {kind} of {len(points)} points; heads are points, "
        "rectangles or circles"
    )
