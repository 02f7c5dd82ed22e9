"""ShanghaiTech A and B (Zhang et al., CVPR 2016), read from the folder as distributed.

Download: https://github.com/desenzhou/ShanghaiTechDataset links ShanghaiTech.zip on
Dropbox and Baidu. That repository has a BSD 2-Clause license. Part A's images are from
the web and keep their owners: use them for research. Unpacked:

    ShanghaiTech/
      part_A/                        or part_A_final
        train_data/                  300 images, 162,413 heads; part B 400, 49,151
          images/IMG_1.jpg ...       RGB or grayscale JPEG
          ground-truth/GT_IMG_1.mat  or ground_truth; image_info holds [N, 2] (x, y)
        test_data/                   182 images, 78,862 heads; part B 316
      part_B/

The totals are those of the files distributed today; the papers print 241,677 (A) and
88,488 (B). A head counts if it lies on a pixel: 0 <= x < width, 0 <= y < height. All
heads of these files do.
"""

from pathlib import Path

import tensorflow_datasets as tfds

from cpcnn_jax import config
from cpcnn_jax.data import Dataset, annotated_image, readers
from cpcnn_jax.data.datasets import base, tfds_cache
from cpcnn_jax.data.datasets.joined import JoinedDataset

ORIGIN = base.Origin(
    name="ShanghaiTech",
    download="https://github.com/desenzhou/ShanghaiTechDataset",
    terms="for research; part A's images keep their owners",
    layout="""  ShanghaiTech/
    part_{part}/ (or part_{part}_final/)
      train_data/
        images/IMG_1.jpg ...
        ground-truth/GT_IMG_1.mat ... (or ground_truth/)
      test_data/
        images/ ...
        ground-truth/ ...""",
    places=tuple(
        f"{parent}part_{{part}}{final}"
        for parent in ("", "ShanghaiTech/")
        for final in ("", "_final")
    ),
    marker="*_data",
)
PART_TOTALS = {  # (images, heads) as distributed today
    "A": {"train": (300, 162_413), "test": (182, 78_862)},
    "B": {"train": (400, 49_151), "test": (316, 39_121)},
}


def open_dataset(data: config.ShanghaiTech, split: str) -> Dataset:
    """Opens "train" or "test"; the first use prepares the whole part.

    Raises:
      ValueError: a folder or a file is missing or damaged; the text names it.
    """
    parts = data.part.upper()
    if parts == "AB":
        return JoinedDataset({part: _open_part(data, part, split) for part in parts})
    if parts not in PART_TOTALS:
        raise ValueError(
            f"--config.data.part={parts}: ShanghaiTech has the parts A, B and AB."
        )
    return _open_part(data, parts, split)


def _open_part(data, part, split):
    origin = part_origin(part)
    folder = base.require_root(origin, data.root)
    if not (folder / f"{split}_data").is_dir():
        raise ValueError(
            f"{folder} has no {split}_data folder (--config.data.root={data.root}). "
            f"{base.download_advice(origin)}"
        )
    dataset = tfds_cache.open_cached(
        ShanghaiTech, folder, split, name=part.lower(), on_invalid=data.on_invalid
    )
    return base.check_totals(
        dataset, PART_TOTALS[part][split], folder / f"{split}_data"
    )


def part_origin(part: str) -> base.Origin:
    """The origin of part "A" or "B"."""
    return ORIGIN._replace(
        name=f"part_{part} of {ORIGIN.name}",
        layout=ORIGIN.layout.format(part=part),
        places=tuple(place.format(part=part) for place in ORIGIN.places),
    )


class ShanghaiTech(base.Builder):
    """Builder of one part, whose folder is `manual_dir`; test images are optional."""

    ORIGIN = ORIGIN
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name="a", description="Part A, from the web."),
        tfds.core.BuilderConfig(name="b", description="Part B, streets of Shanghai."),
    ]

    @classmethod
    def splits(cls, folder: Path) -> dict[str, list[annotated_image.AnnotatedImage]]:
        """Pairs the images of the existing splits with their annotations."""
        splits = [s for s in ("train", "test") if (folder / f"{s}_data").is_dir()]
        return {split: _make_samples(folder / f"{split}_data") for split in splits}


def _make_samples(folder):
    spellings = (folder / "ground-truth", folder / "ground_truth")
    truth = next((path for path in spellings if path.is_dir()), spellings[0])
    images = readers.list_numbered(folder / "images", "IMG_1")
    return annotated_image.pair_annotations(
        images, lambda p: truth / f"GT_{p.stem}.mat", _read
    )


def _read(path):
    """`[N, 2]` float32 (x, y) of a GT_IMG_n.mat."""
    return readers.read_mat(path, readers.image_info, "image_info of [N, 2] positions")
