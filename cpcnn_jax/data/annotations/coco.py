"""Head points from COCO's JSON: keypoints of an annotation, or the center of its box.

The head of a skeleton is the mean of its labeled keypoints (v > 0). Where the category
names keypoints head, nose, eye or ear, only those are used. An annotation without
labeled keypoints yields the center of its box.
"""

from typing import Any

import numpy as np

from cpcnn_jax.data.annotations.heads import HeadsByImage, make_heads

HEAD_KEYPOINTS = ("head", "nose", "eye", "ear")  # parts of keypoint names


def is_coco(tree: dict[str, Any]) -> bool:
    """Whether parsed JSON has COCO's structure."""
    return isinstance(tree.get("images"), list) and "annotations" in tree


def read(tree: dict[str, Any]) -> HeadsByImage:
    """Reads the head points of every image in "images" of parsed JSON.

    Raises:
      ValueError: an annotation of an unlisted image, of a group, or without a place.
    """
    names = {kind["id"]: kind.get("keypoints", []) for kind in tree["categories"]}
    points: dict[Any, list] = {image["id"]: [] for image in tree["images"]}
    for annotation in tree["annotations"]:
        image = annotation["image_id"]
        if image not in points:
            raise ValueError(f"{_label(annotation)} is of no image listed: {image}")
        points[image].append(_head_point(annotation, names))
    heads: HeadsByImage = {}
    for image in tree["images"]:
        if image["file_name"] in heads:
            raise ValueError("two of its images have one file_name")
        size = image.get("width"), image.get("height")
        heads[image["file_name"]] = make_heads(points[image["id"]], size)
    return heads


def _label(annotation):
    return f"annotation {annotation.get('id')}"


def _head_point(annotation, names):
    if annotation.get("iscrowd"):
        raise ValueError(f"{_label(annotation)} is a group (iscrowd), not one head")
    keypoints = np.array(annotation.get("keypoints", []), float).reshape(-1, 3)
    keypoint_names = names.get(annotation.get("category_id"), [])
    of_head = [
        any(p in name.lower() for p in HEAD_KEYPOINTS) for name in keypoint_names
    ]
    if any(of_head) and len(keypoints):
        keypoints = keypoints[np.flatnonzero(of_head)]
    if (labeled := keypoints[:, 2] > 0).any():
        return tuple(keypoints[labeled, :2].mean(axis=0))
    if len(annotation.get("bbox", [])) != 4:
        raise ValueError(f"{_label(annotation)} has no labeled keypoint and no bbox")
    x, y, width, height = annotation["bbox"]
    return x + width / 2, y + height / 2
