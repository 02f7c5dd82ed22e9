"""Mall (Chen, Loy, Gong, Xiang, BMVC 2012): 2,000 frames of one camera in a mall.

Download: https://personal.ie.cuhk.edu.hk/~ccloy/downloads_mall_dataset.html. For
research only, never for commerce. Unpacked:

    mall_dataset/
      frames/seq_000001.jpg ... seq_002000.jpg    640 x 480 pixels
      mall_gt.mat                 frame{n}.loc holds [N, 2] (x, y), pixels
      mall_feat.mat, perspective_roi.mat          not read here

The first 800 frames are for training and the other 1,200 for the test.

Built against the documented layout, not against the files. Read on the data set's page:
the frames, "over 60,000 pedestrians", the terms; in public code: the names of the files
and of mall_gt.mat's variables (several loaders), the split (DeepMind's dm_nevis). Not
checked: the heads of each split.
"""

import functools

import numpy as np

from cpcnn_jax.data import checksums, readers, sample
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
    """The two splits of the paper."""

    ORIGIN = ORIGIN
    TOTALS = {"train": (800, None), "test": (1200, None)}

    @classmethod
    def splits(cls, folder):
        """The splits train and test."""
        truth = checksums.make_checker(folder)(folder / "mall_gt.mat")
        frames = readers.read_mat(truth, _frames, "frame{n}.loc [N, 2]")
        heads = {f"{truth} frame {n}": points for n, points in enumerate(frames, 1)}
        splits = {"train": [], "test": []}
        for image in readers.list_numbered(folder / "frames", "seq_000001"):
            number = int(image.stem.removeprefix("seq_"))
            annotation = f"{truth} frame {number}"
            read = heads.get if annotation in heads else None
            split = "train" if number <= LAST_TRAINING_FRAME else "test"
            splits[split].append(sample.Sample(image, annotation, read))
        return splits


open_source = functools.partial(base.open_dataset, Mall)


def _frames(mat):
    """The heads of every frame."""
    return [np.asarray(f["loc"][0, 0], np.float32) for f in mat["frame"][0]]
