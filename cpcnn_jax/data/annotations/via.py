"""Heads from VGG Image Annotator 2: the exported annotations or a saved project, JSON.

Read are its shapes point, circle, ellipse and rect, of the last three the centres.
"""

from cpcnn_jax.data.annotations import heads as heads_lib


def is_via(tree):
    """Whether parsed JSON is VIA's."""
    files = _files(tree).values()
    return all(
        isinstance(f, dict) and "filename" in f and "regions" in f for f in files
    )


def read(tree):
    """Reads the heads.

    Args:
      tree: the parsed JSON.

    Returns:
      {photograph's name: `heads.Heads`}.

    Raises:
      ValueError: a shape that is no head.
    """
    found = {}
    for file in _files(tree).values():
        regions, name = file["regions"], file["filename"]
        if name in found:
            raise ValueError(f"it speaks of two files {name}")
        if isinstance(regions, dict):  # VIA 1
            regions = regions.values()
        points = [_head(name, region["shape_attributes"]) for region in regions]
        found[name] = heads_lib.make_heads(points)
    return found


def _files(tree):
    return tree.get("_via_img_metadata", tree)


def _head(name, shape):
    match shape["name"]:
        case "point" | "circle" | "ellipse":
            return shape["cx"], shape["cy"]
        case "rect":
            return shape["x"] + shape["width"] / 2, shape["y"] + shape["height"] / 2
    raise ValueError(
        f"{name} has a {shape['name']}; heads are points, circles, ellipses or rects"
    )
