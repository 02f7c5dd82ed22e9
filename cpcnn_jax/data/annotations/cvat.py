"""Head points from CVAT's XML "CVAT for images 1.1".

Heads are the points, and the centers of boxes and ellipses; tags are ignored. A DOCTYPE
is an error, so that no entity is expanded and no file is fetched. CVAT displays the
upright image of EXIF since version 2.2, and the stored pixels before; the file does not
state the version.
"""

from xml.parsers import expat

from cpcnn_jax.data.annotations.heads import (
    SUPPORTED,
    HeadsByImage,
    index_unique,
    make_heads,
)

_UNSUPPORTED = ("polygon", "polyline", "mask", "cuboid", "skeleton")


def read(data: bytes) -> HeadsByImage:
    """Reads the head points of every image from the content of a file.

    Raises:
      ValueError: invalid XML, a DOCTYPE, another XML, or a shape without a center.
    """
    path: list[str] = []  # the open elements
    images: list[tuple[dict, list, list]] = []  # (attributes, points, labels)

    def start(element, attributes):
        path.append(element)
        if path == ["annotations", "track"]:
            raise ValueError("it is 'CVAT for video': export 'CVAT for images'")
        if path == ["annotations", "image"]:
            images.append((attributes, [], []))
        elif path[:2] == ["annotations", "image"] and len(path) == 3:
            image, points, labels = images[-1]
            new = _head_points(image["name"], element, attributes)
            points += new
            labels += [attributes.get("label")] * len(new)

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _raise_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: path.pop()
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ValueError(f"it is not valid XML ({error})") from None
    if not images:
        raise ValueError(f"this XML holds no <image>; {SUPPORTED}")
    index_unique([image for image, *_ in images], "name", "images")
    return {
        image["name"]: make_heads(points, _size(image), None, labels)
        for image, points, labels in images
    }


def _raise_doctype(*_):
    raise ValueError("its XML has a DOCTYPE, which is not supported")


def _size(image):
    return int(image["width"]), int(image["height"])


def _head_points(name, shape, attributes):
    if shape in _UNSUPPORTED:
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
