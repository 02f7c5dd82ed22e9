"""Damaged files are read or refused with an error, without a memory leak."""

import io
import resource

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
MEGABYTE = 2**20


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


def mutate(rng, data, others):
    """A copy with bytes changed, removed, repeated or added, or with another end."""
    mutant = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        place = int(rng.integers(len(mutant)))
        if rng.random() < 0.5:  # the header
            place = place % 64
        length = int(rng.integers(1, 17))
        match rng.integers(7):
            case 0:
                mutant[place] ^= 1 << rng.integers(8)
            case 1:
                mutant[place : place + length] = rng.bytes(length)
            case 2:
                del mutant[place : place + length]
            case 3:
                mutant[place:place] = mutant[place : place + length]
            case 4:  # numbers at integer limits
                number = rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
                order = ["little", "big"][rng.integers(2)]
                mutant[place : place + 4] = int(number).to_bytes(4, order)
            case 5:
                del mutant[max(place, 1) :]
            case 6:
                mutant[place:] = others[place:]
        if not mutant:
            break
    return bytes(mutant)


def fuzz(folder, seeds, number, seed):
    """The number of files that were read, and the errors of the others."""
    rng, names, read, refused = np.random.default_rng(seed), sorted(seeds), 0, []
    for _ in range(number):
        name = names[rng.integers(len(names))]
        other = seeds[names[rng.integers(len(names))]]
        file = folder / name
        file.write_bytes(mutate(rng, seeds[name], other))
        try:
            pixels = image_io.read_image(file).pixels
        except ValueError as error:
            assert str(file) in str(error) and "\n" not in str(error), error
            refused.append(str(error))
        else:
            read += 1
            assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.size
            assert pixels.shape[2] == 3
    return read, refused


def resident_bytes():
    """The resident memory of this process in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_undamaged_files_are_read(tmp_path, seeds):
    for name, file in seeds.items():
        (tmp_path / name).write_bytes(file)
        assert image_io.read_image(tmp_path / name).pixels.shape == (64, 80, 3)


def test_damaged_files_are_read_or_refused(tmp_path, seeds):
    read, refused = fuzz(tmp_path, seeds, 600, seed=0)
    assert read > 60 and len(refused) > 60
    kinds = (" is not a ", " is damaged: ", " pixels")
    assert all(any(kind in text for kind in kinds) for text in refused)


@pytest.mark.long
def test_ten_thousand_damaged_files(tmp_path, seeds):
    """Memory grows only while pillow loads its formats."""
    try:
        fuzz(tmp_path, seeds, 1000, seed=1)
        resident_before = resident_bytes()
    except FileNotFoundError:
        pytest.skip("no /proc to read the memory use from")
    read, refused = fuzz(tmp_path, seeds, 10_000, seed=2)
    grown = (resident_bytes() - resident_before) / MEGABYTE
    print(f"{read} images, {len(refused)} errors, {grown:+.1f} MB")
    assert read > 1000 and len(refused) > 1000
    assert grown < 50
