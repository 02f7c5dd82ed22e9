"""The user's own images: a folder of images with point annotations beside them.

    ROOT/
      train/                  images .jpg, .jpeg, .png, in subfolders or not
        IMG_1.jpg
        IMG_1.csv             its head points: .csv, .json or _dots.png beside it, or
        heads.json            one file for many images: .csv, .json or .xml
      test/                   the same layout; never used for training
      heads.csv               one file for both splits is possible, too
      SHA256SUMS              optional; see `cpcnn_jax.data.checksums`

The formats are those of `cpcnn_jax.data.annotations`. An annotation belongs to the
image of its name. Folders, upper case and the suffix decide only between several images
of the name; if they do not, the images are invalid. Every image needs an annotation; an
empty one means no heads. Points of a CSV are (x, y) on the pixels as stored. `python -m
cpcnn_jax check-data ROOT` lists all invalid files, and all images that are not used:
those of other formats, and those outside train and test, such as valid.

There is no automatic split: evaluation needs a folder test. The validation images are
a part of train. An image of train that is equal to an image of test, byte for byte, is
invalid. Linked folders are entered if they lie below ROOT.
"""

from pathlib import Path

import tensorflow_datasets as tfds
from absl import logging

from cpcnn_jax import config
from cpcnn_jax.data import Dataset, annotated_image, checksums
from cpcnn_jax.data.datasets import base, folder_files, folder_index, tfds_cache
from cpcnn_jax.io.folder_listing import describe

ORIGIN = base.Origin(
    name="Your own images",
    download="",
    terms="yours",
    layout="  ROOT/\n    train/IMG_1.jpg, IMG_1.csv ...\n    test/ ...",
    places=(),
    marker="",
)


def open_dataset(data: config.Folder, split: str) -> Dataset:
    """Opens "train" or "test"; the first use prepares the whole folder.

    Raises:
      ValueError: a folder or a file is missing or damaged; the text names it.
    """
    root = Path(data.root)
    if not folder_files.find_split(root, split):
        raise ValueError(
            f"--config.data.root={root} has no folder {split}: put your images and "
            "their head points into train and test, apart from each other. The "
            f"layout is:\n{ORIGIN.layout}"
        )
    files = folder_files.list_folder(root)
    for path, sentence in files.unused:
        if path.is_dir():
            logging.warning("%s.", sentence)
    if files.left_out:
        logging.warning("%s: left out: %s.", root, describe(files.left_out))
    return tfds_cache.open_cached(Folder, root, split, on_invalid=data.on_invalid)


class Folder(base.Builder):
    """Builder of the splits whose folders exist."""

    ORIGIN = ORIGIN
    VERSION = tfds.core.Version("1.3.0")  # of the rules by which annotations are read

    @classmethod
    def splits(cls, folder: Path) -> dict[str, list[annotated_image.AnnotatedImage]]:
        """Pairs images with annotations; test images in train become invalid."""
        splits = folder_index.index_folder(folder).splits
        test = {item.image for item in splits.get("test", ())}
        duplicates = checksums.find_duplicates(
            item.image for samples in splits.values() for item in samples
        )
        copies = {p: test & group for group in duplicates for p in group - test}

        def check(item):
            if not (originals := copies.get(item.image)):
                return item
            text = f"{item.image} is {min(originals)}, a test image."
            return folder_index.invalid_image(item.image, text)

        return {split: [*map(check, samples)] for split, samples in splits.items()}
