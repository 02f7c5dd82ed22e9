"""Trained networks, ready to count the people in a photograph."""

import dataclasses
from pathlib import Path

import jax
import numpy as np

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.inference import baselines, context_scores, tiling
from cpcnn_jax.io import image as image_io
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.params import param_shapes
from cpcnn_jax.weights import pretrained, serialization

DEMO = serialization.DEFAULTS["cpcnn"]
RELEASED = "cpcnn_plus_around"  # of `pretrained.RELEASES`
# What `default_weights` gives, for help texts.
USUAL = f"{RELEASED} where {serialization.VGG16} is, else what `make demo` leaves"


@dataclasses.dataclass(frozen=True)
class Count:
    """What was found in one photograph.

    Attributes:
      count: people, the sum of the density.
      density: `[H, W]` float32, people per pixel.
      global_scores: `[blocks, blocks, K]`, the probability of each density class, from
        the emptiest, in each of the GCE's blocks; None if the networks have no GCE.
      local_scores: `[n, m, K]`, likewise in each of the LCE's windows.
      photograph: what was counted; its `notes` say what had to be done to it.
    """

    count: float
    density: np.ndarray
    global_scores: np.ndarray | None
    local_scores: np.ndarray | None
    photograph: image_io.LoadedImage


class Counter:
    """Counts people; made by `load`.

    Args:
      model: CPCNN.
      trained: its weights, a flat dict of arrays.
      blocks: per side of a photograph, for the global context.
      tile_size: pixels, the largest side of what a device computes at once.

    Attributes:
      model, weights, blocks: as given; the weights where JAX computes.

    Raises:
      ValueError: the tile is too small for the networks.
    """

    def __init__(self, model, trained, *, blocks, tile_size=tiling.TILE):
        """Nothing is computed yet; each size of tile is compiled at its first use."""
        self.model, self.blocks = model, blocks
        self.weights = jax.device_put(trained)
        self._score = context_scores.context_estimator(model)
        self._estimate = tiling.density_estimator(model, tile_size=tile_size)

    def count(self, image, *, max_size=None, progress=iter) -> Count:
        """Count the people in a photograph of any size from 64x64 pixels.

        Args:
          image: a path, an open file, a PIL image, or an array `[H, W, 3]` RGB or
            `[H, W]` grey, uint8 or floating point in [0, 1]; see `image.read_image`.
          max_size: pixels; a longer photograph is shrunk to this first.
          progress: function that wraps each list of work, such as tqdm.

        Returns:
          A `Count`.

        Raises:
          ValueError: the photograph cannot be read or is too small, or the weights are
            not numbers; the text names the photograph.
        """
        found = image_io.read_image(image, max_size=max_size)
        pixels = found.pixels
        height, width = pixels.shape[:2]
        if min(height, width) < PATCH:
            raise ValueError(
                f"{found.name} has {width}x{height} pixels; the networks need at least "
                f"{PATCH}x{PATCH}"
            )
        density, scores = self._density(pixels, progress)
        people = float(density.sum(dtype=np.float64))
        if not np.isfinite(people):
            raise ValueError(f"{found.name}: the density is no number; wrong weights?")
        return Count(people, density, scores.get("global"), scores.get("local"), found)

    def _density(self, pixels, progress):
        shape = image_io.padded_shape(pixels)
        grids = self.model.grids(shape, blocks=self.blocks)
        scores = self._score(self.weights, pixels, grids, progress)
        context = context_scores.spread_scores(scores, grids, shape)
        return self._estimate(self.weights, pixels, context, progress), scores


class Baseline(Counter):
    """Counts people with a network that CP-CNN is compared with; made by `load`.

    Args:
      estimate: as from `baselines`.
      trained: its weights, a flat dict of arrays.
    """

    def __init__(self, estimate, trained):
        """Nothing is computed yet; each size of tile is compiled at its first use."""
        self.weights = jax.device_put(trained)
        self._estimate = estimate

    def _density(self, pixels, progress):
        return self._estimate(self.weights, pixels, progress), {}


def default_weights(model="cpcnn"):
    """The weights to count with where a command names none.

    Args:
      model: "cpcnn", "mcnn" or "csrnet".

    Returns:
      What `load` takes: the released weights, where the VGG-16 is that they need, or
      the path of those that a command of ours leaves.

    Raises:
      ValueError: they are not there.
    """
    if model == "cpcnn" and Path(serialization.VGG16).exists():
        return RELEASED
    file = serialization.DEFAULTS[model]
    if Path(file).exists():
        return file
    advice = f"`python -m cpcnn_jax import-weights {model}` writes it"
    if file == DEMO:
        advice = (
            f"let `make vgg16` fetch what {RELEASED} needs, name a weights file or the "
            "workdir of a run, or let `make demo` train a small network"
        )
    raise ValueError(f"no --weights, and {file} is not there: {advice}")


def load(path, *, tile_size=tiling.TILE) -> Counter:
    """Load trained networks.

    Args:
      path: a weights.safetensors file, or the workdir of a run, which holds one; or
        the name of released weights, or OWNER/NAME on Hugging Face. The file says
        itself which networks it holds.
      tile_size: pixels, the largest side of what a device computes at once; smaller
        needs        less memory and more time.

    Returns:
      A `Counter`; `.count(image)` gives a result with `.count` and `.density`.

    Raises:
      ValueError: there are no weights, or they are not of networks that we know.

    Example:
      >>> load("runs/none")  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ValueError: no weights at runs/none: ...
    """
    file = pretrained.find_weights(path)
    name = serialization.load_name(file)
    if name != "cpcnn":
        module, channels, estimator = baselines.find_baseline(name)
        trained = serialization.load(file)
        _check(module, channels, trained, file)
        return Baseline(estimator(module, tile_size=tile_size), trained)
    trained, model = (
        pretrained.load_params(file),
        cpcnn.build(serialization.load_model(file)),
    )
    _check(model, 3, trained, file)
    return Counter(
        model, trained, blocks=serialization.load_blocks(file), tile_size=tile_size
    )


def _check(module, channels, trained, file):
    """Refuse weights that are not those of the networks in their own header."""
    for name, shape in param_shapes(module, channels=channels).items():
        found = trained[name].shape if name in trained else "nothing"
        if found != shape:
            raise ValueError(
                f"{file} is damaged: expected {name} of shape {shape}, got {found}"
            )
