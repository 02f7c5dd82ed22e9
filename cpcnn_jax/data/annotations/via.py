"""Head points from VGG Image Annotator 2: JSON of annotations or of a saved project.

Heads are the points, and the centers of circles, ellipses and rects. The browser
decides whether VIA displays the stored pixels or the upright image of EXIF.
"""

from typing import Any

from cpcnn_jax.data.annotations.heads import HeadsByImage, make_heads

LABELS = ("label", "class", "name", "type")  # region attributes that name a label


def is_via(tree: Any) -> bool:
    """Whether parsed JSON has VIA's structure."""
    return isinstance(tree, dict) and all(
        isinstance(f, dict) and "filename" in f and "regions" in f
        for f in _files(tree).values()
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
        labels = [_find_label(region) for region in regions]
        heads[name] = make_heads(points, labels=labels)
    return heads


def _find_label(region):
    attributes = region.get("region_attributes") or {}
    return next((attributes[key] for key in LABELS if key in attributes), None)


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
