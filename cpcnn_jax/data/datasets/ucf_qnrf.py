"""UCF-QNRF (Idrees et al., ECCV 2018): 1,535 large images from the web.

Download: https://www.crcv.ucf.edu/data/ucf-qnrf/ (UCF-QNRF_ECCV18.zip). No license is
known to us. The images keep their owners: use them for research. Unpacked:

    UCF-QNRF_ECCV18/
      Train/                      1,201 images
        img_0001.jpg ...
        img_0001_ann.mat ...      annPoints holds [N, 2] (x, y), pixels
      Test/                       334 images, same layout

Implemented from the documented layout; not tested on the files. Sources: the data set's
page (the numbers of images, 1,251,642 heads in all) and C-3-Framework's
preapre_QNRF.m (the names and annPoints). The heads of each split are not verified.
"""

import functools
from pathlib import Path

from cpcnn_jax.data import annotated_image, readers
from cpcnn_jax.data.datasets import base

ORIGIN = base.Origin(
    name="UCF-QNRF",
    download="https://www.crcv.ucf.edu/data/ucf-qnrf/",
    terms="for research; the images keep their owners",
    layout="""  UCF-QNRF_ECCV18/
    Train/
      img_0001.jpg ...
      img_0001_ann.mat ...
    Test/ ...""",
    places=("", "UCF-QNRF_ECCV18", "UCF-QNRF"),
    marker="Train/*_ann.mat",
)


class UcfQnrf(base.Builder):
    """Builder of the authors' two splits."""

    ORIGIN = ORIGIN
    TOTALS = {"train": (1201, None), "test": (334, None)}

    @classmethod
    def splits(cls, folder: Path) -> dict[str, list[annotated_image.AnnotatedImage]]:
        """Pairs the images of train and test with their annotations."""
        return {
            split: annotated_image.pair_annotations(
                readers.list_numbered(folder / split.capitalize(), "img_0001"),
                lambda image: image.with_name(f"{image.stem}_ann.mat"),
                readers.read_points,
            )
            for split in cls.TOTALS
        }


open_dataset = functools.partial(base.open_dataset, UcfQnrf)
