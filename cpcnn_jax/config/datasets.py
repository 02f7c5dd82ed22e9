"""The data sets that an experiment can name, each with where it lies.

Part of the configuration tree: users write `config.ShanghaiTech(part="B")`.
"""

from dataclasses import dataclass

from cpcnn_jax.config.rules import one_of, setting


@dataclass
class SyntheticCrowd:
    """The generated crowd: photographs with known heads, drawn from a seed."""

    num_train: int = 256  # photographs
    num_test: int = 32
    height: int = 256  # pixels
    width: int = 320
    max_heads: int = 1000  # people in the fullest photograph; the emptiest has none
    seed: int = 0  # of the photographs, apart from the seed of the training


ON_INVALID = ("raise", "skip")


@dataclass
class ImageDataset:
    """What every data set that lies in a folder has."""

    root: str  # the folder
    # What happens to an image or annotation that cannot be used. "raise": the run stops
    # with its name. "skip": it is left out, counted and named.
    on_invalid: str = setting("raise", one_of(*ON_INVALID))


@dataclass
class Folder(ImageDataset):
    """Your own photographs, with head points beside them."""

    root: str = "data/photographs"  # the folder that holds train and test


@dataclass
class ShanghaiTech(ImageDataset):
    """ShanghaiTech part A or B, read from the folder as it is distributed."""

    root: str = "data/ShanghaiTech"  # the folder that holds part_A and part_B
    part: str = "A"  # A (300 + 182 photographs) or B (400 + 316)


@dataclass
class UcfCc50(ImageDataset):
    """UCF_CC_50: ten photographs, a fold, for the test; the other forty to train on."""

    root: str = "data/UCF_CC_50"
    fold: int = 1  # 1 to 5; a result on UCF_CC_50 is the mean over all five


@dataclass
class WorldExpo(ImageDataset):
    """WorldExpo'10: frames of many cameras, of which five are for the test."""

    root: str = "data/WorldExpo10"  # the folder that holds train_frame, test_frame ...


@dataclass
class UcfQnrf(ImageDataset):
    """UCF-QNRF (1,201 + 334 photographs)."""

    root: str = "data/UCF-QNRF_ECCV18"  # the folder that holds Train and Test


@dataclass
class JhuCrowd(ImageDataset):
    """JHU-CROWD++ (2,272 + 500 + 1,600 photographs)."""

    root: str = "data/jhu_crowd_v2.0"  # the folder that holds train, val and test


@dataclass
class NwpuCrowd(ImageDataset):
    """NWPU-Crowd (3,109 + 500 photographs; the heads of 1,500 more are not public)."""

    root: str = "data/NWPU-Crowd"  # the folder that holds mats, train.txt and val.txt


@dataclass
class Mall(ImageDataset):
    """Mall (800 + 1,200 frames of one camera)."""

    root: str = "data/mall_dataset"  # the folder that holds frames and mall_gt.mat


DataSet = (
    SyntheticCrowd
    | Folder
    | ShanghaiTech
    | UcfCc50
    | WorldExpo
    | UcfQnrf
    | JhuCrowd
    | NwpuCrowd
    | Mall
)
