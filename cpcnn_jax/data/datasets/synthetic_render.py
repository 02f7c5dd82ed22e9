"""Renderer of the synthetic crowd: people on a square, drawn with pillow.

Images are drawn at twice the size and reduced, far people first, so that near people
cover them. Colors are RGB in 0..255. Each image is a pure function of the random
generator's state.
"""

import dataclasses
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SCALE = 2  # factor of the canvas over the image
SKIN = [(241, 205, 178), (224, 172, 138), (198, 134, 98), (141, 85, 58), (90, 57, 40)]
HAIR = [(28, 24, 22), (52, 36, 26), (92, 62, 38), (150, 110, 66), (150, 148, 145)]
GROUND = [(150, 147, 140), (122, 120, 122), (168, 152, 128), (106, 128, 78)]


@dataclasses.dataclass(frozen=True)
class Camera:
    """A camera over flat ground: a head's diameter grows linearly below the horizon."""

    height: int  # pixels
    width: int
    horizon: float  # row, may lie above the image
    slope: float  # pixels of diameter per row below the horizon

    def diameter(self, row: Any) -> Any:
        """Diameter of a head at this row, pixels; numbers or arrays."""
        return self.slope * (row - self.horizon)

    def row(self, diameter: Any) -> Any:
        """Row at which a head has this diameter; numbers or arrays."""
        return self.horizon + diameter / self.slope


def render_image(
    rng: np.random.Generator, camera: Camera, heads: np.ndarray
) -> np.ndarray:
    """Renders the square, the people on it and the light.

    Args:
      rng: random generator; the image depends on its state.
      camera: position of the horizon and size of the heads.
      heads: `[N, 2]` head points (x, y), pixels.

    Returns:
      uint8 `[camera.height, camera.width, 3]`.
    """
    heads = heads[np.argsort(heads[:, 1])]  # far to near
    canvas = _draw_square(rng, camera)
    canvas = _draw_shadows(rng, canvas, camera, heads)
    _draw_people(rng, ImageDraw.Draw(canvas), camera, heads)
    return _develop(rng, canvas.reduce(SCALE))


def _draw_square(rng, camera):
    """Draws the sky, houses along the horizon, and the ground."""
    width, height = camera.width * SCALE, camera.height * SCALE
    horizon = int(camera.horizon * SCALE)
    ground = np.array(GROUND[rng.integers(len(GROUND))]) + rng.normal(0, 5, 3)
    canvas = Image.new("RGB", (width, height), _to_rgb(ground))
    draw = ImageDraw.Draw(canvas)
    _draw_seams(rng, draw, ground, width, height, horizon)
    _draw_patches(rng, draw, ground, camera)
    if horizon > 0:
        sky = rng.uniform(150, 225) + rng.uniform(0, 1) * np.array((-25, 0, 25))
        draw.rectangle((0, 0, width, horizon), fill=_to_rgb(sky))
        _draw_houses(rng, draw, width, horizon)
    return canvas


def _draw_seams(rng, draw, ground, width, height, horizon):
    """Draws lines to the vanishing point, and lines across, denser far away."""
    color = _to_rgb(ground * rng.uniform(0.8, 1.15))
    vanishing = rng.uniform(0, width), horizon
    for x in np.arange(-2 * width, 3 * width, width / rng.uniform(3, 9)):
        draw.line((vanishing, (x, height)), fill=color, width=2)
    for depth in np.arange(1, 6, rng.uniform(0.15, 0.5)):
        y = horizon + (height - horizon) / depth
        draw.line(((0, y), (width, y)), fill=color, width=2)


def _draw_patches(rng, draw, ground, camera):
    """Draws flat things that are not people: flower beds, puddles and stains."""
    for _ in range(rng.integers(2, 10)):
        x = rng.uniform(0, camera.width) * SCALE
        y = rng.uniform(max(camera.horizon, 0), camera.height)
        w = camera.diameter(y) * rng.uniform(2, 12) * SCALE
        h = w * rng.uniform(0.1, 0.35)
        tint = ground * rng.uniform(0.75, 1.2) + rng.normal(0, 5, 3)
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        y *= SCALE
        shape((x - w, y - h, x + w, y + h), fill=_to_rgb(tint))


def _draw_houses(rng, draw, width, horizon):
    """Draws a row of houses with windows, and trees in front of them."""
    x = 0.0
    while x < width:
        w = rng.uniform(30, 120)
        top = horizon * rng.uniform(0.05, 0.8)
        wall = rng.uniform(90, 210) + rng.uniform(0, 25) * np.array((1, 0, -1))
        draw.rectangle((x, top, x + w, horizon), fill=_to_rgb(wall))
        pane = _to_rgb(wall * rng.uniform(0.4, 0.8))
        step = rng.uniform(7, 12)
        for u in np.arange(x + step / 2, x + w - step / 2, step):
            for v in np.arange(top + step / 2, horizon - step, 1.4 * step):
                draw.rectangle((u, v, u + step / 2, v + step * 0.8), fill=pane)
        x += w
    for _ in range(rng.integers(0, 6)):
        x, r = rng.uniform(0, width), rng.uniform(0.1, 0.3) * horizon
        leaf = rng.uniform((40, 70, 30), (95, 125, 70))
        for dx, dy in rng.normal(0, r / 2, (8, 2)):
            u, v = x + dx, horizon - r + dy
            box = (u - r / 2, v - r / 2, u + r / 2, v + r / 2)
            draw.ellipse(box, fill=_to_rgb(leaf * rng.uniform(0.8, 1.2)))


