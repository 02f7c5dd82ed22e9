"""Small folders in the layouts of six public data sets."""

import zlib

import numpy as np
from PIL import Image
from scipy.io import savemat

SIZE = (72, 66)  # (width, height) of every image
SCENES = ("104207", "200608", "200702", "202201", "500717")  # of the test split
CORNERS = np.array([[10, 5], [60, 5], [60, 50], [10, 50]])  # of the region of interest


def heads(name):
    """Four to seven head points of an image, inside its region of interest."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return rng.uniform(12, 48, (rng.integers(4, 8), 2)).astype(np.float32)


def write_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(0, 255, SIZE[0] * SIZE[1]).reshape(SIZE[::-1]).astype(np.uint8)
    Image.fromarray(ramp).save(path)


def write_mat(path, **variables):
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables)


def write_ucf_cc_50(root):
    for number in range(1, 51):
        write_image(root / f"{number}.jpg")
        write_mat(root / f"{number}_ann.mat", annPoints=heads(str(number)))


def write_ucf_qnrf(root):
    for split, numbers in (("Train", (1, 2, 10)), ("Test", (1, 2))):
        for name in (f"img_{number:04}" for number in numbers):
            write_image(root / split / f"{name}.jpg")
            write_mat(root / split / f"{name}_ann.mat", annPoints=heads(name))


def write_jhu_crowd(root):
    for split, names in (("train", "0001 0003"), ("val", "0002"), ("test", "0004")):
        for name in names.split():
            write_image(root / split / "images" / f"{name}.jpg")
            lines = [f"{x:.9g} {y:.9g} 10 12 1 0\n" for x, y in heads(name)]
            (root / split / "gt").mkdir(exist_ok=True)
            (root / split / "gt" / f"{name}.txt").write_text("".join(lines))
        (root / split / "image_labels.txt").write_text("0001,5,stadium,0,0\n")


def write_nwpu_crowd(root, folder="images"):
    for name in ("0001", "0002", "0003"):
        write_image(root / folder / f"{name}.jpg")
        write_mat(root / "mats" / f"{name}.mat", annPoints=heads(name))
    write_image(root / folder / "0004.jpg")
    (root / "train.txt").write_text("0003 1 2\n0001 0 1\n")
    (root / "val.txt").write_text("0002 1 2\n")
    (root / "test.txt").write_text("0004\n")


def write_mall(root):
    frames = np.empty((1, 801), object)
    for number in range(1, 802):
        loc = np.empty((1, 1), [("loc", object)])
        loc[0, 0] = (heads(f"seq_{number:06}"),)
        frames[0, number - 1] = loc
    write_mat(root / "mall_gt.mat", frame=frames, count=np.ones((801, 1)))
    for number in (1, 800, 801):
        write_image(root / "frames" / f"seq_{number:06}.jpg")


def write_world_expo(root):
    pixels = np.tile(np.linspace(5, 40, SIZE[1])[:, None], (1, SIZE[0]))
    for split, scenes in (("train", ("100156", "104242")), ("test", SCENES)):
        for scene in scenes:
            name = f"{scene}-C09" if scene == "104242" else f"{scene}_C09-S2010.split.5"
            frames = root / f"{split}_frame" / (scene if split == "test" else "")
            labels = root / f"{split}_label" / scene
            write_image(frames / f"{name}.jpg")
            write_mat(labels / f"{name}.mat", point_position=heads(name))
            x, y = CORNERS.T[:, :, None]
            write_mat(
                labels / "roi.mat",
                maskVerticesXCoordinates=x,
                maskVerticesYCoordinates=y,
            )
            write_mat(root / f"{split}_perspective" / f"{scene}.mat", pMap=pixels)
