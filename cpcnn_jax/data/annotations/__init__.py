"""Head points from the annotation files of common labeling tools.

The content of a file determines its format, not its name. A shape without a definite
center (a polygon, a line, a mask) is an error: dropping it would change the count.
"""

import collections
import json
from pathlib import Path

from cpcnn_jax.data.annotations import (
    coco,
    csv_points,
    cvat,
    dot_map,
    label_studio,
    labelme,
    via,
)
from cpcnn_jax.data.annotations.heads import SUPPORTED, HeadsByImage

_JSON_READERS = (
    (labelme.is_labelme, labelme.read),
    (coco.is_coco, coco.read),
    (label_studio.is_label_studio, label_studio.read),
    (via.is_via, via.read),
)


def read(path: Path) -> HeadsByImage:
    """Reads an annotation file of any supported format.

    Returns:
      The heads of every listed image, by its path as the file states it, with "/".

    Raises:
      ValueError: unsupported format, damaged file, an image listed twice, or a shape
        without a center.
    """
    try:
        return _normalize_paths(_read_format(path.read_bytes(), path.name))
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error})."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {str(error).removesuffix('.')}.") from error


def _normalize_paths(heads_by_name):
    heads = {}
    for name, value in heads_by_name.items():
        path = name.replace("\\", "/")
        if path in heads:
            raise ValueError(f"it lists two images named {path}")
        heads[path] = value
    return heads


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
        tree = json.loads(data, object_pairs_hook=_unique_keys)
    except ValueError as error:
        raise ValueError(f"it is not valid JSON ({error})") from None
    for accepts, read_tree in _JSON_READERS:
        if accepts(tree):
            return read_tree(tree)
    raise ValueError(f"this JSON is of no supported tool; {SUPPORTED}")


def _unique_keys(pairs):
    """A dict of the pairs; of two equal keys, Python would keep the last."""
    tree = dict(pairs)
    if len(tree) < len(pairs):
        keys = collections.Counter(key for key, _ in pairs)
        raise ValueError(f"the key {keys.most_common(1)[0][0]!r} stands twice")
    return tree
