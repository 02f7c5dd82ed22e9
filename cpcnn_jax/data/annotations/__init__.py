"""Head points from the annotation files of common labeling tools.

The content of a file determines its format, not its name. A shape without a definite
center (a polygon, a line, a mask) is an error: dropping it would change the count.
"""

import json
from pathlib import Path, PureWindowsPath

from cpcnn_jax.data.annotations import coco, csv_points, cvat, dot_map, labelme, via
from cpcnn_jax.data.annotations.heads import SUPPORTED, HeadsByImage

_JSON_READERS = (
    (labelme.is_labelme, labelme.read),
    (coco.is_coco, coco.read),
    (via.is_via, via.read),
)


def read(path: Path) -> HeadsByImage:
    """Reads an annotation file of any supported format.

    Returns:
      The heads of every listed image, by its name without folders and suffix.

    Raises:
      ValueError: unsupported format, damaged file, or a shape without a center.
    """
    try:
        return _index_by_stem(_read_format(path.read_bytes(), path.name))
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error})."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {str(error).removesuffix('.')}.") from error


def _index_by_stem(heads_by_name):
    by_stem = {}
    for name, heads in heads_by_name.items():
        stem = PureWindowsPath(name).stem
        if stem in by_stem:
            raise ValueError(f"it lists two images named {stem}")
        by_stem[stem] = heads
    return by_stem


def _read_format(data, name):
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
        raise ValueError(f"it is not valid JSON ({error})") from None
    for accepts, read_tree in _JSON_READERS:
        if isinstance(tree, dict) and accepts(tree):
            return read_tree(tree)
    raise ValueError(f"this JSON is of no supported tool; {SUPPORTED}")
