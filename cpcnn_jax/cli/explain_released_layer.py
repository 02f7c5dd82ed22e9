"""Runs the released network for the pictures of `cpcnn_jax explain --format html`."""

import os

import jax
import jax.numpy as jnp
import numpy as np

from cpcnn_jax.explain.released_layer_pictures import (
    HEIGHT,
    WIDTH,
    NetworkPictures,
    color_pictures,
)
from cpcnn_jax.inference import counter
from cpcnn_jax.io import image as image_io
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.weights import pretrained

MAX_SIZE = 960  # pixels, the longer side of the image that the network takes


def compute_pictures(
    path: str | os.PathLike[str], corner: tuple[int, int] | None = None
) -> NetworkPictures:
    """Computes the pictures for a part of an image with the default weights.

    Args:
      path: an image file of at least 160x128 pixels.
      corner: (top, left) of the part, pixels, multiples of 4; None: the center.

    Raises:
      ValueError: the image cannot be read or is too small.
    """
    pixels = image_io.read_image(path, max_size=MAX_SIZE).pixels
    height, width = pixels.shape[:2]
    if height < HEIGHT or width < WIDTH:
        raise ValueError(
            f"{path} has {width}x{height} pixels: the page shows {WIDTH}x{HEIGHT} of "
            "them; take a larger --image"
        )
    scale = 255 if pixels.dtype == np.uint8 else 1
    image = np.asarray(pixels / np.float32(scale), np.float32)
    before, after, density = _run_network(image)
    corner = corner or ((height - HEIGHT) // 8 * 4, (width - WIDTH) // 8 * 4)
    top, left = corner
    parts = [
        array[top // n : (top + HEIGHT) // n, left // n : (left + WIDTH) // n]
        for array, n in ((image, 1), (before, 4), (after, 2), (density, 1))
    ]
    return color_pictures(*parts)


def _run_network(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the first T's input and output, after their ReLUs, and the density."""
    counting = counter.load(pretrained.DEFAULT)
    variables = to_variables(counting.weights)

    @jax.jit
    def apply(variables, images):
        return counting.model.apply(
            variables,
            images,
            capture_intermediates=lambda module, _: module.name in ("conv2", "t1"),
            mutable=["intermediates"],
        )

    (density, _), state = apply(variables, jnp.asarray(image)[None])
    layers = state["intermediates"]["fcnn"]
    before, after = (layers[name]["__call__"][0][0] for name in ("conv2", "t1"))
    features = (np.maximum(np.asarray(layer), 0) for layer in (before, after))
    return *features, np.asarray(density)[0, :, :, 0]
