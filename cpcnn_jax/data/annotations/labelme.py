"""Heads from LabelMe's JSON, one file a photograph.

Read are its shapes point, rectangle (the centre) and circle (likewise). LabelMe shows a
photograph as EXIF turns it, and says of which size that is.
"""

from cpcnn_jax.data.annotations import heads as heads_lib


def is_labelme(tree):
    """Whether parsed JSON is LabelMe's."""
    return "shapes" in tree and "imagePath" in tree


def read(tree):
    """Reads the heads.

    Args:
      tree: the parsed JSON.

    Returns:
      {photograph's name: `heads.Heads`}.

    Raises:
      ValueError: a shape that is no head.
    """
    width, height = tree.get("imageWidth"), tree.get("imageHeight")
    size = (width, height) if width and height else None
    points = [_head(n, shape) for n, shape in enumerate(tree["shapes"], 1)]
    return {tree["imagePath"]: heads_lib.make_heads(points, size)}


def _head(number, shape):
    kind, points = shape.get("shape_type", "polygon"), shape["points"]
    match kind, len(points):
        case ("point", 1) | ("circle", 2):  # a circle's are its centre and its edge
            return points[0]
        case "rectangle", 2 | 4:
            return heads_lib.box_center(points)
    raise ValueError(
        f"shape {number} is a {kind} of {len(points)} points; heads are points, "
        "rectangles or circles"
    )
