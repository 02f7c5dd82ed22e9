"""Synthetic example images for the page."""

import functools
import io
from typing import Any

from PIL import Image

from cpcnn_jax import config, data
from cpcnn_jax.data.datasets.joined import JoinedDataset
from cpcnn_jax.data.splits import Subset

# (seed, number) of three crowds that the default weights count within their ranges.
CROWDS = ((53, 0), (50, 1), (67, 0))


@functools.cache
def open_images() -> Any:
    """Opens the images, which are drawn on access; see `cpcnn_jax.data`."""
    return JoinedDataset({f"{seed}": _open_one(seed, n) for seed, n in CROWDS})


def _open_one(seed, number):
    crowd = config.SyntheticCrowd(
        num_test=3, height=480, width=640, max_heads=900, seed=seed
    )
    return Subset(data.open_dataset(crowd, "test"), [number])


@functools.cache
def encode_jpeg(number: int) -> bytes:
    """Encodes an image as JPEG; numbers start at 0."""
    file = io.BytesIO()
    Image.fromarray(open_images()[number]["image"]).save(file, "jpeg", quality=92)
    return file.getvalue()
