"""Heads from CVAT's XML "CVAT for images 1.1".

Read are its shapes points (each point is a head), box and ellipse (the centres), and
image sizes; tags are ignored. A DOCTYPE, without which there are no entities to expand
and no files to fetch, is refused.
"""

from xml.parsers import expat

from cpcnn_jax.data.annotations import heads as heads_lib

_REFUSED = ("polygon", "polyline", "mask", "cuboid", "skeleton")


def read(data):
    """Reads the heads.

    Args:
      data: the file's bytes.

    Returns:
      {photograph's name: `heads.Heads`}, with every image of the file.

    Raises:
      ValueError: not whole XML, a DOCTYPE, another XML, or a shape that is no head.
    """
    path, images = [], []  # the open elements; (attributes, points)

    def start(element, attributes):
        path.append(element)
        if path == ["annotations", "track"]:
            raise ValueError("it is 'CVAT for video': export 'CVAT for images'")
        if path == ["annotations", "image"]:
            images.append((attributes, []))
        elif path[:2] == ["annotations", "image"] and len(path) == 3:
            image, points = images[-1]
            points += _heads(image["name"], element, attributes)

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: path.pop()
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ValueError(f"it is not whole XML ({error})") from None
    if not images:
        raise ValueError(f"this XML holds no <image>; {heads_lib.UNDERSTOOD}")
    if len({image["name"] for image, _ in images}) < len(images):
        raise ValueError("two of its images have one name")
    return {i["name"]: heads_lib.make_heads(points, _size(i)) for i, points in images}


def _refuse_doctype(*_):
    raise ValueError("its XML has a DOCTYPE, which no annotation needs: refused")


def _size(image):
    return int(image["width"]), int(image["height"])


def _heads(name, shape, attributes):
    if shape in _REFUSED:
        raise ValueError(
            f"{name} has a {shape}; heads are points, boxes or ellipses in CVAT"
        )
    match shape:
        case "points":
            return [p.split(",") for p in attributes["points"].split(";")]
        case "box":
            x = (float(attributes["xtl"]) + float(attributes["xbr"])) / 2
            y = (float(attributes["ytl"]) + float(attributes["ybr"])) / 2
            return [(x, y)]
        case "ellipse":
            return [(attributes["cx"], attributes["cy"])]
    return []
