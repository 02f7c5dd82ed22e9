"""Damaged files: each is a photograph or a sentence, and nothing stays in memory."""

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
    """A generated crowd as files of every format, and of colours that are rarer."""
    crowd = config.SyntheticCrowd(num_test=1, height=64, width=80, max_heads=30)
    picture = Image.fromarray(data.open_dataset(crowd, "test")[0]["image"])
    found = {name: encoded(picture, name, **kw) for name, kw in FORMATS.items()}
    found |= {"clear.png": encoded(picture.convert("RGBA"), "png")}
    found |= {"palette.png": encoded(picture.convert("P"), "png")}
    found |= {"cmyk.jpg": encoded(picture.convert("CMYK"), "jpg")}
    return found


def encoded(picture, name, **options):
    file, suffix = io.BytesIO(), name.rpartition(".")[2]
    kind = {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix)
    picture.save(file, kind, **options)
    return file.getvalue()


def mutated(rng, data, others):
    """A file with bytes changed, lost, repeated, added, or the end of another file."""
    found = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        place = int(rng.integers(len(found)))
        if rng.random() < 0.5:  # where a file says what it is
            place = place % 64
        length = int(rng.integers(1, 17))
        match rng.integers(7):
            case 0:
                found[place] ^= 1 << rng.integers(8)
            case 1:
                found[place : place + length] = rng.bytes(length)
            case 2:
                del found[place : place + length]
            case 3:
                found[place:place] = found[place : place + length]
            case 4:  # the numbers at which programs break
                number = rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
                order = ["little", "big"][rng.integers(2)]
                found[place : place + 4] = int(number).to_bytes(4, order)
            case 5:
                del found[max(place, 1) :]
            case 6:
                found[place:] = others[place:]
        if not found:
            break
    return bytes(found)


def fuzz(folder, seeds, number, seed):
    """Reads so many files; how many were photographs, and the sentences of the rest."""
    rng, names, read, refused = np.random.default_rng(seed), sorted(seeds), 0, []
    for _ in range(number):
        name = names[rng.integers(len(names))]
        other = seeds[names[rng.integers(len(names))]]
        file = folder / name
        file.write_bytes(mutated(rng, seeds[name], other))
        try:
            found = image_io.read_image(file).pixels
        except ValueError as error:
            assert str(file) in str(error) and "\n" not in str(error), error
            refused.append(str(error))
        else:
            read += 1
            assert found.dtype == np.uint8 and found.ndim == 3 and found.size
            assert found.shape[2] == 3
    return read, refused


def resident():
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_every_seed_is_a_photograph(tmp_path, seeds):
    for name, file in seeds.items():
        (tmp_path / name).write_bytes(file)
        assert image_io.read_image(tmp_path / name).pixels.shape == (64, 80, 3)


def test_damaged_files(tmp_path, seeds):
    read, refused = fuzz(tmp_path, seeds, 600, seed=0)
    assert read > 60 and len(refused) > 60
    assert {" is no " in text or " is damaged: " in text for text in refused}


@pytest.mark.long
def test_ten_thousand_damaged_files(tmp_path, seeds):
    """Memory may grow while pillow's formats are loaded, and not after."""
    try:
        fuzz(tmp_path, seeds, 1000, seed=1)
        before = resident()
    except FileNotFoundError:
        pytest.skip("no /proc to read the memory from")
    read, refused = fuzz(tmp_path, seeds, 10_000, seed=2)
    grown = (resident() - before) / MEGABYTE
    print(f"{read} photographs, {len(refused)} sentences, {grown:+.1f} MB")
    assert read > 1000 and len(refused) > 1000
    assert grown < 50
