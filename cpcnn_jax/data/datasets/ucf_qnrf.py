"""UCF-QNRF (Idrees et al., ECCV 2018): 1,535 large photographs from the web.

Download: https://www.crcv.ucf.edu/data/ucf-qnrf/ (UCF-QNRF_ECCV18.zip). We know of no
licence; the photographs keep their owners: use them for research. Unpacked:

    UCF-QNRF_ECCV18/
      Train/                      1,201 photographs
        img_0001.jpg ...
        img_0001_ann.mat ...      annPoints holds [N, 2] (x, y), pixels
      Test/                       334 photographs, likewise

Built against the documented layout, not against the files. Read on the data set's page:
the numbers of photographs and 1,251,642 heads in all; in C-3-Framework's
preapre_QNRF.m: the names and annPoints. Not checked: the heads of each split.
"""

import functools

from cpcnn_jax.data import readers, sample
from cpcnn_jax.data.datasets import base

ORIGIN = base.Origin(
    name="UCF-QNRF",
    download="https://www.crcv.ucf.edu/data/ucf-qnrf/",
    terms="for research; the photographs keep their owners",
    layout="""  UCF-QNRF_ECCV18/
    Train/
      img_0001.jpg ...
      img_0001_ann.mat ...
    Test/ ...""",
    places=("", "UCF-QNRF_ECCV18", "UCF-QNRF"),
    marker="Train/*_ann.mat",
)


class UcfQnrf(base.Builder):
    """The two splits, as the authors made them."""

    ORIGIN = ORIGIN
    TOTALS = {"train": (1201, None), "test": (334, None)}

    @classmethod
    def splits(cls, folder):
        """The splits train and test."""
        return {
            split: sample.make_samples(
                readers.list_numbered(folder / split.capitalize(), "img_0001"),
                lambda image: image.with_name(f"{image.stem}_ann.mat"),
                readers.read_points,
            )
            for split in cls.TOTALS
        }


open_source = functools.partial(base.open_dataset, UcfQnrf)
