"""How far an exported file's densities are from the networks' own."""

import importlib.metadata
from typing import NamedTuple

import numpy as np

from cpcnn_jax.io import image as image_io

# Of the highest density: an accelerator may round to a thousandth, an error is larger.
LIMIT = 0.01
PACKAGES = ("cpcnn_jax", "jax", "jaxlib", "onnx", "onnxruntime")


class Difference(NamedTuple):
    """Of one photograph, here and in the exported file."""

    photograph: str  # its name
    height: int  # pixels, as computed
    width: int
    count: float  # people
    exported_count: float
    highest_density: float  # people per pixel, of any pixel
    density_difference: float  # people per pixel, the largest of any pixel

    @property
    def count_difference(self):
        """People."""
        return abs(self.exported_count - self.count)


def compare(ready, run, name, image, *, max_size):
    """Count the people of one photograph in both ways.

    Args:
      ready: `counter.Counter`.
      run: the exported file as a function, `[1, H, W, 3]` to `[1, H, W, 1]`.
      name: of the photograph.
      image: as of `image.read_image`.
      max_size: as there.

    Returns:
      A `Difference`.

    Raises:
      ValueError: the photograph cannot be counted, is smaller than what the LCE looks
        at, or the two maps differ by more than a hundredth of their highest density.
    """
    found = ready.count(image, max_size=max_size)
    pixels = found.photograph.pixels
    height, width = pixels.shape[:2]
    if min(height, width) < (least := ready.model.lce_input_size):
        raise ValueError(
            f"{name} has {width}x{height} pixels, and the file takes images from "
            f"{least}x{least}, what the LCE of these weights looks at at once"
        )
    whole = image_io.padded_window(pixels, (0, height), (0, width))
    density = np.asarray(run(whole[None]))[0, ..., 0]
    apart = float(np.abs(density - found.density).max())
    highest = float(np.abs(found.density).max())
    if not apart <= LIMIT * highest:  # also where it is no number
        raise ValueError(
            f"{name}: the exported density is {apart:.2g} people per pixel from the "
            f"networks' own, which is at most {highest:.2g}; nothing was written"
        )
    people = float(density.sum(dtype=np.float64))
    return Difference(name, height, width, found.count, people, highest, apart)


def sentence(differences):
    """The largest differences in words."""
    density = max(differences, key=lambda d: d.density_difference)
    count = max(differences, key=lambda d: d.count_difference)
    return (
        f"on {len(differences)} photograph{'s' * (len(differences) > 1)} it differs "
        f"from cpcnn_jax by at most {count.count_difference:.2g} people ("
        f"{count.photograph}, {count.count:,.1f}) and {density.density_difference:.2g} "
        f"people per pixel ({density.photograph}, at most "
        f"{density.highest_density:.2g})"
    )


def report(differences, **about):
    """The differences as JSON can hold them.

    Args:
      differences: at least one.
      **about: further entries, which come first.

    Returns:
      Dict: the largest differences, every photograph's, and the versions that ran.
    """
    largest = {
        name: max(getattr(d, name) for d in differences)
        for name in ("density_difference", "count_difference")
    }
    rows = [d._asdict() | {"count_difference": d.count_difference} for d in differences]
    versions = {package: _version(package) for package in PACKAGES}
    return {**about, "largest": largest, "photographs": rows, "versions": versions}


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
