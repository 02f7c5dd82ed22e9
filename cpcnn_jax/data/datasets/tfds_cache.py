"""Prepared copies: an image folder, converted once by tensorflow-datasets.

Copies lie in TFDS_DATA_DIR (by default ~/tensorflow_datasets). The path of a copy
contains a digest of the names, sizes and times of the source files, so that a changed
file makes a new copy. The builder writes to a temporary folder and renames it when it
is complete. The copy lists its skipped images; opening it raises an error unless
skipped images are allowed.
"""

import contextlib
import errno
import hashlib
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from PIL import Image

from cpcnn_jax.data import Dataset, readers
from cpcnn_jax.io import folder_listing


def open_cached(
    builder_class: Any,
    folder: Path,
    split: str,
    *,
    name: str = "",
    on_invalid: str = "raise",
) -> Dataset:
    """Opens a split of a folder's prepared copy; prepares the copy if there is none.

    Args:
      builder_class: a `base.Builder` whose `manual_dir` is the folder, with the
        features image, points and name, and any others.
      folder: images and annotations, as distributed.
      split: a split of the builder, or several joined by "+".
      name: name of its BuilderConfig, if it has any.
      on_invalid: "raise" or "skip", as in `config.ImageDataset`.

    Raises:
      ValueError: a file is missing or damaged, or the copy cannot be written.
    """
    root = Path(tfds.core.constants.get_default_data_dir()).expanduser()
    place = root / "cpcnn_jax" / _digest(folder)
    path = place / builder_class.name / name / str(builder_class.VERSION)
    dataset = _reopen(path, split) if path.exists() else None
    if dataset is None:
        logging.info("Preparing %s in %s.", folder, path)
        settings = {"config": name or None, "data_dir": place, "on_invalid": on_invalid}
        _prepare(builder_class(**settings), folder)
        dataset = CachedDataset(path, split)
    if dataset.skipped and on_invalid != "skip":
        raise ValueError(dataset.skipped[0])
    if skipped := len(dataset.skipped):
        text = "%s, %s: %d of %d images were skipped; the first: %s"
        total = len(dataset) + skipped
        logging.warning(text, folder, split, skipped, total, dataset.skipped[0])
    return dataset


def _reopen(path, split):
    """The data set; None of a damaged copy, which is removed."""
    try:
        return CachedDataset(path, split)
    except Exception as error:  # readers of a damaged copy raise any exception
        logging.warning("%s is damaged and is prepared again: %s", path, error)
        shutil.rmtree(path, ignore_errors=True)
        return None


def _prepare(builder, folder):
    """Writes the copy; tfds moves it to its place when it is complete."""
    tfds.disable_progress_bar()
    settings = tfds.download.DownloadConfig(manual_dir=folder)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # two lines, logged already
            builder.download_and_prepare(
                download_config=settings, file_format="array_record"
            )
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            return  # another process finished first
        raise ValueError(
            f"Cannot write the prepared copy of {folder} to {builder.data_path}: "
            f"{error}. Set TFDS_DATA_DIR to a folder that has room and may be written."
        ) from error


def _digest(folder):
    """Sixteen hexadecimal digits that change with any file of the folder."""
    digest = hashlib.sha256()
    for path in sorted(map(Path, folder_listing.list_folder(folder).files)):
        try:
            status = path.stat()
        except OSError:  # a link to a missing file
            continue
        line = (path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns)
        digest.update(repr(line).encode())
    return digest.hexdigest()[:16]


class CachedDataset:
    """A `Dataset` over a prepared split, in the order of the images' numbers."""

    def __init__(self, path: Path, split: str) -> None:
        """Reads every record once, for the names, the shapes and the points."""
        builder = tfds.builder_from_directory(path)
        features = builder.info.features.items()
        deferred = {k: f for k, f in features if k not in ("name", "points")}
        skip = dict.fromkeys(deferred, tfds.decode.SkipDecoding())
        skipped = builder.info.metadata["skipped"]
        self.skipped: Sequence[str] = tuple(
            text for s in split.split("+") for text in skipped.get(s, ())
        )
        self._records = builder.as_data_source(split, decoders=skip)
        self._extra = {k: f for k, f in deferred.items() if k != "image"}
        headers = [_read_header(record) for record in self._records]
        self._order = sorted(range(len(headers)), key=lambda i: _natural(headers[i][0]))
        self.names: Sequence[str]
        self.shapes: Sequence[tuple[int, int]]
        self.points: Sequence[np.ndarray]
        self.names, self.shapes, self.points = zip(
            *(headers[i] for i in self._order), strict=True
        )

    def __len__(self) -> int:
        """Number of images."""
        return len(self.names)

    def __getitem__(self, i: int) -> dict[str, Any]:
        """Record of image i, decoded."""
        record = self._records[self._order[i]]
        with _open_image(record) as file:
            image = np.asarray(file.convert("RGB"))
        extra = {k: _decode(f, record[k]) for k, f in self._extra.items()}
        return {"name": self.names[i], "image": image, "points": self.points[i]} | extra


def _open_image(record):
    return Image.open(io.BytesIO(record["image"]), formats=readers.FORMATS)


def _decode(feature, stored):
    """The value of a feature; text as str."""
    value = feature.decode_example_np(stored)
    return value.decode() if isinstance(value, bytes) else value


def _read_header(record):
    """(name, (height, width), points) without decoding the pixels."""
    with _open_image(record) as image:
        shape = image.size[::-1]
    return record["name"].decode(), shape, np.asarray(record["points"], np.float32)


def _natural(name):
    """Sort key that puts IMG_2 before IMG_10."""
    return len(name), name
