"""Trained networks that count the people in an image."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import numpy as np

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.inference import baselines, tiling
from cpcnn_jax.inference.estimator import WholeImageEstimator
from cpcnn_jax.io import image as image_io
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.params import param_shapes
from cpcnn_jax.weights import pretrained, serialization

DEMO = serialization.DEFAULTS["cpcnn"]
# Help text of the default weights.
DEFAULT_TEXT = (
    f"{pretrained.DEFAULT} where {serialization.VGG16} is, else what `make demo` writes"
)


@dataclasses.dataclass(frozen=True)
class Count:
    """The result of counting one image.

    Attributes:
      count: people, the sum of the density.
      density: `[H, W]` float32, people per pixel.
      global_scores: `[blocks, blocks, K]`, probability of each density class in each of
        the GCE's blocks; None without a GCE.
      local_scores: `[n, m, K]`, probability of each density class in each of the LCE's
        windows; None without an LCE.
      image: the image as it was read; `image.notes` lists conversions.
    """

    count: float
    density: np.ndarray
    global_scores: np.ndarray | None
    local_scores: np.ndarray | None
    image: image_io.LoadedImage


class Counter:
    """Counts people with CP-CNN; made by `load`.

    Args:
      model: the networks.
      weights: flat parameter dict.
      blocks: blocks per image side for the GCE.
      tile_size: largest side of a tile, pixels.

    Attributes:
      model, weights, blocks: as given; the weights lie on the default device.

    Raises:
      ValueError: the tile is too small for the networks.
    """

    def __init__(
        self,
        model: cpcnn.CPCNN,
        weights: Mapping[str, np.ndarray],
        *,
        blocks: int,
        tile_size: int = tiling.TILE_SIZE,
    ) -> None:
        """Moves the weights to the device; each tile size compiles at its first use."""
        self.model, self.blocks = model, blocks
        self.weights = jax.device_put(weights)
        self._estimator = WholeImageEstimator(model, blocks=blocks, tile_size=tile_size)

    def count(
        self,
        image: image_io.ImageSource,
        *,
        max_size: int | None = None,
        progress: Callable = iter,
    ) -> Count:
        """Counts the people in an image of any size from 64x64 pixels.

        Args:
          image: a path, an open file, a PIL image, or an array `[H, W, 3]` RGB or
            `[H, W]` gray, uint8 or floating point in [0, 1].
          max_size: pixels; an image with a longer side is first reduced to this.
          progress: function that wraps each list of work, such as tqdm.

        Returns:
          A `Count`.

        Raises:
          ValueError: the image cannot be read or is too small, or the weights are not
            finite. The text names the image.
        """
        loaded = image_io.read_image(image, max_size=max_size)
        pixels = loaded.pixels
        height, width = pixels.shape[:2]
        if min(height, width) < PATCH:
            raise ValueError(
                f"{loaded.name} has {width}x{height} pixels; the networks need at "
                f"least {PATCH}x{PATCH}"
            )
        density, scores = self._estimate(pixels, progress)
        people = float(density.sum(dtype=np.float64))
        if not np.isfinite(people):
            raise ValueError(f"{loaded.name}: the density is not finite; bad weights?")
        return Count(people, density, scores.get("global"), scores.get("local"), loaded)

    def _estimate(self, pixels, progress):
        scores = self._estimator.scores(self.weights, pixels, progress)
        density = self._estimator.density(self.weights, pixels, scores, progress)
        return density, scores


class BaselineCounter(Counter):
    """Counts people with MCNN or CSRNet; made by `load`.

    Args:
      estimate: an estimator of `baselines`.
      weights: flat parameter dict.
    """

    def __init__(self, estimate: Callable, weights: Mapping[str, np.ndarray]) -> None:
        """Moves the weights to the device; each tile size compiles at its first use."""
        self.weights = jax.device_put(weights)
        self._density = estimate

    def _estimate(self, pixels, progress):
        return self._density(self.weights, pixels, progress), {}


def default_weights(model: str = "cpcnn") -> str:
    """Finds the weights that commands use without --weights.

    Args:
      model: "cpcnn", "mcnn" or "csrnet".

    Returns:
      A name or path for `load`: the pretrained default where its VGG-16 is, else the
      file that a command of this package writes.

    Raises:
      ValueError: there are none; the text says how to get them.
    """
    if model == "cpcnn" and Path(serialization.VGG16).exists():
        return pretrained.DEFAULT
    file = serialization.DEFAULTS[model]
    if Path(file).exists():
        return file
    advice = f"`python -m cpcnn_jax import-weights {model}` writes it"
    if file == DEMO:
        advice = (
            f"let `make vgg16` fetch what {pretrained.DEFAULT} needs, name a weights "
            "file or the workdir of a run, or let `make demo` train a small network"
        )
    raise ValueError(f"no --weights, and {file} is not there: {advice}")


def load(
    path: str | os.PathLike[str] | None = None, *, tile_size: int = tiling.TILE_SIZE
) -> Counter:
    """Loads trained networks.

    Args:
      path: a weights file, the workdir of a run, a pretrained name, or OWNER/NAME on
        Hugging Face. The file's header says which networks it holds. None: the
        weights of `default_weights`.
      tile_size: largest side of a tile, pixels. Smaller tiles need less memory and more
        time; the result is the same.

    Returns:
      A `Counter`; `.count(image)` gives a result with `.count` and `.density`.

    Raises:
      ValueError: there are no weights, or they belong to unknown networks.

    Example:
      >>> load("runs/none")  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ValueError: no weights at runs/none: ...
    """
    file = pretrained.find_weights(default_weights() if path is None else path)
    name = serialization.load_name(file)
    if name != "cpcnn":
        module, channels, estimator = baselines.find_baseline(name)
        weights = serialization.load(file)
        _check_shapes(lambda: param_shapes(module, channels=channels), weights, file)
        return BaselineCounter(estimator(module, tile_size=tile_size), weights)
    weights, config = pretrained.load_params(file), serialization.load_model(file)
    _check_shapes(lambda: param_shapes(cpcnn.build(config), channels=3), weights, file)
    blocks = serialization.load_blocks(file)
    return Counter(cpcnn.build(config), weights, blocks=blocks, tile_size=tile_size)


def _check_shapes(infer_shapes: Callable, weights, file):
    """Refuses weights that do not fit the networks of their own header."""
    try:
        shapes = infer_shapes()
    except Exception as error:  # Flax raises many types for impossible sizes
        reason = str(error).partition("\n")[0]
        text = f"{file} describes networks that cannot be built: {reason}"
        raise ValueError(text) from None
    for name, shape in shapes.items():
        got = weights[name].shape if name in weights else "nothing"
        if got != shape:
            raise ValueError(
                f"{file} is damaged: expected {name} of shape {shape}, got {got}"
            )
