"""JHU-CROWD++ (Sindagi, Yasarla, Patel, TPAMI 2020): 4,372 photographs, any weather.

Download: http://www.crowd-counting.com/. Its terms were not at hand: read them there;
the photographs are from the web and keep their owners. Unpacked:

    jhu_crowd_v2.0/
      train/                      2,272 photographs
        images/0001.jpg ...
        gt/0001.txt ...           a line per head: x y w h occlusion blur; may be empty
        image_labels.txt          not read here
      val/                        500, likewise
      test/                       1,600, likewise

Built against the documented layout, not against the files. Read in public loaders
(Graviti's tensorbay: the folders, the six columns, that x and y are the head's centre;
others: empty files) and in the paper: 4,372 photographs and 1.51 million heads. The
splits' sizes are as commonly quoted, and the heads of each were not checked.
"""

import functools

import numpy as np

from cpcnn_jax.data import readers, sample
from cpcnn_jax.data.datasets import base

ORIGIN = base.Origin(
    name="JHU-CROWD++",
    download="http://www.crowd-counting.com/",
    terms="its terms are on that page; the photographs keep their owners",
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
    """The three splits, as the authors made them."""

    ORIGIN = ORIGIN
    TOTALS = {"train": (2272, None), "val": (500, None), "test": (1600, None)}

    @classmethod
    def splits(cls, folder):
        """The splits train, val and test."""
        return {split: _photographs(folder / split) for split in cls.TOTALS}


open_source = functools.partial(base.open_dataset, JhuCrowd)


def _photographs(folder):
    """The photographs of a split's folder and their annotations."""
    images = readers.list_numbered(folder / "images", "0001")
    return sample.make_samples(images, lambda p: folder / "gt" / f"{p.stem}.txt", _read)


def _read(path):
    """`[N, 2]` float32 (x, y) of a file with a line per head."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
        return np.array([line[:2] for line in lines if line], np.float32)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path} holds no head points: expected lines 'x y w h occlusion blur' "
            f"({error})."
        ) from error
