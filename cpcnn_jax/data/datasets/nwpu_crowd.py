"""NWPU-Crowd (Wang et al., TPAMI 2020): 5,109 photographs, some without anybody.

Download: https://www.crowdbenchmark.com/nwpucrowd.html. For academic, non-commercial
use only. Unpacked:

    NWPU-Crowd/
      images/0001.jpg ...         or images_part1/ ... images_part5/, as the zips unpack
      mats/0001.mat ...           annPoints holds [N, 2] (x, y), pixels; may be empty
      train.txt                   3,109 lines: number, luminance, crowd level
      val.txt                     500 lines, likewise
      test.txt                    1,500 photographs whose heads are not public; not read

Nobody outside the benchmark's server can score its test set. Here "test" is "val": it
is what papers compare on beside the server, so choose nothing on it.

Built against the documented layout, not against the files. Read in the authors' sample
code (gjy3035/NWPU-Crowd-Sample-Code: folders, annPoints, that some points lie outside,
the lists' columns), in CLIP-EBC's preprocess.py (images_part*) and on the benchmark's
page: the terms. The lists' lengths are the paper's; the heads were not checked.
"""

from cpcnn_jax.data import checksums, readers, sample
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


def open_dataset(data, split):
    """Opens a split whose heads are public; "test" is another name for "val".

    Args:
      data: `config.NwpuCrowd`.
      split: "train", "val" or "test".

    Returns:
      A source; see `cpcnn_jax.data`.

    Raises:
      ValueError: a folder or a file is missing or damaged; the text names it.
    """
    public = "val" if split == "test" else split
    return base.open_dataset(NwpuCrowd, data, public)


class NwpuCrowd(base.Builder):
    """The two splits with public heads, as the authors' lists make them."""

    ORIGIN = ORIGIN
    TOTALS = {"train": (3109, None), "val": (500, None)}

    @classmethod
    def splits(cls, folder):
        """The splits train and val."""
        check = checksums.make_checker(folder)
        return {s: _photographs(folder, check(folder / f"{s}.txt")) for s in cls.TOTALS}


def _photographs(folder, numbers):
    """The photographs of a list and their annotations."""
    images = {path.stem: path for path in folder.glob("images*/*.jpg")}
    return sample.make_samples(
        [images.get(n, folder / "images" / f"{n}.jpg") for n in _numbers(numbers)],
        lambda image: folder / "mats" / f"{image.stem}.mat",
        readers.read_points,
    )


def _numbers(path):
    """The first word of each line of a list."""
    try:
        return [line.split()[0] for line in path.read_text().splitlines() if line]
    except (OSError, IndexError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is not a list of photographs: expected lines '0001 0 1' ({error})."
        ) from error
