"""UCF_CC_50 (Idrees et al., CVPR 2013): fifty grayscale images, five folds of ten.

Download: https://www.crcv.ucf.edu/data/ucf-cc-50/ (UCFCrowdCountingDataset_CVPR13.rar).
No license is known to us. The images are from the web and keep their owners: use them
for research. Unpacked:

    UCF_CC_50/
      1.jpg ... 50.jpg            all grayscale, 94 to 4,633 heads each
      1_ann.mat ... 50_ann.mat    annPoints holds [N, 2] (x, y), pixels

The files hold 63,974 heads. Of these, 5 lie outside their image (1 has two; 6, 17 and
20 have one each) and are dropped with a warning, so that 63,969 remain.

The data set's authors define no folds and most code draws its own. These are in the
order of the numbers, as in public code of ACSCP (RQuispeC/pytorch-ACSCP, issue 5):

    fold 1: 1 2 3 4 5 6 7 8 9 10
    fold 2: 11 12 13 14 15 16 17 18 19 20
    fold 3: 21 22 23 24 25 26 27 28 29 30
    fold 4: 31 32 33 34 35 36 37 38 39 40
    fold 5: 41 42 43 44 45 46 47 48 49 50

SHA-256 of these five lines, each without its indent and with its line feed:
58ba928eb0fc0f11f7534bbf8ff105d28a8cf4c1c3831718265f5c521284cc7f
"""

from pathlib import Path

from cpcnn_jax import config
from cpcnn_jax.data import Dataset, annotated_image, readers
from cpcnn_jax.data.datasets import base, tfds_cache

ORIGIN = base.Origin(
    name="UCF_CC_50",
    download="https://www.crcv.ucf.edu/data/ucf-cc-50/",
    terms="for research; the images keep their owners",
    layout="  UCF_CC_50/\n    1.jpg ... 50.jpg\n    1_ann.mat ... 50_ann.mat",
    places=("", "UCF_CC_50"),
    marker="*_ann.mat",
)
FOLDS = {fold: range(10 * fold - 9, 10 * fold + 1) for fold in range(1, 6)}
HEADS = {1: 17_849, 2: 11_010, 3: 12_315, 4: 9_699, 5: 13_096}  # inside the images


def open_dataset(data: config.UcfCc50, split: str) -> Dataset:
    """Opens the fold ("test") or the forty other images ("train").

    Raises:
      ValueError: no such fold; a folder or a file is missing or damaged.
    """
    if data.fold not in FOLDS:
        raise ValueError(f"--config.data.fold={data.fold}: UCF_CC_50 has folds 1 to 5.")
    others = [fold for fold in FOLDS if fold != data.fold]
    folds = {"train": others, "test": [data.fold]}[split]
    dataset = tfds_cache.open_cached(
        UcfCc50,
        base.require_root(ORIGIN, data.root),
        "+".join(f"fold{fold}" for fold in folds),
        on_invalid=data.on_invalid,
    )
    totals = 10 * len(folds), sum(HEADS[fold] for fold in folds)
    return base.check_totals(dataset, totals, f"{ORIGIN.name} in {data.root}")


class UcfCc50(base.Builder):
    """Builder of the fifty images; each fold is a split."""

    ORIGIN = ORIGIN

    @classmethod
    def splits(cls, folder: Path) -> dict[str, list[annotated_image.AnnotatedImage]]:
        """Pairs the images of fold1 to fold5 with their annotations."""
        return {
            f"fold{fold}": annotated_image.pair_annotations(
                [folder / f"{number}.jpg" for number in numbers],
                lambda image: image.with_name(f"{image.stem}_ann.mat"),
                readers.read_points,
            )
            for fold, numbers in FOLDS.items()
        }
