"""A small folder in the layout of ShanghaiTech."""

import numpy as np
from PIL import Image
from scipy.io import savemat

SIZES = {1: (90, 81), 2: (101, 77), 10: (64, 120)}  # (width, height) of IMG_n


def write_part(root, part="part_A", truth="ground-truth", splits=("train", "test")):
    """Writes the distributed layout: three images per split, the second grayscale."""
    for split in splits:
        folder = root / part / f"{split}_data"
        (folder / "images").mkdir(parents=True)
        (folder / truth).mkdir()
        for n, size in SIZES.items():
            write_image(
                folder / "images" / f"IMG_{n}.jpg", size, "L" if n == 2 else "RGB"
            )
            write_points(folder / truth / f"GT_IMG_{n}.mat", heads(n))
    return root


def write_image(path, size, mode):
    ramp = np.linspace(0, 255, size[0] * size[1]).reshape(size[::-1]).astype(np.uint8)
    Image.fromarray(ramp).convert(mode).save(path)


def write_points(path, points):
    record = np.empty((1, 1), [("location", object), ("number", object)])
    record[0, 0] = (np.asarray(points, float), len(points))
    cell = np.empty((1, 1), object)
    cell[0, 0] = record
    savemat(path, {"image_info": cell})


def heads(n):
    return np.random.default_rng(n).uniform(0, 64, (3 * n, 2))


def image(root, n):
    return root / "part_A" / "train_data" / "images" / f"IMG_{n}.jpg"


def annotation(root, n):
    return root / "part_A" / "train_data" / "ground-truth" / f"GT_IMG_{n}.mat"
