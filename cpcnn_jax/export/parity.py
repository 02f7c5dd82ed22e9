"""Parity of an exported file's densities with those of the networks."""

import dataclasses
import importlib.metadata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cpcnn_jax.io import image as image_io

# Share of the highest density; accelerators may round to a thousandth.
LIMIT = 0.01
PACKAGES = ("cpcnn_jax", "jax", "jaxlib", "onnx", "onnxruntime")


@dataclasses.dataclass(frozen=True)
class Difference:
    """Results of the networks and of the exported file for one image."""

    photograph: str  # name of the image
    height: int  # pixels, after a reduction to `max_size`
    width: int
    count: float  # people
    exported_count: float
    highest_density: float  # people per pixel
    density_difference: float  # people per pixel, the largest of all pixels

    @property
    def count_difference(self) -> float:
        """Absolute difference of the counts, people."""
        return abs(self.exported_count - self.count)


def compare(
    counter: Any,
    run: Callable[[np.ndarray], np.ndarray],
    name: str,
    image: Any,
    *,
    max_size: int | None,
) -> Difference:
    """Counts the people in one image with the networks and with the exported file.

    Args:
      counter: an `inference.counter.Counter`.
      run: the exported file as a function, `[1, H, W, 3]` to `[1, H, W, 1]`.
      name: name of the image.
      image: anything that `counter.count` takes.
      max_size: pixels; an image with a longer side is first reduced to this.

    Returns:
      The `Difference`.

    Raises:
      ValueError: the image cannot be counted, or the two maps differ by more than a
        hundredth of their highest density.
    """
    expected = counter.count(image, max_size=max_size)
    pixels = expected.image.pixels
    height, width = pixels.shape[:2]
    padded = image_io.padded_window(pixels, (0, height), (0, width))
    density = np.asarray(run(padded[None]))[0, ..., 0]
    difference = float(np.abs(density - expected.density).max())
    highest = float(np.abs(expected.density).max())
    if not difference <= LIMIT * highest:  # also true of NaN
        raise ValueError(
            f"{name}: the exported density differs by {difference:.2g} people per "
            f"pixel from the networks', at most {highest:.2g}; nothing was written"
        )
    people = float(density.sum(dtype=np.float64))
    return Difference(name, height, width, expected.count, people, highest, difference)


def summarize(differences: Sequence[Difference]) -> str:
    """Describes the largest differences in one sentence."""
    density = max(differences, key=lambda d: d.density_difference)
    count = max(differences, key=lambda d: d.count_difference)
    return (
        f"on {len(differences)} image{'s' * (len(differences) > 1)} it differs "
        f"from cpcnn_jax by at most {count.count_difference:.2g} people ("
        f"{count.photograph}, {count.count:,.1f}) and {density.density_difference:.2g} "
        f"people per pixel ({density.photograph}, at most "
        f"{density.highest_density:.2g})"
    )


def make_report(differences: Sequence[Difference], **about: Any) -> dict[str, Any]:
    """Collects the differences in a dict that JSON can hold.

    Args:
      differences: at least one.
      **about: further entries, which come first.

    Returns:
      The largest differences, the differences of each image, and package versions.
    """
    largest = {
        name: max(getattr(d, name) for d in differences)
        for name in ("density_difference", "count_difference")
    }
    rows = [
        dataclasses.asdict(d) | {"count_difference": d.count_difference}
        for d in differences
    ]
    versions = {package: _find_version(package) for package in PACKAGES}
    return {**about, "largest": largest, "photographs": rows, "versions": versions}


def _find_version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
