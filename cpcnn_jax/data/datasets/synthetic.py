"""Synthetic crowd: rendered images whose head points are exact.

A raised camera views a square. The ground rises in the image to a horizon, and the size
of a head is proportional to its distance below the horizon. People form groups and
leave parts of the square empty. This module places the people; `synthetic_render`
renders the image.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from cpcnn_jax import config
from cpcnn_jax.data.datasets import synthetic_render

SMALLEST_HEAD = 3.0  # pixels, the diameter at the far end


class SyntheticDataset:
    """A `Dataset` of synthetic images.

    Image i is a pure function of (seed, split, i) and of the sizes in `data`. The
    splits "train" and "test" share no image.

    Raises:
      ValueError: no images, sides under 64 pixels, or fewer than 0 heads.
    """

    def __init__(self, data: config.SyntheticCrowd, split: str) -> None:
        """Places the people of every image and renders none."""
        number = {"train": data.num_train, "test": data.num_test}[split]
        if number < 1 or min(data.height, data.width) < 64 or data.max_heads < 0:
            raise ValueError(
                "The synthetic crowd needs num_train and num_test of at least 1, "
                "height and width of at least 64, max_heads of at least 0; "
                f"got {data}."
            )
        stream = ("train", "test").index(split)
        self._scenes = [
            (data.seed, stream, i, data.height, data.width, data.max_heads)
            for i in range(number)
        ]
        self.skipped: Sequence[str] = ()
        self.names: Sequence[str] = [f"crowd_{split}_{i:05d}" for i in range(number)]
        self.shapes: Sequence[tuple[int, int]] = [(data.height, data.width)] * number
        self.points: Sequence[np.ndarray] = [_place(*s)[2] for s in self._scenes]

    def __len__(self) -> int:
        """Number of images."""
        return len(self._scenes)

    def __getitem__(self, i: int) -> dict[str, Any]:
        """Record of image i, rendered at its first access."""
        image = _render(*self._scenes[i])
        return {"name": self.names[i], "image": image, "points": self.points[i]}


open_dataset = SyntheticDataset


@functools.lru_cache(maxsize=512)  # a quarter of a megabyte each at 256x320
def _render(*scene):
    """uint8 `[H, W, 3]`, shared and therefore read-only."""
    rng, camera, heads = _place(*scene)
    image = synthetic_render.render_image(rng, camera, heads)
    image.setflags(write=False)
    return image


def _place(seed, stream, index, height, width, max_heads):
    """(random generator, camera, head points `[N, 2]` float32) of an image."""
    rng = np.random.default_rng((seed, stream, index))
    number = int(np.rint(np.expm1(np.log1p(max_heads) * _sample_fullness(rng))))
    # In a fuller square people are farther away: heads cover at most half the image.
    nearest = min(
        height * rng.uniform(0.04, 0.1),
        np.sqrt(0.5 * height * width / max(number, 1)) * rng.uniform(0.9, 1.3),
    )
    nearest = max(nearest, 2 * SMALLEST_HEAD)
    horizon = height * rng.uniform(-0.5, 0.3)
    camera = synthetic_render.Camera(
        height, width, horizon, nearest / (height - horizon)
    )
    candidates = _sample_candidates(rng, camera, 6 * number + 64)
    heads = _remove_overlaps(camera, candidates)[:number]
    return rng, camera, heads.astype(np.float32)


def _sample_fullness(rng):
    """A number from 0 (no heads, one image in 25) to 1 (the maximum)."""
    return np.clip(rng.uniform(-0.04, 1.0), 0, 1) ** 0.55


def _sample_candidates(rng, camera, number):
    """`[M, 2]` float64 head points inside the image, in groups and alone."""
    top = max(camera.row(SMALLEST_HEAD), 0)
    groups = rng.integers(1, 9)
    middle = rng.uniform((0, top), (camera.width, camera.height), (groups, 2))
    group = rng.choice(groups, number, p=rng.dirichlet(np.ones(groups)))
    spread = rng.uniform(3, 14, (groups, 1)) * camera.diameter(middle[:, 1:])
    grouped = middle[group] + rng.normal(size=(number, 2)) * (spread * (1, 0.5))[group]
    alone = rng.uniform((0, top), (camera.width, camera.height), (number, 2))
    points = np.where(rng.random((number, 1)) < rng.uniform(0.1, 0.6), alone, grouped)
    x, y = points.astype(np.float32).T
    inside = (x >= 0) & (x < camera.width) & (y >= top) & (y < camera.height)
    return points[inside]


def _remove_overlaps(camera, points):
    """Only the first of the points that share one cell of the ground."""
    size = camera.diameter(points[:, 1])
    row = np.floor(np.log(size) / (0.8 * camera.slope)).astype(int)
    column = np.floor(points[:, 0] / (1.1 * size)).astype(int)
    _, first = np.unique(row * 10_000 + column, return_index=True)
    return points[np.sort(first)]
