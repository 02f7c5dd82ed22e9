"""A folder of photographs, prepared once by a tensorflow-datasets builder, as a source.

The prepared copy lies in TFDS_DATA_DIR (by default ~/tensorflow_datasets), in a folder
named after the names, sizes and times of the files it was made of: another folder, or
one changed file, makes another copy, and none is ever stale. The builder writes beside
its place and moves there when done, so a killed preparation leaves no half copy there.
The copy knows which photographs were skipped, and is refused to who wants none skipped.
"""

import contextlib
import errno
import hashlib
import io
import shutil
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from PIL import Image

from cpcnn_jax.data import readers


def open_cached(builder_class, folder, split, *, name="", on_invalid="raise"):
    """Prepares a folder if that has not been done, and opens one of its splits.

    Args:
      builder_class: a `base.Builder` whose `manual_dir` is the folder, with the
        features image, points and name, and any others.
      folder: the photographs and annotations, as distributed.
      split: a split of the builder, or several joined by "+".
      name: of its BuilderConfig, if it has any.
      on_invalid: as in `config.ImageDataset`.

    Returns:
      A source; see `cpcnn_jax.data`.

    Raises:
      ValueError: what the builder says of a damaged file; nowhere to write the copy.
    """
    root = Path(tfds.core.constants.get_default_data_dir()).expanduser()
    place = root / "cpcnn_jax" / _digest(folder)
    path = place / builder_class.name / name / str(builder_class.VERSION)
    source = _reopened(path, split) if path.exists() else None
    if source is None:
        logging.info("Preparing %s in %s.", folder, path)
        settings = {"config": name or None, "data_dir": place, "on_invalid": on_invalid}
        _prepare(builder_class(**settings), folder)
        source = CachedDataset(path, split)
    if source.skipped and on_invalid != "skip":
        raise ValueError(source.skipped[0])
    if left := len(source.skipped):
        text = "%s, %s: %d of %d photographs were skipped; the first: %s"
        total = len(source) + left
        logging.warning(text, folder, split, left, total, source.skipped[0])
    return source


def _reopened(path, split):
    """The source, or None of a damaged copy, which is removed."""
    try:
        return CachedDataset(path, split)
    except Exception as error:  # whatever a damaged copy leads to
        logging.warning("%s is damaged and is prepared again: %s", path, error)
        shutil.rmtree(path, ignore_errors=True)
        return None


def _prepare(builder, folder):
    """Writes the copy; tfds moves it to its place when it is whole."""
    tfds.disable_progress_bar()
    settings = tfds.download.DownloadConfig(manual_dir=folder)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # two lines that were logged
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
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        status = path.stat()
        line = (path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns)
        digest.update(repr(line).encode())
    return digest.hexdigest()[:16]


class CachedDataset:
    """A source over a prepared split, in the order of the photographs' numbers.

    Args:
      path: the prepared copy.
      split: as for `open_cached`.
    """

    def __init__(self, path, split):
        """Reads every record once, for the names, the sizes and the heads."""
        builder = tfds.builder_from_directory(path)
        known = ("name", "points")
        later = {k: f for k, f in builder.info.features.items() if k not in known}
        skip = dict.fromkeys(later, tfds.decode.SkipDecoding())
        skipped = builder.info.metadata["skipped"]
        self.skipped = tuple(w for s in split.split("+") for w in skipped.get(s, ()))
        self._records = builder.as_data_source(split, decoders=skip)
        self._extra = {k: f for k, f in later.items() if k != "image"}
        heads = [_outline(record) for record in self._records]
        self._order = sorted(range(len(heads)), key=lambda i: _natural(heads[i][0]))
        self.names, self.shapes, self.points = zip(
            *(heads[i] for i in self._order), strict=True
        )

    def __len__(self):
        """Number of photographs."""
        return len(self.names)

    def __getitem__(self, i):
        """Photograph i, decoded."""
        record = self._records[self._order[i]]
        with _open(record) as image:
            pixels = np.asarray(image.convert("RGB"))
        extra = {k: _decoded(f, record[k]) for k, f in self._extra.items()}
        return {
            "name": self.names[i],
            "image": pixels,
            "points": self.points[i],
            **extra,
        }


def _open(record):
    return Image.open(io.BytesIO(record["image"]), formats=readers.FORMATS)


def _decoded(feature, stored):
    """The value of a feature; text as str."""
    value = feature.decode_example_np(stored)
    return value.decode() if isinstance(value, bytes) else value


def _outline(record):
    """(name, (height, width), points) without decoding the pixels."""
    with _open(record) as image:
        shape = image.size[::-1]
    return record["name"].decode(), shape, np.asarray(record["points"], np.float32)


def _natural(name):
    """IMG_2 before IMG_10."""
    return len(name), name
