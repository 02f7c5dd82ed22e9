"""What the builders share: a folder found, its files paired, a record of each pair.

A data set is a module of its own that says where its files come from (`Origin`) and
which annotation belongs to which photograph (`Builder.splits`); the rest is here. All
photographs are paired before the first is read, and all are read before any is used.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from cpcnn_jax.data import foreign, prepared


class Origin(NamedTuple):
    """Where a data set comes from, in the words of its error texts."""

    name: str
    download: str  # its owners' page
    terms: str  # what they allow
    layout: str  # of the unpacked folder
    places: tuple  # where that folder may lie below --config.data.root
    marker: str  # a glob that finds something in that folder only


class Photograph(NamedTuple):
    """One photograph and where its heads are written."""

    image: Path
    annotation: Path | str  # as messages name it
    read: Callable  # of the annotation: `[N, 2]` float32 (x, y), pixels


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """An array_record data set of photographs; no TensorFlow to build or to read it.

    The JPEG files are stored as they are. `manual_dir` is the data set's folder. A
    subclass has ORIGIN, `splits`, and TOTALS: (photographs, heads) of each split as
    distributed, or None where no number could be checked.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "manual_dir is the folder; see the module's text."
    FEATURES = {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "points": tfds.features.Tensor(shape=(None, 2), dtype=np.float32),
        "name": tfds.features.Text(),
    }

    def splits(self, folder):
        """{split: `Photograph`s} of a folder."""
        raise NotImplementedError

    def example(self, photograph):
        """The record of a photograph, checked."""
        image, annotation, read = photograph
        shape = foreign.check_image(image)
        points = foreign.keep_inside(read(annotation), shape, annotation)
        return {"image": image, "points": points, "name": image.stem}

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(self.FEATURES),
            description=f"{self.ORIGIN.name}: photographs with every head marked.",
            homepage=self.ORIGIN.download,
        )

    def _split_generators(self, dl_manager):
        splits = self.splits(Path(dl_manager.manual_dir))
        return {s: self._generate_examples(chosen) for s, chosen in splits.items()}

    def _generate_examples(self, photographs):
        for photograph in photographs:
            yield photograph.image.stem, self.example(photograph)


def open_source(builder_class, data, split):
    """Opens a split; at its first use the whole data set is checked and prepared.

    Args:
      builder_class: a `Builder`.
      data: its configuration; `data.root` is the data set's folder, or one that holds
        it under its usual name.
      split: one of the class's TOTALS.

    Returns:
      A source; see `cpcnn_jax.data`.

    Raises:
      ValueError: a folder or a file is missing or damaged; the text names it.
    """
    origin, totals = builder_class.ORIGIN, builder_class.TOTALS
    if split not in totals:
        raise ValueError(f"{origin.name} has the splits {[*totals]}; got {split!r}.")
    source = prepared.open_source(builder_class, find(origin, data.root), split)
    return check_totals(source, totals[split], f"{origin.name} {split} in {data.root}")


def find(origin, root):
    """The folder of a data set, at one of the places where people keep it."""
    for place in origin.places:
        if any((Path(root) / place).glob(origin.marker)):
            return Path(root) / place
    state = "holds no" if Path(root).is_dir() else "is not a folder, so it holds no"
    raise ValueError(
        f"--config.data.root={root} {state} {origin.name}. {advice(origin)}"
    )


def advice(origin):
    """What to do for a data set that is not there."""
    return (
        f"Download it from {origin.download} ({origin.terms}) and unpack it to this "
        f"layout:\n{origin.layout}"
    )


def check_totals(source, totals, what):
    """Returns the source; warns of one that is not the data set as distributed."""
    photographs, heads = totals
    found = len(source), sum(len(points) for points in source.points)
    if found != (photographs, found[1] if heads is None else heads):
        expected = f"{photographs}" if heads is None else f"{photographs} with {heads}"
        logging.warning(
            "%s holds %d photographs with %d heads; expected %s. Its scores may not "
            "compare with those of others.",
            *(what, *found, expected),
        )
    return source


def paired(images, annotation, read):
    """A `Photograph` for each image; all the files must be there.

    Args:
      images: paths.
      annotation: the function from an image's path to its annotation's.
      read: the function from an annotation's path to `[N, 2]` float32.
    """
    photographs = [Photograph(image, annotation(image), read) for image in images]
    for image, path, _ in photographs:
        if not image.is_file():
            raise ValueError(f"{image} is missing.")
        if not path.is_file():
            raise ValueError(f"{image} has no annotation: {path} is missing.")
    return photographs
