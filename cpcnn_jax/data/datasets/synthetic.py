"""The generated crowd: photographs that nobody took, whose heads are known exactly.

A raised camera looks over a square. The ground runs up the picture to a horizon, a head
shrinks in proportion to its distance below it, people gather in groups and leave places
empty. This file decides who stands where; `drawing.py` makes a photograph of it.
"""

import functools

import numpy as np

from cpcnn_jax.data.datasets import synthetic_render

SMALLEST_HEAD = 3.0  # pixels, the diameter at the far end


class SyntheticCrowd:
    """A source of generated photographs; see `cpcnn_jax.data` for the interface.

    Photograph i is a pure function of (seed, split, i) and of the sizes in `data`.

    Args:
      data: `config.SyntheticCrowd`.
      split: "train" or "test"; the two share no photograph.

    Raises:
      ValueError: no photographs, sides under 64 pixels, or fewer than 0 heads.
    """

    def __init__(self, data, split):
        """Decides who stands where in every photograph; none is drawn yet."""
        number = {"train": data.num_train, "test": data.num_test}[split]
        if number < 1 or min(data.height, data.width) < 64 or data.max_heads < 0:
            raise ValueError(
                "The generated crowd needs num_train and num_test of at least 1, "
                "height and width of at least 64, max_heads of at least 0; "
                f"got {data}."
            )
        stream = ("train", "test").index(split)
        self._scenes = [
            (data.seed, stream, i, data.height, data.width, data.max_heads)
            for i in range(number)
        ]
        self.skipped = ()
        self.names = [f"crowd_{split}_{i:05d}" for i in range(number)]
        self.shapes = [(data.height, data.width)] * number
        self.points = [_gather(*scene)[2] for scene in self._scenes]

    def __len__(self):
        """Number of photographs."""
        return len(self._scenes)

    def __getitem__(self, i):
        """Photograph i, drawn at its first access."""
        image = _photograph(*self._scenes[i])
        return {"name": self.names[i], "image": image, "points": self.points[i]}


@functools.lru_cache(maxsize=512)  # a quarter of a megabyte each at 256x320
def _photograph(*scene):
    """uint8 `[H, W, 3]`, shared and therefore read-only."""
    rng, camera, heads = _gather(*scene)
    image = synthetic_render.render_image(rng, camera, heads)
    image.setflags(write=False)
    return image


def _gather(seed, stream, index, height, width, max_heads):
    """The camera, the head centres `[N, 2]` float32, and what is left of the dice."""
    rng = np.random.default_rng((seed, stream, index))
    wanted = int(np.rint(np.expm1(np.log1p(max_heads) * _fullness(rng))))
    # In a fuller square people are farther away: at most half the picture is heads.
    nearest = min(
        height * rng.uniform(0.04, 0.1),
        np.sqrt(0.5 * height * width / max(wanted, 1)) * rng.uniform(0.9, 1.3),
    )
    nearest = max(nearest, 2 * SMALLEST_HEAD)
    horizon = height * rng.uniform(-0.5, 0.3)
    camera = synthetic_render.Camera(
        height, width, horizon, nearest / (height - horizon)
    )
    candidates = _candidates(rng, camera, 6 * wanted + 64)
    heads = _apart(camera, candidates)[:wanted]
    return rng, camera, heads.astype(np.float32)


def _fullness(rng):
    """0 (nobody, one photograph in 25) to 1 (as many as allowed), mostly between."""
    return np.clip(rng.uniform(-0.04, 1.0), 0, 1) ** 0.55


def _candidates(rng, camera, number):
    """`[M, 2]` float64: where people would like to be, in groups and alone."""
    top = max(camera.row(SMALLEST_HEAD), 0)
    groups = rng.integers(1, 9)
    middle = rng.uniform((0, top), (camera.width, camera.height), (groups, 2))
    group = rng.choice(groups, number, p=rng.dirichlet(np.ones(groups)))
    spread = rng.uniform(3, 14, (groups, 1)) * camera.diameter(middle[:, 1:])
    grouped = middle[group] + rng.normal(size=(number, 2)) * (spread * (1, 0.5))[group]
    alone = rng.uniform((0, top), (camera.width, camera.height), (number, 2))
    points = np.where(rng.random((number, 1)) < rng.uniform(0.1, 0.6), alone, grouped)
    x, y = points.astype(np.float32).T
    seen = (x >= 0) & (x < camera.width) & (y >= top) & (y < camera.height)
    return points[seen]


def _apart(camera, points):
    """Of the people who would stand in one spot of the ground, the first."""
    size = camera.diameter(points[:, 1])
    row = np.floor(np.log(size) / (0.8 * camera.slope)).astype(int)
    column = np.floor(points[:, 0] / (1.1 * size)).astype(int)
    _, first = np.unique(row * 10_000 + column, return_index=True)
    return points[np.sort(first)]
