"""Which data set a folder holds, and its photographs before anything is checked."""

from pathlib import Path
from typing import NamedTuple

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

DISTRIBUTED = (
    *((shanghaitech.ShanghaiTech, shanghaitech.of_part(part)) for part in "AB"),
    (  # one of the parts itself
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
    """The photographs of a folder."""

    name: str  # of the data set
    splits: dict  # {split, by its path below the folder: `sample.Sample`s}
    places: dict  # {split: the data set's own folder}
    strays: list  # (annotation's file, photograph's name) of photographs not there


def detect_dataset(root):
    """Looks for a data set as distributed, else for photographs of one's own.

    Args:
      root: the folder.

    Returns:
      `DetectedDataset`.

    Raises:
      ValueError: a file that lists or annotates several photographs cannot be read.
    """
    root = Path(root)
    names, splits, places = [], {}, {}
    for kind, origin in DISTRIBUTED:
        if place := base.cache_place(origin, root):
            names.append(origin.name)
            for split, photographs in kind.splits(place).items():
                path = (place.relative_to(root) / split).as_posix()
                splits[path], places[path] = photographs, place
    if names:
        return DetectedDataset(" and ".join(names), splits, places, [])
    own = folder_index.index_folder(root)
    return DetectedDataset(
        folder.ORIGIN.name, own.splits, dict.fromkeys(own.splits, root), own.strays
    )
