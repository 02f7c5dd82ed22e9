"""Randomly damaged image files, identical in every run."""

import io

import numpy as np
from PIL import Image

SIZES = (0xFFFFFFFF, 0, 1, 0x7FFF)  # written over the sizes in a header
KINDS = {
    "jpeg": {},
    "png": {},
    "webp": {},
    "bmp": {},
    "tiff": {"compression": "tiff_lzw"},
    "TIFF": {},
}


def generate_files(number, seed=0):
    """Yields the bytes of image files, of which nine in ten are damaged."""
    rng = np.random.default_rng(seed)
    valid = [_encode(rng, kind, options) for kind, options in KINDS.items()]
    for n in range(number):
        data = valid[n % len(valid)]
        yield data if n % 10 == 0 else _damage(rng, bytearray(data), valid)


def _encode(rng, kind, options):
    pixels = rng.integers(0, 256, (16, 18, 3), dtype=np.uint8).repeat(5, 0).repeat(5, 1)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, kind, **options)
    return data.getvalue()


def _damage(rng, data, valid):
    for _ in range(rng.integers(1, 9)):
        # Half of the damage is in the first bytes, which hold the sizes.
        end = len(data) if rng.random() < 0.5 else min(len(data), 100)
        at = int(rng.integers(0, max(end, 1)))
        match rng.integers(0, 6):
            case 0:
                data[at : at + 1] = rng.bytes(1)
            case 1:
                data[at : at + 4] = rng.bytes(4)
            case 2:
                data[at : at + 4] = SIZES[at % 4].to_bytes(4)
            case 3:
                del data[at : at + int(rng.integers(1, 50))]
            case 4:
                data[at:at] = rng.bytes(int(rng.integers(1, 50)))
            case 5:
                other = valid[rng.integers(len(valid))]
                data[at:] = other[at:]
    return bytes(data[: rng.integers(len(data) + 1)] if rng.random() < 0.1 else data)
