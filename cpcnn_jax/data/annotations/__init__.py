"""Head points that people mark with a tool, read from the file that the tool writes.

Which format a file is in is seen from what it holds, not from its name:

    CSV        columns x and y and, for several photographs, image; `table`
    LabelMe    its JSON, one file a photograph; `labelme`
    COCO       JSON of keypoints or boxes; `coco`
    VIA        JSON of VGG Image Annotator 2, annotations or a project; `via`
    CVAT       XML "CVAT for images 1.1"; its JSON is COCO's; `cvat`
    dots       a PNG as large as the photograph, black but for the heads; `dots`

A head is a point or the centre of a box, a circle or an ellipse. A shape that has no
certain centre (a polygon, a line, a mask) is refused, so that nobody is lost unsaid.
"""

import json
from pathlib import PureWindowsPath

from cpcnn_jax.data.annotations import coco, csv_points, cvat, dot_map, labelme, via
from cpcnn_jax.data.annotations import heads as heads_lib


def read(path):
    """Reads a file of annotations in any format that is understood.

    Args:
      path: the file.

    Returns:
      {photograph's name, without folders and suffix: `heads.Heads`}; a photograph that
      the file does not speak of is not in it.

    Raises:
      ValueError: another format, a damaged file, or a shape that is no head.
    """
    try:
        return _by_stem(_read(path.read_bytes(), path.name))
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error})."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {str(error).removesuffix('.')}.") from error


def _by_stem(found):
    """The heads by the photographs' names without folders and suffixes."""
    named = {}
    for name, heads in found.items():
        stem = PureWindowsPath(name).stem
        if stem in named:
            raise ValueError(f"it speaks of two photographs {stem}")
        named[stem] = heads
    return named


def _read(data, name):
    match data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]:
        case b"\x89":
            return dot_map.read(data, name)
        case b"<":
            return cvat.read(data)
        case b"{" | b"[":
            return _read_json(data)
    return csv_points.read(data, name)


def _read_json(data):
    try:
        tree = json.loads(data)
    except ValueError as error:
        raise ValueError(f"it is not whole JSON ({error})") from None
    for module in (labelme, coco, via):
        if isinstance(tree, dict) and module.understands(tree):
            return module.read(tree)
    raise ValueError(f"this JSON is of no known tool; {heads_lib.UNDERSTOOD}")