def _draw_shadows(rng, canvas, camera, heads):
    """Darkens the ground on one side of every person."""
    shadow = Image.new("L", (camera.width, camera.height), 0)
    draw = ImageDraw.Draw(shadow)
    side, depth = rng.uniform(-1.5, 1.5), int(rng.uniform(40, 140))
    for x, y, d in zip(*heads.T, camera.diameter(heads[:, 1]), strict=True):
        x, y = x + side * d, y + 4.2 * d
        draw.ellipse((x - 1.6 * d, y - 0.6 * d, x + 1.6 * d, y + 0.6 * d), fill=depth)
    shadow = shadow.filter(ImageFilter.GaussianBlur(1.5)).resize(canvas.size)
    return Image.composite(Image.new("RGB", canvas.size), canvas, shadow)


def _draw_people(rng, draw, camera, heads):
    """Draws legs, body, head, hair and face; a person is about 5.5 heads tall."""
    number = len(heads)
    size = camera.diameter(heads[:, 1]) * SCALE
    x, y = heads.T * SCALE
    wide = size * rng.uniform(0.85, 1.15, number)
    shirt = _sample_clothes(rng, number)
    trousers = (_sample_clothes(rng, number) * 0.6).astype(int)
    skin = _sample_colors(rng, SKIN, number)
    bald = rng.random((number, 1)) < 0.06
    hair = np.where(bald, skin, _sample_colors(rng, HAIR, number))
    facing = rng.random(number) < rng.uniform(0.2, 0.8)
    turn = rng.uniform(-0.12, 0.12, number) * size
    for n in range(number):
        cx, cy, d, w = x[n], y[n], size[n], wide[n]
        r, leg = d / 2, tuple(trousers[n])
        draw.rectangle((cx - 0.6 * w, cy + 2.4 * d, cx - 0.05 * w, cy + 4.6 * d), leg)
        draw.rectangle((cx + 0.05 * w, cy + 2.4 * d, cx + 0.6 * w, cy + 4.6 * d), leg)
        draw.ellipse((cx - w, cy + 0.6 * d, cx + w, cy + 2.2 * d), tuple(shirt[n]))
        body = (cx - 0.95 * w, cy + 1.4 * d, cx + 0.95 * w, cy + 2.8 * d)
        draw.rectangle(body, tuple(shirt[n]))
        head = (cx - 0.9 * r, cy - 1.1 * r, cx + 0.9 * r, cy + 1.1 * r)
        draw.ellipse(head, tuple(hair[n]))
        if facing[n]:
            fx = cx + turn[n]
            face = (fx - 0.7 * r, cy - 0.45 * r, fx + 0.7 * r, cy + 1.1 * r)
            draw.ellipse(face, tuple(skin[n]))


def _sample_clothes(rng, number):
    """`[N, 3]` int RGB: mostly muted colors, some bright ones."""
    gray = rng.integers(20, 235, (number, 1))
    color = rng.integers(10, 245, (number, 3))
    strength = rng.beta(1, 2, (number, 1))
    return (gray + strength * (color - gray)).astype(int)


def _sample_colors(rng, palette, number):
    """`[N, 3]` int RGB: random colors of the palette, lighter or darker."""
    color = np.array(palette)[rng.integers(len(palette), size=number)]
    return np.clip(color * rng.uniform(0.8, 1.12, (number, 1)), 0, 255).astype(int)


def _develop(rng, image):
    """Adds light from one side, exposure, a color cast, blur and noise."""
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.7)))
    pixels = np.asarray(image, np.float32)
    height, width = pixels.shape[:2]
    fall = rng.uniform(-0.3, 0.3, 2)
    light = 1 + fall[0] * np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    light = light + fall[1] * np.linspace(-1, 1, width, dtype=np.float32)
    cast = rng.uniform(0.7, 1.15) * rng.uniform(0.95, 1.05, 3)
    pixels = pixels * light[..., None] * cast.astype(np.float32)
    grain = rng.standard_normal(pixels.shape, np.float32) * rng.uniform(1, 7)
    return np.clip(pixels + grain, 0, 255).astype(np.uint8)


def _to_rgb(color):
    """Three ints in 0..255."""
    return tuple(int(c) for c in np.clip(color, 0, 255))
