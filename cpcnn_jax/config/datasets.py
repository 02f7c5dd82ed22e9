"""Configurations of the data sets, such as `config.ShanghaiTech(part="B")`."""

from dataclasses import dataclass

from cpcnn_jax.config.rules import one_of, setting


@dataclass
class SyntheticCrowd:
    """Synthetic crowd: rendered images with exact head points."""

    num_train: int = 256  # images
    num_test: int = 32
    height: int = 256  # pixels
    width: int = 320
    max_heads: int = 1000  # people in an image, at most; some images have none
    seed: int = 0  # of the images; independent of the training's seed


ON_INVALID = ("raise", "skip")


@dataclass
class ImageDataset:
    """Fields of every data set in a folder."""

    root: str  # the folder
    # Handling of invalid images and annotations. "raise": the run stops with an error
    # that names the file. "skip": the image is left out, and a warning names it.
    on_invalid: str = setting("raise", one_of(*ON_INVALID))


@dataclass
class Folder(ImageDataset):
    """The user's own images, with point annotations beside them."""

    root: str = "data/photographs"  # contains train and test


@dataclass
class ShanghaiTech(ImageDataset):
    """ShanghaiTech part A or B or both, in the folder layout as distributed."""

    root: str = "data/ShanghaiTech"  # contains part_A and part_B
    # A (300 + 182 images), B (400 + 316), or AB: both, with names such as A/IMG_1.
    part: str = "A"


@dataclass
class UcfCc50(ImageDataset):
    """UCF_CC_50: one fold of ten images for the test, the other forty for training."""

    root: str = "data/UCF_CC_50"
    fold: int = 1  # 1 to 5; a result on UCF_CC_50 is the mean over all five


@dataclass
class WorldExpo(ImageDataset):
    """WorldExpo'10: frames of many cameras, five of them for the test."""

    root: str = "data/WorldExpo10"  # contains train_frame, test_frame ...


@dataclass
class UcfQnrf(ImageDataset):
    """UCF-QNRF (1,201 + 334 images)."""

    root: str = "data/UCF-QNRF_ECCV18"  # contains Train and Test


@dataclass
class JhuCrowd(ImageDataset):
    """JHU-CROWD++ (2,272 + 500 + 1,600 images)."""

    root: str = "data/jhu_crowd_v2.0"  # contains train, val and test


@dataclass
class NwpuCrowd(ImageDataset):
    """NWPU-Crowd (3,109 + 500 images; the heads of 1,500 more are not public)."""

    root: str = "data/NWPU-Crowd"  # contains mats, train.txt and val.txt


@dataclass
class Mall(ImageDataset):
    """Mall (800 + 1,200 frames of one camera)."""

    root: str = "data/mall_dataset"  # contains frames and mall_gt.mat


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
