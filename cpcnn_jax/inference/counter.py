"""Trained networks that count the people in an image."""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import jax
import numpy as np
from PIL import Image

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.inference import baselines, head_points, overlay
from cpcnn_jax.inference.estimator import make_estimator
from cpcnn_jax.inference.people import format_count
from cpcnn_jax.inference.prediction_interval import PredictionIntervals, parse_intervals
from cpcnn_jax.inference.regions import Outline
from cpcnn_jax.io import image as image_io
from cpcnn_jax.models import networks
from cpcnn_jax.models.params import param_shapes
from cpcnn_jax.weights import hub, pretrained, serialization

NOTEBOOK_SIZE = 1280  # pixels, the longer side of a picture in a notebook


@dataclasses.dataclass(frozen=True, eq=False)
class Count:
    """The result of counting one image.

    Attributes:
      count: people, the sum of the density.
      density: `[H, W]` float32, people per pixel.
      global_scores: `[n, m, K]`, probability of each density class in each of the
        GCE's blocks; None without a GCE.
      local_scores: `[n, m, K]`, probability of each density class in each of the LCE's
        windows; None without an LCE.
      image: the image as it was read; `image.notes` lists conversions.
      weights: name of the weights.
      low, high: people, an interval that holds the true count nine times in ten on
        images like the validation images; None for weights without intervals.
    """

    count: float
    density: np.ndarray
    global_scores: np.ndarray | None
    local_scores: np.ndarray | None
    image: image_io.LoadedImage
    weights: str = ""
    low: float | None = None
    high: float | None = None

    @functools.cached_property
    def points(self) -> np.ndarray:
        """Heads, `[N, 2]` (x, y) pixels of the upright image; see `head_points`."""
        found = head_points.find_points(self.density)
        return found * (self.image.size[1] / self.density.shape[1])

    def __repr__(self) -> str:
        """The count and its image in one line."""
        height, width = self.image.size
        return (
            f"<{format_count(self.count, self.low, self.high)} people in "
            f"{self.image.name}, {width}x{height} pixels, "
            f"by {self.weights or 'unnamed weights'}>"
        )

    def draw(
        self, regions: Iterable[Outline] = (), *, points: bool = False
    ) -> Image.Image:
        """Draws the density map over the image, with a legend below.

        Args:
          regions: (label, corners `[N, 2]` as (x, y) pixels) pairs, drawn as outlines.
          points: whether the heads are drawn, too.
        """
        scale = self.density.shape[1] / self.image.size[1]
        return overlay.draw_overlay(
            self.image.pixels,
            self.density,
            title=f"{format_count(self.count, self.low, self.high)} people   "
            f"{Path(self.image.name).name}",
            note=f"weights: {self.weights}" if self.weights else "",
            regions=regions,
            points=self.points * scale if points else None,
        )

    def _repr_png_(self) -> bytes:
        """The content of a PNG file that a notebook shows."""
        picture = self.draw()
        picture.thumbnail((NOTEBOOK_SIZE, NOTEBOOK_SIZE))
        return overlay.encode_png(picture)


class Counter:
    """Counts people with CP-CNN; made by `load`.

    Args:
      model: the networks.
      weights: flat parameter dict.
      blocks: blocks per image side for the GCE of a `CPCNN`.
      tile_size: largest side of a tile, pixels; None: the default of the network.
      intervals: of the weights' counts; None: counts have no intervals.

    Attributes:
      model, weights, blocks, intervals: as given; the weights lie on the default
        device.
      name: name or path of the weights, if `load` read them.

    Raises:
      ValueError: the tile is too small for the networks.
    """

    name = ""
    intervals: PredictionIntervals | None = None

    def __init__(
        self,
        model: networks.Network,
        weights: Mapping[str, np.ndarray],
        *,
        blocks: int,
        tile_size: int | None = None,
        intervals: PredictionIntervals | None = None,
    ) -> None:
        """Moves the weights to the device; each tile size compiles at its first use."""
        self.intervals = intervals
        self.model, self.blocks = model, blocks
        self.weights = jax.device_put(weights)
        self._estimator = make_estimator(model, blocks=blocks, tile_size=tile_size)

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
            reduced = " after its reduction" if loaded.size != (height, width) else ""
            raise ValueError(
                f"{loaded.name} has {width}x{height} pixels{reduced}; the networks "
                f"need at least {PATCH}x{PATCH}"
            )
        density, scores = self._estimate(pixels, progress)
        people = float(density.sum(dtype=np.float64))
        if not np.isfinite(people):
            raise ValueError(f"{loaded.name}: the density is not finite; bad weights?")
        parts = (scores.get("global"), scores.get("local"))
        ends = self.intervals and self.intervals.interval(people, density.size)
        return Count(people, density, *parts, loaded, self.name, *ends or ())

    def __repr__(self) -> str:
        """The weights and the number of their parameters in one line."""
        number = sum(int(np.size(value)) for value in self.weights.values())
        return f"<counter by {self.name or 'unnamed weights'}, {number:,} parameters>"

    def _estimate(self, pixels, progress):
        return self._estimator.estimate(self.weights, pixels, progress)


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


def load(
    path: str | os.PathLike[str] | None = None, *, tile_size: int | None = None
) -> Counter:
    """Loads trained networks.

    Args:
      path: any argument of `pretrained.find_weights`. The file's header says which
        networks it holds. None: the default weights.
      tile_size: largest side of a tile, pixels. Smaller tiles need less memory and more
        time; the result is the same. None: the default of the network.

    Returns:
      A `Counter`; `.count(image)` gives a result with `.count` and `.density`.

    Raises:
      ValueError: there are no weights, or they belong to unknown networks.

    Example:
      >>> load("runs/none")  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ValueError: no weights at runs/none: ...
    """
    data_parallel.device_names()  # an error of the platform is none of the file
    name = pretrained.DEFAULT if path is None else path
    file = pretrained.find_weights(name)
    if hub.is_repository(name) and not Path(name).exists():
        serialization.refuse_foreign_network(file)
    counter = _load_file(file, tile_size, is_verified=name in pretrained.PRETRAINED)
    counter.name = str(name)
    return counter


def _load_file(file, tile_size, *, is_verified):
    """Loads a file; the checksum of a verified one says that its shapes are right."""
    name = serialization.load_name(file)
    if name != "cpcnn":
        module, channels, estimator = baselines.find_baseline(name)
        weights = serialization.load(file)
        _check_shapes(lambda: param_shapes(module, channels=channels), weights, file)
        return BaselineCounter(estimator(module, tile_size=tile_size), weights)
    weights, config = pretrained.load_params(file), serialization.load_model(file)
    if not is_verified:  # half a second
        _check_shapes(
            lambda: param_shapes(networks.build(config), channels=3), weights, file
        )
    return Counter(
        networks.build(config),
        weights,
        blocks=serialization.load_blocks(file),
        tile_size=tile_size,
        intervals=_load_intervals(file),
    )


def _load_intervals(file):
    try:
        return parse_intervals(serialization.load_intervals(file))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


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
