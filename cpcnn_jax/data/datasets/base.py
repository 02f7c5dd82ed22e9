"""What the builders share: a folder found, its files paired, a record of each pair.

A data set is a module of its own that says where its files come from (`Origin`) and
which annotation belongs to which photograph (`Builder.splits`); the rest is here. All
photographs are paired before the first is read, and all are read before any is used.
What is wrong with one is a ValueError, which refuses the whole data set or, with
`on_invalid="skip"`, leaves out the photograph and is kept in the prepared copy.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from cpcnn_jax.data import checksums, readers, sample
from cpcnn_jax.data.datasets import tfds_cache


class Origin(NamedTuple):
    """Where a data set comes from, in the words of its error texts."""

    name: str
    download: str  # its owners' page
    terms: str  # what they allow
    layout: str  # of the unpacked folder
    places: tuple  # where that folder may lie below --config.data.root
    marker: str  # a glob that finds something in that folder only


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """An array_record data set of photographs; no TensorFlow to build or to read it.

    The files of the photographs are stored as they are. `manual_dir` is the data set's
    folder. A subclass has ORIGIN, `splits`, and TOTALS: (photographs, heads) of each
    split as distributed, or None where no number could be checked.
    """

    VERSION = tfds.core.Version("1.1.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "manual_dir is the folder; see the module's text."
    FEATURES = {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "points": tfds.features.Tensor(shape=(None, 2), dtype=np.float32),
        "name": tfds.features.Text(),
    }

    def __init__(self, *, on_invalid="raise", **kwargs):
        """As every tfds builder; `on_invalid` as in `config.ImageDataset`."""
        super().__init__(**kwargs)
        self._on_invalid = on_invalid

    @classmethod
    def splits(cls, folder):
        """{split: `sample.Sample`s} of a folder."""
        raise NotImplementedError

    def example(self, photograph):
        """The record of a photograph, checked."""
        image, annotation, read, _ = photograph
        seen = readers.check_image(image)
        points = readers.as_points(read(annotation), annotation)
        if sample.is_turned(photograph, points, seen):
            raise ValueError(f"{image}: {sample.TURNED % seen.orientation}.")
        points = readers.keep_inside(points, seen.shape, annotation)
        return {"image": image, "points": points, "name": image.stem}

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(self.FEATURES),
            description=f"{self.ORIGIN.name}: photographs with every head marked.",
            homepage=self.ORIGIN.download,
            metadata=tfds.core.MetadataDict(skipped={}),
        )

    def _split_generators(self, dl_manager):
        folder = Path(dl_manager.manual_dir)
        self.check = checksums.make_checker(folder)
        there = {
            split: [p for p, _ in self._each(split, chosen, self._check_files)]
            for split, chosen in self.splits(folder).items()
        }
        return {s: self._generate_examples(s, there[s]) for s in there}

    def _generate_examples(self, split, photographs):
        made = 0
        for photograph, example in self._each(split, photographs, self.example):
            yield photograph.image.stem, example
            made += 1
        if not made:
            reasons = self.info.metadata["skipped"].get(split, ["it holds none."])
            raise ValueError(
                f"{self.ORIGIN.name}: no photograph of {split} can be used: "
                f"{reasons[0]}"
            )

    def _each(self, split, photographs, make):
        """(photograph, make(photograph)) of each good one."""
        for photograph in photographs:
            try:
                made = make(photograph)
            except ValueError as error:
                if self._on_invalid != "skip":
                    raise
                logging.warning("Skipped: %s", error)
                skipped = self.info.metadata["skipped"]
                skipped.setdefault(split, []).append(str(error))
            else:
                yield photograph, made

    def _check_files(self, photograph):
        sample.check_files(photograph, self.check)


def open_dataset(builder_class, data, split):
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
    folder = find_root(origin, data.root)
    source = tfds_cache.open_cached(
        builder_class, folder, split, on_invalid=data.on_invalid
    )
    return check_totals(source, totals[split], f"{origin.name} {split} in {data.root}")


def find_root(origin, root):
    """The folder of a data set; a ValueError says what to do where it is not there."""
    if folder := cache_place(origin, root):
        return folder
    state = "holds no" if Path(root).is_dir() else "is not a folder, so it holds no"
    raise ValueError(
        f"--config.data.root={root} {state} {origin.name}. {download_advice(origin)}"
    )


def cache_place(origin, root):
    """The folder of a data set, at one of the places where people keep it, or None."""
    folders = (Path(root) / place for place in origin.places)
    return next((f for f in folders if any(f.glob(origin.marker))), None)


def download_advice(origin):
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
