"""WorldExpo'10 (Zhang, Li, Wang, Yang, CVPR 2015): 3,980 frames of 108 fixed cameras.

Download: http://www.ee.cuhk.edu.hk/~xgwang/expo.html; its owners at Shanghai Jiao Tong
University provide it on request, for research. Unpacked:

    WorldExpo10/
      train_frame/                        3,380 frames of 103 scenes, 720 x 576 pixels
        104242-....jpg, 100156_....jpg    the first six characters are the scene
      train_label/
        100156/
          roi.mat                         maskVerticesXCoordinates, ...YCoordinates
          100156_....mat                  point_position holds [N, 2] (x, y), pixels
      train_perspective/
        100156.mat                        pMap [576, 720], pixels per metre; optional
      test_frame/104207/*.jpg             600 frames, 120 of each of the five SCENES
      test_label/104207/                  same layout as train_label
      test_perspective/104207.mat         same layout as train_perspective

Only heads inside the scene's region of interest count. A record therefore has no head
outside it, and has further keys:

    "scene"          str: results are the mean over SCENES of each scene's own MAE
    "roi"            uint8 [H, W]: 1 on the polygon of roi.mat and inside, else 0
    "perspective"    float32 [H, W], pixels per metre; [0, 0] where the folder has none

Implemented from the documented layout; not tested on the files. Sources: public code
(C-3-Framework's preapre_WE.m and golmschenk's preprocessing: folders and variables). By
the former, heads outside the region are labeled and dropped; it also leaves out frames
without heads, which are included here. By the latter, the maps may be HDF5, which is an
error here, and one test scene may have 119 frames. The totals are the paper's as
commonly quoted. The number of heads inside the regions is not verified.
"""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image, ImageDraw

from cpcnn_jax.data import annotated_image, readers
from cpcnn_jax.data.datasets import base

ORIGIN = base.Origin(
    name="WorldExpo'10",
    download="http://www.ee.cuhk.edu.hk/~xgwang/expo.html",
    terms="on request, for research",
    layout="""  WorldExpo10/
    train_frame/*.jpg
    train_label/SCENE/roi.mat and *.mat
    train_perspective/SCENE.mat (optional)
    test_frame/SCENE/*.jpg
    test_label/SCENE/roi.mat and *.mat
    test_perspective/SCENE.mat (optional)""",
    places=("", "WorldExpo10", "WorldExpo"),
    marker="train_label",
)
SCENES = ("104207", "200608", "200702", "202201", "500717")  # the test's, S1 to S5


class WorldExpo(base.Builder):
    """Builder of the training frames and of the five test scenes as one split."""

    ORIGIN = ORIGIN
    TOTALS = {"train": (3380, None), "test": (600, None)}
    FEATURES = base.Builder.FEATURES | {
        "scene": tfds.features.Text(),
        "roi": tfds.features.Tensor(
            shape=(None, None), dtype=np.uint8, encoding="zlib"
        ),
        "perspective": tfds.features.Tensor(
            shape=(None, None), dtype=np.float32, encoding="zlib"
        ),
    }

    @classmethod
    def splits(cls, folder: Path) -> dict[str, list[annotated_image.AnnotatedImage]]:
        """Pairs the frames of train and test with their annotations."""
        train = _list_frames(folder / "train_frame")
        test = [p for s in SCENES for p in _list_frames(folder / "test_frame" / s)]
        return {
            "train": _make_samples(train, folder / "train_label"),
            "test": _make_samples(test, folder / "test_label"),
        }

    def example(self, item: annotated_image.AnnotatedImage) -> dict[str, Any]:
        """Reads and checks one frame, its annotation and its scene."""
        example = super().example(item)
        labels = Path(item.annotation).parent
        with Image.open(item.image) as image:
            size = image.size
        roi = _read_region(self.check(labels / "roi.mat"), size)
        x, y = np.floor(example["points"]).astype(int).T
        perspective = self.check(_perspective_path(labels))
        return example | {
            "points": example["points"][roi[y, x] == 1],
            "scene": labels.name,
            "roi": roi,
            "perspective": _read_perspective(perspective, roi.shape),
        }


open_dataset = functools.partial(base.open_dataset, WorldExpo)


def _list_frames(folder):
    images = sorted(folder.glob("*.jpg"))
    if not images:
        raise ValueError(f"{folder} holds no frames *.jpg.")
    return images


def _make_samples(images, labels):
    return annotated_image.pair_annotations(
        images,
        lambda image: labels / image.stem[:6] / f"{image.stem}.mat",
        functools.partial(readers.read_points, variable="point_position"),
    )


def _read_region(path, size):
    """`[H, W]` uint8: 1 on the polygon and inside."""

    def draw(mat):
        names = ("maskVerticesXCoordinates", "maskVerticesYCoordinates")
        corners = np.stack([mat[name].ravel() for name in names], axis=1)
        if len(corners) < 3 or not np.isfinite(corners).all():
            raise ValueError(f"{corners.tolist()} is not a polygon")
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).polygon([tuple(corner) for corner in corners], fill=1)
        return np.asarray(mask)

    variables = "maskVerticesXCoordinates and maskVerticesYCoordinates"
    return readers.read_mat(path, draw, variables, "region of interest")


def _perspective_path(labels):
    folder = labels.parent.with_name(labels.parent.name.replace("label", "perspective"))
    return folder / f"{labels.name}.mat"


def _read_perspective(path, shape):
    """`[H, W]` float32 pixels per metre, or `[0, 0]` without a file."""
    if not path.is_file():
        return np.zeros((0, 0), np.float32)
    pixels = readers.read_mat(
        path,
        lambda mat: np.asarray(mat["pMap"], np.float32),
        "pMap [H, W]",
        "perspective map",
    )
    if pixels.shape != shape:
        raise ValueError(f"{path} holds a pMap of {pixels.shape}, not of {shape}.")
    return pixels
