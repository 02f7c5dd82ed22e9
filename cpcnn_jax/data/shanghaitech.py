"""ShanghaiTech A and B (Zhang et al., CVPR 2016), read from the folder as distributed.

Download: https://github.com/desenzhou/ShanghaiTechDataset links ShanghaiTech.zip on
Dropbox and Baidu. That repository carries a BSD 2-Clause licence; part A's photographs
were gathered from the web and keep their owners: use them for research. Unpacked:

    ShanghaiTech/
      part_A/                        or part_A_final
        train_data/                  300 photographs, 162,413 heads; part B 400, 49,151
          images/IMG_1.jpg ...       RGB or greyscale JPEG
          ground-truth/GT_IMG_1.mat  or ground_truth; image_info holds [N, 2] (x, y)
        test_data/                   182 photographs, 78,862 heads; part B 316
      part_B/

The totals are those of the files of today; the papers print 241,677 (A) and 88,488 (B).
A head counts when it lies on a pixel: 0 <= x < width, 0 <= y < height. All of these do.
"""

import re
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from PIL import Image
from scipy.io import loadmat

from cpcnn_jax import density
from cpcnn_jax.data import prepared

FORMATS = ("JPEG", "PNG")  # all that pillow may try on a file from elsewhere
LAYOUT = """  ShanghaiTech/
    part_{part}/ (or part_{part}_final/)
      train_data/
        images/IMG_1.jpg ...
        ground-truth/GT_IMG_1.mat ... (or ground_truth/)
      test_data/
        images/ ...
        ground-truth/ ..."""
DOWNLOAD = "https://github.com/desenzhou/ShanghaiTechDataset"


def open_source(data, split):
    """Opens one split; at its first use the whole part is checked and prepared.

    Args:
      data: `config.ShanghaiTech`; root may hold part_A and part_B, or a ShanghaiTech
        folder that does.
      split: "train" or "test".

    Returns:
      A source; see `cpcnn_jax.data`.

    Raises:
      ValueError: a folder or a file is missing or damaged; the text names it.
    """
    folder = find_part(data.root, data.part)
    if not (folder / f"{split}_data").is_dir():
        raise ValueError(
            f"{folder} has no {split}_data folder (--config.data.root={data.root}). "
            f"{_advice(data.part)}"
        )
    return prepared.open_source(ShanghaiTech, data.part.lower(), folder, split)


def find_part(root, part):
    """The folder of a part, under the names and the depths at which people keep it."""
    if part.upper() not in ("A", "B"):
        raise ValueError(f"--config.data.part={part}: ShanghaiTech has parts A and B.")
    for parent in (Path(root), Path(root) / "ShanghaiTech"):
        for name in (f"part_{part.upper()}", f"part_{part.upper()}_final"):
            if any((parent / name).glob("*_data")):
                return parent / name
    state = "holds no" if Path(root).is_dir() else "is not a folder, so it holds no"
    raise ValueError(
        f"--config.data.root={root} {state} part_{part.upper()} of ShanghaiTech. "
        f"{_advice(part)}"
    )


def _advice(part):
    layout = LAYOUT.format(part=part.upper())
    return f"Download it from {DOWNLOAD} and unpack it to this layout:\n{layout}"


class ShanghaiTech(tfds.core.GeneratorBasedBuilder):
    """One part as an array_record data set; no TensorFlow to build it or to read it.

    The JPEG files are stored as they are. `manual_dir` is the part's folder.
    """

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name="a", description="Part A, from the web."),
        tfds.core.BuilderConfig(name="b", description="Part B, streets of Shanghai."),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        f"Download {DOWNLOAD}; manual_dir is part_A or part_B."
    )

    def _info(self):
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(None, None, 3)),
                "points": tfds.features.Tensor(shape=(None, 2), dtype=np.float32),
                "name": tfds.features.Text(),
            }
        )
        return tfds.core.DatasetInfo(
            builder=self,
            features=features,
            description="ShanghaiTech: photographs of crowds with every head marked.",
            homepage=DOWNLOAD,
        )

    def _split_generators(self, dl_manager):
        folder = Path(dl_manager.manual_dir)
        splits = [s for s in ("train", "test") if (folder / f"{s}_data").is_dir()]
        return {s: self._generate_examples(folder / f"{s}_data") for s in splits}

    def _generate_examples(self, folder):
        for image, annotation in _pairs(folder):
            shape = _check_image(image)
            points = _keep_inside(_read_points(annotation), shape, annotation)
            example = {"image": image, "points": points, "name": image.stem}
            yield image.stem, example


def _pairs(folder):
    """(photograph, annotation) paths of a split's folder, by number."""
    names = ("ground-truth", "ground_truth")
    truth = next(
        (folder / n for n in names if (folder / n).is_dir()), folder / names[0]
    )
    images = [p for p in (folder / "images").glob("*") if _number(p) is not None]
    if not images:
        raise ValueError(f"{folder / 'images'} holds no photographs IMG_1.jpg, ...")
    pairs = [(p, truth / f"GT_{p.stem}.mat") for p in sorted(images, key=_number)]
    for image, annotation in pairs:
        if not annotation.is_file():
            raise ValueError(f"{image} has no annotation: {annotation} is missing.")
    return pairs


def _number(path):
    match = re.fullmatch(r"IMG_(\d+)\.jpe?g", path.name, re.IGNORECASE)
    return int(match[1]) if match else None


def _check_image(path):
    """(height, width), after decoding every pixel once."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            image.load()
            return image.size[::-1]
    except Exception as error:  # pillow raises whatever a damaged file leads to
        raise ValueError(f"{path} is not a whole JPEG photograph: {error}.") from error


def _read_points(path):
    """`[N, 2]` float32 (x, y) of a GT_IMG_n.mat."""
    try:
        points = np.asarray(loadmat(path)["image_info"][0, 0][0, 0][0], np.float32)
    except Exception as error:  # SciPy's reader raises whatever a damaged file leads to
        raise ValueError(
            f"{path} holds no head points: expected a MATLAB file with image_info "
            f"of [N, 2] positions ({type(error).__name__}: {error})."
        ) from error
    return points.reshape(-1, 2) if points.size == 0 else points


def _keep_inside(points, shape, path):
    """The heads inside the photograph; says in one line how many were not."""
    try:
        kept = density.inside(points, shape)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not kept.all():
        outside, size = (~kept).sum(), f"{shape[1]}x{shape[0]}"
        text = "%s: %d of %d heads lie outside the photograph of %s pixels; dropped."
        logging.warning(text, path, outside, len(kept), size)
    return points[kept]
