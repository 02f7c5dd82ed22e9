"""Head points from VGG Image Annotator 2: JSON of annotations or of a saved project.

Heads are the points, and the centers of circles, ellipses and rects.
"""

from typing import Any

from cpcnn_jax.data.annotations.heads import HeadsByImage, make_heads


def is_via(tree: dict[str, Any]) -> bool:
    """Whether parsed JSON has VIA's structure."""
    files = _files(tree).values()
    return all(
        isinstance(f, dict) and "filename" in f and "regions" in f for f in files
    )


def read(tree: dict[str, Any]) -> HeadsByImage:
    """Reads the head points of every image of parsed JSON.

    Raises:
      ValueError: a shape without a center, or an image listed twice.
    """
    heads = {}
    for file in _files(tree).values():
        regions, name = file["regions"], file["filename"]
        if name in heads:
            raise ValueError(f"it lists two files named {name}")
        if isinstance(regions, dict):  # VIA 1
            regions = regions.values()
        points = [_head_point(name, region["shape_attributes"]) for region in regions]
        heads[name] = make_heads(points)
    return heads


def _files(tree):
    return tree.get("_via_img_metadata", tree)


def _head_point(name, shape):
    match shape["name"]:
        case "point" | "circle" | "ellipse":
            return shape["cx"], shape["cy"]
        case "rect":
            return shape["x"] + shape["width"] / 2, shape["y"] + shape["height"] / 2
    raise ValueError(
        f"{name} has a {shape['name']}; heads are points, circles, ellipses or rects"
    )
