"""Damaged files are read or refused with an error, without a memory leak."""

import io

import fuzzing
import numpy as np
import pytest
from PIL import Image

from cpcnn_jax import config, data
from cpcnn_jax.io import image as image_io

FORMATS = {
    "jpg": {"quality": 80},
    "progressive.jpg": {"progressive": True, "exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"},
    "png": {},
    "webp": {"lossless": True},
    "lossy.webp": {"quality": 60},
    "bmp": {},
    "tif": {},
    "packed.tif": {"compression": "tiff_lzw"},
    "deflated.tif": {"compression": "tiff_adobe_deflate"},
}
KEPT = []  # by a reader that must be noticed


@pytest.fixture(scope="module")
def seeds():
    """A synthetic image as files of every format and of rare color modes."""
    synthetic = config.SyntheticCrowd(num_test=1, height=64, width=80, max_heads=30)
    image = Image.fromarray(data.open_dataset(synthetic, "test")[0]["image"])
    files = {name: encode(image, name, **kw) for name, kw in FORMATS.items()}
    files |= {"clear.png": encode(image.convert("RGBA"), "png")}
    files |= {"palette.png": encode(image.convert("P"), "png")}
    files |= {"cmyk.jpg": encode(image.convert("CMYK"), "jpg")}
    return files


def encode(image, name, **options):
    file, suffix = io.BytesIO(), name.rpartition(".")[2]
    kind = {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix)
    image.save(file, kind, **options)
    return file.getvalue()


def damaged(folder, seeds, number, seed):
    """Yields (path, content) of damaged images."""
    rng, names = np.random.default_rng(seed), sorted(seeds)
    for _ in range(number):
        name = names[rng.integers(len(names))]
        other = seeds[names[rng.integers(len(names))]]
        yield folder / name, fuzzing.mutate(rng, seeds[name], other)


def read(path):
    pixels = image_io.read_image(path).pixels
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.size
    assert pixels.shape[2] == 3


def test_undamaged_files_are_read(tmp_path, seeds):
    for name, file in seeds.items():
        (tmp_path / name).write_bytes(file)
        assert image_io.read_image(tmp_path / name).pixels.shape == (64, 80, 3)


def test_damaged_files_are_read_or_refused(tmp_path, seeds):
    result = fuzzing.fuzz(damaged(tmp_path, seeds, 600, seed=0), read)
    assert result.read > 60 and len(result.refused) > 60
    kinds = (" is not a ", " is damaged: ", " pixels")
    assert all(any(kind in text for kind in kinds) for text in result.refused)


def keep(path):
    KEPT.append(bytes(fuzzing.MEGABYTE) + path.read_bytes())


def test_reader_that_keeps_memory_is_noticed(tmp_path, seeds):
    _, growth = fuzzing.fuzz_new_process(damaged, tmp_path, seeds, 150, keep)
    assert growth is None or growth > fuzzing.MAX_GROWTH


@pytest.mark.long
def test_ten_thousand_damaged_files(tmp_path, seeds):
    result, growth = fuzzing.fuzz_new_process(damaged, tmp_path, seeds, 10_000, read)
    print(f"{result.read} images, {len(result.refused)} errors, {growth} megabytes")
    assert result.read > 1000 and len(result.refused) > 1000
    assert growth is None or growth < fuzzing.MAX_GROWTH
