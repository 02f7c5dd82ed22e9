"""Small videos of noise, written with PyAV."""

from fractions import Fraction

import numpy as np
import pytest

from cpcnn_jax.io import video as video_io

pytest.importorskip("av")


def write(path, *, seconds=4, rate=2, height=72, width=96):
    """Writes a video (MP4) and returns its path."""
    rng = np.random.default_rng(0)
    with video_io.write_video(path, rate=Fraction(rate)) as add:
        for _ in range(seconds * rate):
            add(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    return path


def damage(path):
    """Overwrites the second half of a video's frames."""
    data = path.read_bytes()
    start, end = data.index(b"mdat") + 4, data.rindex(b"moov") - 4
    middle = (start + end) // 2
    path.write_bytes(data[:middle] + bytes(end - middle) + data[end:])
