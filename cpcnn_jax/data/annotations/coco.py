"""Heads from COCO's JSON: keypoints where an annotation has them, else boxes.

The head of a skeleton is the mean of its labelled keypoints (v > 0); of those only that
are called head, nose, eye or ear where the category calls any so. An annotation without
labelled keypoints is the centre of its box.
"""

import numpy as np

from cpcnn_jax.data.annotations import heads as heads_lib

HEAD = ("head", "nose", "eye", "ear")  # words in the names of a head's keypoints


def is_coco(tree):
    """Whether parsed JSON is COCO's."""
    return isinstance(tree.get("images"), list) and "annotations" in tree


def read(tree):
    """Reads the heads.

    Args:
      tree: the parsed JSON.

    Returns:
      {photograph's name: `heads.Heads`}, with every one of "images".

    Raises:
      ValueError: an annotation of no listed photograph, of a group, or without a place.
    """
    names = {kind["id"]: kind.get("keypoints", []) for kind in tree["categories"]}
    points = {image["id"]: [] for image in tree["images"]}
    for annotation in tree["annotations"]:
        image = annotation["image_id"]
        if image not in points:
            raise ValueError(f"{_called(annotation)} is of no image listed: {image}")
        points[image].append(_head(annotation, names))
    files = [image["file_name"] for image in tree["images"]]
    if len(set(files)) < len(files):
        raise ValueError("two of its images have one file_name")
    return {
        image["file_name"]: heads_lib.make_heads(points[image["id"]], _size(image))
        for image in tree["images"]
    }


def _size(image):
    width, height = image.get("width"), image.get("height")
    return (width, height) if width and height else None


def _called(annotation):
    return f"annotation {annotation.get('id')}"


def _head(annotation, names):
    if annotation.get("iscrowd"):
        raise ValueError(f"{_called(annotation)} is a group (iscrowd), not one head")
    keypoints = np.array(annotation.get("keypoints", []), float).reshape(-1, 3)
    called = names.get(annotation.get("category_id"), [])
    of_head = [any(word in name.lower() for word in HEAD) for name in called]
    if any(of_head):
        keypoints = keypoints[np.flatnonzero(of_head)] if len(keypoints) else keypoints
    if (labelled := keypoints[:, 2] > 0).any():
        return tuple(keypoints[labelled, :2].mean(axis=0))
    if len(annotation.get("bbox", [])) != 4:
        raise ValueError(f"{_called(annotation)} has no labelled keypoint and no bbox")
    x, y, width, height = annotation["bbox"]
    return x + width / 2, y + height / 2
