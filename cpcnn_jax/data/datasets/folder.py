"""Your own photographs: a folder of them, with head points beside them.

    ROOT/
      train/                  photographs .jpg, .jpeg, .png, in folders or not
        IMG_1.jpg
        IMG_1.csv             its heads: .csv, .json or _dots.png beside it, or
        heads.json            one file for many: .csv, .json or .xml
      test/                   likewise; these are never trained on
      heads.csv               one file for both splits does as well
      SHA256SUMS              optional; see `intact`

Formats are those of `cpcnn_jax.data.annotations`; an annotation belongs to the
photograph of its name, whatever the folders and the suffix before or after it. Every
photograph needs one; that nobody is on it is said by an empty one. Points are (x, y) on
the pixels as stored; `python -m cpcnn_jax check-data ROOT` finds what is wrong.

There is no automatic split: without a folder test there is nothing to evaluate on. A
photograph of train that lies in test as well, byte for byte, cannot be used.
"""

from pathlib import Path

from cpcnn_jax.data import checksums
from cpcnn_jax.data.datasets import base, folder_index, tfds_cache

ORIGIN = base.Origin(
    name="Your own photographs",
    download="",
    terms="yours",
    layout="  ROOT/\n    train/IMG_1.jpg, IMG_1.csv ...\n    test/ ...",
    places=(),  # none but its root
    marker="",
)


def open_dataset(data, split):
    """Opens one split; at its first use the whole folder is checked and prepared.

    Args:
      data: `config.Folder`.
      split: "train" or "test".

    Returns:
      A source; see `cpcnn_jax.data`.

    Raises:
      ValueError: a folder or a file is missing or damaged; the text names it.
    """
    root = Path(data.root)
    if not (root / split).is_dir():
        raise ValueError(
            f"--config.data.root={root} has no folder {split}: put your photographs "
            "and their head points into train and test, apart from each other. The "
            f"layout is:\n{ORIGIN.layout}"
        )
    return tfds_cache.open_cached(Folder, root, split, on_invalid=data.on_invalid)


class Folder(base.Builder):
    """The splits whose folders are there."""

    ORIGIN = ORIGIN

    @classmethod
    def splits(cls, folder):
        """The splits, and in train none of test's photographs."""
        splits = folder_index.index_folder(folder).splits
        tested = {photograph.image for photograph in splits.get("test", ())}
        twins = checksums.find_duplicates(
            p.image for chosen in splits.values() for p in chosen
        )
        copies = {p: tested & group for group in twins for p in group - tested}

        def apart(photograph):
            image = photograph.image
            if not (of := copies.get(image)):
                return photograph
            return folder_index.invalid_image(
                image, f"{image} is {min(of)}, a test photograph."
            )

        return {split: [*map(apart, chosen)] for split, chosen in splits.items()}
