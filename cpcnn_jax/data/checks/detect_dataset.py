"""Detection of the data set in a folder, without checking its files."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from cpcnn_jax.data import annotated_image
from cpcnn_jax.data.datasets import (
    base,
    folder,
    folder_index,
    jhu_crowd,
    mall,
    nwpu_crowd,
    shanghaitech,
    ucf_cc_50,
    ucf_qnrf,
    world_expo,
)

DISTRIBUTED: tuple[tuple[type[base.Builder], base.Origin], ...] = (
    *((shanghaitech.ShanghaiTech, shanghaitech.part_origin(part)) for part in "AB"),
    (  # the folder of one part
        shanghaitech.ShanghaiTech,
        shanghaitech.ORIGIN._replace(places=("",), marker="t*_data/images"),
    ),
    (ucf_cc_50.UcfCc50, ucf_cc_50.ORIGIN),
    (world_expo.WorldExpo, world_expo.ORIGIN),
    (ucf_qnrf.UcfQnrf, ucf_qnrf.ORIGIN),
    (jhu_crowd.JhuCrowd, jhu_crowd.ORIGIN),
    (nwpu_crowd.NwpuCrowd, nwpu_crowd.ORIGIN),
    (mall.Mall, mall.ORIGIN),
)


class DetectedDataset(NamedTuple):
    """The images of a folder, paired with their annotations."""

    name: str  # of the data set
    splits: dict[str, list[annotated_image.AnnotatedImage]]  # by path below the folder
    places: dict[str, Path]  # {split: folder of its data set}
    strays: list[tuple[Path, str]]  # (annotation file, name of its missing image)
    unused: list[tuple[Path, str]]  # (image or folder that is not used, sentence)
    left_out: Mapping[str, int]  # all that is not used, by kind
    labels: Mapping[str, int]  # {label: heads}, of the user's own images


def detect_dataset(root: str | Path) -> DetectedDataset:
    """Finds public data sets in their distributed layout, else the user's own images.

    Raises:
      ValueError: a file that lists or annotates several images cannot be read.
    """
    root = Path(root)
    names, splits, places = [], {}, {}
    for kind, origin in DISTRIBUTED:
        if place := base.find_root(origin, root):
            names.append(origin.name)
            for split, samples in kind.splits(place).items():
                path = (place.relative_to(root) / split).as_posix()
                splits[path], places[path] = samples, place
    if names:
        return DetectedDataset(" and ".join(names), splits, places, [], [], {}, {})
    own = folder_index.index_folder(root)
    places = dict.fromkeys(own.splits, root)
    return DetectedDataset(folder.ORIGIN.name, own.splits, places, *own[1:])
