"""Mall (Chen, Loy, Gong, Xiang, BMVC 2012): 2,000 frames of one camera in a mall.

Download: https://personal.ie.cuhk.edu.hk/~ccloy/downloads_mall_dataset.html. For
research only, no commercial use. Unpacked:

    mall_dataset/
      frames/seq_000001.jpg ... seq_002000.jpg    640 x 480 pixels
      mall_gt.mat                 frame{n}.loc holds [N, 2] (x, y), pixels
      mall_feat.mat, perspective_roi.mat          not read here

The first 800 frames are for training and the other 1,200 for the test.

Implemented from the documented layout; not tested on the files. Sources: the data set's
page (the frames, "over 60,000 pedestrians", the terms); public code (several loaders:
the names of the files and of mall_gt.mat's variables; DeepMind's dm_nevis: the split).
The heads of each split are not verified.
"""

import functools
from pathlib import Path

import numpy as np

from cpcnn_jax.data import annotated_image, checksums, readers
from cpcnn_jax.data.datasets import base

ORIGIN = base.Origin(
    name="Mall",
    download="https://personal.ie.cuhk.edu.hk/~ccloy/downloads_mall_dataset.html",
    terms="research only, no commercial use",
    layout="""  mall_dataset/
    frames/seq_000001.jpg ...
    mall_gt.mat""",
    places=("", "mall_dataset"),
    marker="mall_gt.mat",
)
LAST_TRAINING_FRAME = 800


class Mall(base.Builder):
    """Builder of the paper's two splits."""

    ORIGIN = ORIGIN
    TOTALS = {"train": (800, None), "test": (1200, None)}

    @classmethod
    def splits(cls, folder: Path) -> dict[str, list[annotated_image.AnnotatedImage]]:
        """Pairs the frames of train and test with their annotations."""
        truth = checksums.make_checker(folder)(folder / "mall_gt.mat")
        frames = readers.read_mat(truth, _frame_points, "frame{n}.loc [N, 2]")
        heads = {f"{truth} frame {n}": points for n, points in enumerate(frames, 1)}
        splits: dict[str, list[annotated_image.AnnotatedImage]] = {
            "train": [],
            "test": [],
        }
        for image in readers.list_numbered(folder / "frames", "seq_000001"):
            number = int(image.stem.removeprefix("seq_"))
            annotation = f"{truth} frame {number}"
            read = heads.__getitem__ if annotation in heads else None
            split = "train" if number <= LAST_TRAINING_FRAME else "test"
            splits[split].append(
                annotated_image.AnnotatedImage(image, annotation, read)
            )
        return splits


open_dataset = functools.partial(base.open_dataset, Mall)


def _frame_points(mat):
    """List of `[N, 2]` float32 (x, y), one for each frame."""
    return [np.asarray(f["loc"][0, 0], np.float32) for f in mat["frame"][0]]
