"""JHU-CROWD++ (Sindagi, Yasarla, Patel, TPAMI 2020): 4,372 images in any weather.

Download: http://www.crowd-counting.com/, which states the terms. The images are from
the web and keep their owners. Unpacked:

    jhu_crowd_v2.0/
      train/                      2,272 images
        images/0001.jpg ...
        gt/0001.txt ...           a line per head: x y w h occlusion blur; may be empty
        image_labels.txt          not read here
      val/                        500 images, same layout
      test/                       1,600 images, same layout

Implemented from the documented layout; not tested on the files. Sources: public loaders
(Graviti's tensorbay: the folders, the six columns, (x, y) as the head's center; others:
empty files) and the paper (4,372 images, 1.51 million heads). The splits' sizes are as
commonly quoted. The heads of each split are not verified.
"""

import functools
from pathlib import Path

import numpy as np

from cpcnn_jax.data import annotated_image, readers
from cpcnn_jax.data.datasets import base

ORIGIN = base.Origin(
    name="JHU-CROWD++",
    download="http://www.crowd-counting.com/",
    terms="its terms are on that page; the images keep their owners",
    layout="""  jhu_crowd_v2.0/
    train/
      images/0001.jpg ...
      gt/0001.txt ...
    val/ ...
    test/ ...""",
    places=("", "jhu_crowd_v2.0"),
    marker="train/gt/*.txt",
)


class JhuCrowd(base.Builder):
    """Builder of the authors' three splits."""

    ORIGIN = ORIGIN
    TOTALS = {"train": (2272, None), "val": (500, None), "test": (1600, None)}

    @classmethod
    def splits(cls, folder: Path) -> dict[str, list[annotated_image.AnnotatedImage]]:
        """Pairs the images of train, val and test with their annotations."""
        return {split: _make_samples(folder / split) for split in cls.TOTALS}


open_dataset = functools.partial(base.open_dataset, JhuCrowd)


def _make_samples(folder):
    images = readers.list_numbered(folder / "images", "0001")
    return annotated_image.pair_annotations(
        images, lambda p: folder / "gt" / f"{p.stem}.txt", _read_points
    )


def _read_points(path):
    """`[N, 2]` float32 (x, y) of a file with a line per head."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
        return np.array([line[:2] for line in lines if line], np.float32)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path} holds no head points: expected lines 'x y w h occlusion blur' "
            f"({error})."
        ) from error
