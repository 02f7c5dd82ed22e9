"""NWPU-Crowd (Wang et al., TPAMI 2020): 5,109 images, some of them without heads.

Download: https://www.crowdbenchmark.com/nwpucrowd.html. For academic, non-commercial
use only. Unpacked:

    NWPU-Crowd/
      images/0001.jpg ...         or images_part1/ ... images_part5/, as the zips unpack
      mats/0001.mat ...           annPoints holds [N, 2] (x, y), pixels; may be empty
      train.txt                   3,109 lines: number, luminance, crowd level
      val.txt                     500 lines in the same format
      test.txt                    1,500 images whose heads are not public; not read

Only the benchmark's server can score the test set. Here "test" is "val", which papers
report beside the server's scores. Do not use it for model selection.

Implemented from the documented layout; not tested on the files. Sources: the authors'
sample code (gjy3035/NWPU-Crowd-Sample-Code: folders, annPoints, points outside the
image, the lists' columns), CLIP-EBC's preprocess.py (images_part*) and the benchmark's
page (the terms). The lists' lengths are the paper's. The heads are not verified.
"""

from pathlib import Path

from cpcnn_jax import config
from cpcnn_jax.data import Dataset, annotated_image, checksums, readers
from cpcnn_jax.data.datasets import base

ORIGIN = base.Origin(
    name="NWPU-Crowd",
    download="https://www.crowdbenchmark.com/nwpucrowd.html",
    terms="academic, non-commercial use only",
    layout="""  NWPU-Crowd/
    images/0001.jpg ... (or images_part1/ ... images_part5/)
    mats/0001.mat ...
    train.txt
    val.txt""",
    places=("", "NWPU-Crowd"),
    marker="mats",
)


def open_dataset(data: config.NwpuCrowd, split: str) -> Dataset:
    """Opens "train" or "val"; "test" is another name for "val".

    Raises:
      ValueError: a folder or a file is missing or damaged; the text names it.
    """
    public = "val" if split == "test" else split
    return base.open_dataset(NwpuCrowd, data, public)


class NwpuCrowd(base.Builder):
    """Builder of the two splits with public heads, by the authors' lists."""

    ORIGIN = ORIGIN
    TOTALS = {"train": (3109, None), "val": (500, None)}

    @classmethod
    def splits(cls, folder: Path) -> dict[str, list[annotated_image.AnnotatedImage]]:
        """Pairs the images of train and val with their annotations."""
        check = checksums.make_checker(folder)
        return {
            split: _make_samples(folder, check(folder / f"{split}.txt"))
            for split in cls.TOTALS
        }


def _make_samples(folder, list_file):
    images: dict[str, Path] = {}
    for path in sorted(folder.glob("images*/*.jpg")):
        if images.setdefault(path.stem, path) != path:
            raise ValueError(f"{path} has the name of {images[path.stem]}: remove one.")
    return annotated_image.pair_annotations(
        [images.get(n, folder / f"images/{n}.jpg") for n in _read_numbers(list_file)],
        lambda image: folder / "mats" / f"{image.stem}.mat",
        readers.read_points,
    )


def _read_numbers(path):
    """The first field of each line of a list."""
    try:
        return [line.split()[0] for line in path.read_text().splitlines() if line]
    except (OSError, IndexError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is not a list of images: expected lines '0001 0 1' ({error})."
        ) from error
