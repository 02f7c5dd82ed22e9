"""Synthetic example images for the page."""

import functools
import io
from typing import Any

from PIL import Image

from cpcnn_jax import config, data

# The seed gives a sparse, a medium and a dense crowd.
CROWD = config.SyntheticCrowd(num_test=3, height=480, width=640, max_heads=900, seed=53)


@functools.cache
def open_images() -> Any:
    """Opens the images, which are drawn on access; see `cpcnn_jax.data`."""
    return data.open_dataset(CROWD, "test")


@functools.cache
def encode_jpeg(number: int) -> bytes:
    """Encodes an image as JPEG; numbers start at 0."""
    file = io.BytesIO()
    Image.fromarray(open_images()[number]["image"]).save(file, "jpeg", quality=92)
    return file.getvalue()
