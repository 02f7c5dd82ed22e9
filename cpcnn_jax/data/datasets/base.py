"""Code shared by the data sets: the folder's place, the builder, the opened split.

A data set is a module with an `Origin` and a `Builder` whose `splits` pairs images with
annotations. All files are checked before the first image is read, and all images are
read before the first one is used. An invalid image is a ValueError that stops the
preparation. With `on_invalid="skip"` the prepared copy leaves out the image and records
the reason.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from cpcnn_jax.config import ImageDataset
from cpcnn_jax.data import Dataset, annotated_image, checksums, readers
from cpcnn_jax.data.datasets import tfds_cache


class Origin(NamedTuple):
    """Source and folder layout of a data set, as error messages print them."""

    name: str
    download: str  # address of the owners' page
    terms: str  # the permitted use
    layout: str  # of the unpacked folder
    places: tuple[str, ...]  # possible paths of that folder below --config.data.root
    marker: str  # glob that matches something in that folder only


class Builder(  # type: ignore[call-arg]  # tfds is loaded lazily, without types
    tfds.core.GeneratorBasedBuilder, skip_registration=True
):
    """Builder of an array_record data set, which needs no TensorFlow.

    Image files are stored unchanged. `manual_dir` is the data set's folder. A subclass
    defines ORIGIN, `splits` and TOTALS: (images, heads) of each split as distributed,
    with None for an unverified number.
    """

    ORIGIN: Origin
    TOTALS: dict[str, tuple[int, int | None]]
    VERSION = tfds.core.Version("1.1.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "manual_dir is the folder; see the module's text."
    FEATURES = {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "points": tfds.features.Tensor(shape=(None, 2), dtype=np.float32),
        "name": tfds.features.Text(),
    }

    def __init__(self, *, on_invalid: str = "raise", **kwargs: Any) -> None:
        """Takes `on_invalid` of `config.ImageDataset` and the arguments of tfds."""
        super().__init__(**kwargs)
        self._on_invalid = on_invalid

    @classmethod
    def splits(cls, folder: Path) -> dict[str, list[annotated_image.AnnotatedImage]]:
        """Pairs the images of each split with their annotations."""
        raise NotImplementedError

    def example(self, item: annotated_image.AnnotatedImage) -> dict[str, Any]:
        """Reads and checks one image and its annotation."""
        image, annotation, read = item[:3]
        assert read is not None  # check_files refuses such an item
        header = readers.check_image(image)
        points = readers.as_points(read(annotation), annotation)
        if annotated_image.is_turned(item, points, header):
            raise ValueError(f"{image}: {annotated_image.TURNED % header.orientation}.")
        points = readers.keep_inside(points, header.shape, annotation)
        return {"image": image, "points": points, "name": item.stored_name}

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(self.FEATURES),
            description=f"{self.ORIGIN.name}: images with point annotations.",
            homepage=self.ORIGIN.download,
            metadata=tfds.core.MetadataDict(skipped={}),
        )

    def _split_generators(self, dl_manager):
        folder = Path(dl_manager.manual_dir)
        self.check = checksums.make_checker(folder)
        complete = {
            split: [item for item, _ in self._valid(split, samples, self._check_files)]
            for split, samples in self.splits(folder).items()
        }
        return {s: self._generate_examples(s, complete[s]) for s in complete}

    def _generate_examples(self, split, samples):
        images: dict[str, Path] = {}
        for item, example in self._valid(split, samples, self.example):
            if (name := example["name"]) in images:
                text = f"{item.image} has the name of {images[name]}: rename one."
                raise ValueError(text)
            images[name] = item.image
            yield name, example
        if not images:
            reasons = self.info.metadata["skipped"].get(split, ["it holds none."])
            raise ValueError(
                f"{self.ORIGIN.name}: no image of {split} can be used: {reasons[0]}"
            )

    def _valid(
        self,
        split: str,
        samples: Iterable[annotated_image.AnnotatedImage],
        make: Callable,
    ) -> Iterator[tuple[annotated_image.AnnotatedImage, Any]]:
        """Yields (sample, make(sample)) of each valid sample."""
        for item in samples:
            try:
                result = make(item)
            except ValueError as error:
                if self._on_invalid != "skip":
                    raise
                logging.warning("Skipped: %s", error)
                skipped = self.info.metadata["skipped"]
                skipped.setdefault(split, []).append(str(error))
            else:
                yield item, result

    def _check_files(self, item):
        annotated_image.check_files(item, self.check)


def open_dataset(
    builder_class: type[Builder], data: ImageDataset, split: str
) -> Dataset:
    """Opens a split; the first use checks and prepares the whole data set.

    `data.root` is the data set's folder, or contains it under its usual name.

    Raises:
      ValueError: a folder or a file is missing or damaged; the text names it.
    """
    origin, totals = builder_class.ORIGIN, builder_class.TOTALS
    if split not in totals:
        raise ValueError(f"{origin.name} has the splits {[*totals]}; got {split!r}.")
    folder = require_root(origin, data.root)
    dataset = tfds_cache.open_cached(
        builder_class, folder, split, on_invalid=data.on_invalid
    )
    return check_totals(dataset, totals[split], f"{origin.name} {split} in {data.root}")


def require_root(origin: Origin, root: str | Path) -> Path:
    """Finds the folder of a data set; its ValueError gives download advice."""
    if folder := find_root(origin, root):
        return folder
    state = "holds no" if Path(root).is_dir() else "is not a folder, so it holds no"
    raise ValueError(
        f"--config.data.root={root} {state} {origin.name}. {download_advice(origin)}"
    )


def find_root(origin: Origin, root: str | Path) -> Path | None:
    """Finds the folder of a data set at one of its usual places, or None."""
    folders = (Path(root) / place for place in origin.places)
    return next((f for f in folders if any(f.glob(origin.marker))), None)


def download_advice(origin: Origin) -> str:
    """Text that tells where to download a data set and how to unpack it."""
    return (
        f"Download it from {origin.download} ({origin.terms}) and unpack it to this "
        f"layout:\n{origin.layout}"
    )


def check_totals(
    dataset: Dataset, totals: tuple[int, int | None], name: str | Path
) -> Dataset:
    """Warns if a split differs from the distributed one; returns the split."""
    images, heads = totals
    counts = len(dataset), sum(len(points) for points in dataset.points)
    if counts != (images, counts[1] if heads is None else heads):
        expected = f"{images}" if heads is None else f"{images} with {heads}"
        logging.warning(
            "%s holds %d images with %d heads; expected %s. Its scores may not "
            "compare with those of others.",
            *(name, *counts, expected),
        )
    return dataset
