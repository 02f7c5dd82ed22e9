"""WorldExpo'10 (Zhang, Li, Wang, Yang, CVPR 2015): 3,980 frames of 108 fixed cameras.

Download: http://www.ee.cuhk.edu.hk/~xgwang/expo.html; its owners at Shanghai Jiao Tong
University give it out on request, for research. Unpacked:

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
      test_label/104207/                  as in train_label
      test_perspective/104207.mat         as in train_perspective

Only what lies in the scene's region of interest counts. A record therefore has no head
outside it, and more keys than those of `cpcnn_jax.data`:

    "scene"          str: results are the mean over SCENES of each scene's own MAE
    "roi"            uint8 [H, W]: 1 on the polygon of roi.mat and within, else 0
    "perspective"    float32 [H, W], pixels per metre; [0, 0] where the folder has none

Built against the documented layout, not against the files. Read in public code: folders
and variables (C-3-Framework's preapre_WE.m and golmschenk's preprocessing), that heads
outside the region are labelled and dropped (the former, which also leaves out frames
without anybody; they are kept here), that the maps may be HDF5, which is refused here,
and that one test scene may have 119 frames (the latter). The totals are the paper's as
commonly quoted. Not checked: how many heads are in the region.
"""

import functools

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image, ImageDraw

from cpcnn_jax.data import readers, sample
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
    """The training frames, and those of the five test scenes as one split."""

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
    def splits(cls, folder):
        """The splits train and test."""
        test = [p for s in SCENES for p in _frames(folder / "test_frame" / s)]
        return {
            "train": _photographs(
                _frames(folder / "train_frame"), folder / "train_label"
            ),
            "test": _photographs(test, folder / "test_label"),
        }

    def example(self, photograph):
        """The record of a frame, with its scene."""
        example = super().example(photograph)
        labels = photograph.annotation.parent
        with Image.open(photograph.image) as image:
            size = image.size
        roi = _region(self.check(labels / "roi.mat"), size)
        x, y = np.floor(example["points"]).astype(int).T
        return example | {
            "points": example["points"][roi[y, x] == 1],
            "scene": labels.name,
            "roi": roi,
            "perspective": _perspective(self.check(_map_of(labels)), roi.shape),
        }


open_source = functools.partial(base.open_dataset, WorldExpo)


def _frames(folder):
    """The frames of a folder, in order."""
    images = sorted(folder.glob("*.jpg"))
    if not images:
        raise ValueError(f"{folder} holds no frames *.jpg.")
    return images


def _photographs(images, labels):
    """The frames and their labels."""
    return sample.make_samples(
        images,
        lambda image: labels / image.stem[:6] / f"{image.stem}.mat",
        functools.partial(readers.read_points, variable="point_position"),
    )


def _region(path, size):
    """`[H, W]` uint8: 1 on the polygon and within."""

    def draw(mat):
        names = ("maskVerticesXCoordinates", "maskVerticesYCoordinates")
        corners = np.stack([mat[name].ravel() for name in names], axis=1)
        if len(corners) < 3 or not np.isfinite(corners).all():
            raise ValueError(f"{corners.tolist()} is not a polygon")
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).polygon([tuple(corner) for corner in corners], fill=1)
        return np.asarray(mask)

    holding = "maskVerticesXCoordinates and maskVerticesYCoordinates"
    return readers.read_mat(path, draw, holding, "region of interest")


def _map_of(labels):
    """Where the perspective map of a scene's labels lies."""
    folder = labels.parent.with_name(labels.parent.name.replace("label", "perspective"))
    return folder / f"{labels.name}.mat"


def _perspective(path, shape):
    """`[H, W]` float32 pixels per metre, or `[0, 0]`."""
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
