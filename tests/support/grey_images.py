"""Sources of plain images with head points at known positions."""

import numpy as np


class Mixed:
    """A source of plain gray images of several sizes with a head in each quarter."""

    def __init__(self, *shapes):
        self.shapes = shapes
        self.names = [f"grey_{i}" for i in range(len(shapes))]
        quarters = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])
        self.points = [(quarters * s[::-1]).astype(np.float32) for s in shapes]

    def __len__(self):
        return len(self.shapes)

    def __getitem__(self, i):
        image = np.full((*self.shapes[i], 3), i, np.uint8)
        return {"name": self.names[i], "image": image, "points": self.points[i]}


class Stripes(Mixed):
    """A source whose red rises from left to right and green from top to bottom."""

    def __getitem__(self, i):
        height, width = self.shapes[i]
        image = np.zeros((height, width, 3), np.uint8)
        image[..., 0] = np.linspace(0, 255, width)
        image[..., 1] = np.linspace(0, 255, height)[:, None]
        return super().__getitem__(i) | {"image": image}
