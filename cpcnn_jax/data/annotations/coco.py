"""Head points from COCO's JSON: keypoints of an annotation, or the center of its box.

The head of a skeleton is the mean of its labeled keypoints (v > 0). Where the category
names keypoints head, nose, eye or ear, only those are used. An annotation without
labeled keypoints yields the center of its box. Categories may be missing. The file does
not state its tool, so the points may be on the stored pixels or on the upright image.
"""

from typing import Any

import numpy as np

from cpcnn_jax.data.annotations.heads import (
    HeadsByImage,
    index_unique,
    make_heads,
    normalize_id,
)

HEAD_KEYPOINTS = ("head", "nose", "eye", "ear")  # parts of keypoint names


def is_coco(tree: Any) -> bool:
    """Whether parsed JSON has COCO's structure."""
    listed = isinstance(tree, dict) and isinstance(tree.get("images"), list)
    return listed and "annotations" in tree


def read(tree: dict[str, Any]) -> HeadsByImage:
    """Reads the head points of every image in "images" of parsed JSON.

    Raises:
      ValueError: two images or two categories of one id, two images of one name, or an
        annotation of an unlisted image, of a group, or without a place.
    """
    categories = index_unique(tree.get("categories") or [], "id", "categories")
    images = index_unique(tree["images"], "id", "images")
    index_unique(tree["images"], "file_name", "images")
    points: dict[str, list] = {image: [] for image in images}
    labels: dict[str, list] = {image: [] for image in images}
    for annotation in tree["annotations"]:
        image = normalize_id(annotation["image_id"])
        if image not in points:
            raise ValueError(f"{_label(annotation)} is of no image listed: {image}")
        kind = annotation.get("category_id")
        category = {} if kind is None else categories.get(normalize_id(kind), {})
        points[image].append(_head_point(annotation, category.get("keypoints") or []))
        labels[image].append(category.get("name"))
    return {
        image["file_name"]: make_heads(
            points[key], (image.get("width"), image.get("height")), None, labels[key]
        )
        for key, image in images.items()
    }


def _label(annotation):
    return f"annotation {annotation.get('id')}"


def _head_point(annotation, keypoint_names):
    if int(annotation.get("iscrowd") or 0):
        raise ValueError(f"{_label(annotation)} is a group (iscrowd), not one head")
    keypoints = np.array(annotation.get("keypoints") or [], float).reshape(-1, 3)
    of_head = [
        any(p in name.lower() for p in HEAD_KEYPOINTS) for name in keypoint_names
    ]
    if any(of_head) and len(keypoints):
        keypoints = keypoints[np.flatnonzero(of_head)]
    if (labeled := keypoints[:, 2] > 0).any():
        return tuple(keypoints[labeled, :2].mean(axis=0))
    box = annotation.get("bbox") or []
    if len(box) != 4:
        raise ValueError(f"{_label(annotation)} has no labeled keypoint and no bbox")
    x, y, width, height = map(float, box)
    return x + width / 2, y + height / 2
