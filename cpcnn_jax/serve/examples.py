"""Photographs to try the page with, of the generated crowd: nobody is in them."""

import functools
import io

from PIL import Image

from cpcnn_jax import config, data

# The seed was chosen for a sparse, a middling and a dense one.
CROWD = config.SyntheticCrowd(num_test=3, height=480, width=640, max_heads=900, seed=53)


@functools.cache
def source():
    """The generated photographs, which are drawn when they are asked for."""
    return data.open_dataset(CROWD, "test")


@functools.cache
def jpeg(number):
    """A photograph as a file.

    Args:
      number: from 0.

    Returns:
      Bytes.
    """
    file = io.BytesIO()
    Image.fromarray(source()[number]["image"]).save(file, "jpeg", quality=92)
    return file.getvalue()
