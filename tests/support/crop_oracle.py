"""Crops and their targets with Pillow and NumPy, one at a time."""

import math

import jax
import numpy as np
from PIL import Image
from scipy import ndimage

from cpcnn_jax.data import density_map
from cpcnn_jax.data.crop_window import FLIPPED, NOISY, PLAIN


def scaled_image(image, shape):
    """`[H, W, 3]` in [0, 1] of a uint8 image scaled by Pillow in floating point."""
    image = image.astype(np.float32) / 255
    if shape == image.shape[:2]:
        return image
    size, bilinear = shape[::-1], Image.Resampling.BILINEAR
    colors = [Image.fromarray(image[..., c]).resize(size, bilinear) for c in range(3)]
    return np.stack([np.asarray(color) for color in colors], axis=-1)


def crop(image, window, crops, noise_shape):
    """The window of an image with its augmentation."""
    top, left = window.corner
    height, width = window.size
    cut = scaled_image(image, tuple(map(int, window.scaled)))
    cut = cut[top : top + height, left : left + width].astype(np.float64)
    if window.blur > 0:
        cut = blurred(cut, window.blur, math.ceil(3 * crops.max_blur))
    if window.kind != PLAIN and crops.gamma_jitter:
        cut = cut**window.gamma
    if window.kind != PLAIN and crops.color_jitter:
        cut = np.clip(cut * window.gain + window.shift, 0, 1)
    if window.kind == FLIPPED:
        cut = cut[:, ::-1]
    if window.kind == NOISY:
        noise = jax.random.uniform(window.noise_key, noise_shape, minval=-1, maxval=1)
        noise = np.asarray(noise)[:height, :width]
        cut = np.clip(cut + crops.noise_amplitude * noise, 0, 1)
    return cut


def blurred(cut, sigma, radius):
    """SciPy's Gaussian over the pixels of the cut alone."""

    def average(values):
        blur = dict(sigma=float(sigma), radius=radius, mode="constant", axes=(0, 1))
        return ndimage.gaussian_filter(values, **blur)

    return average(cut) / average(np.ones_like(cut))


def scaled_points(points, window, shape):
    ratio = np.float32(window.scaled) / np.float32(shape)
    return np.float32(points) * ratio[::-1]


def density(points, window, shape, sigma):
    """The window of the density map of the whole scaled image."""
    scaled = tuple(map(int, window.scaled))
    points = scaled_points(points, window, shape)
    whole = density_map.density_map(points, shape=scaled, sigma=sigma)
    top, left = window.corner
    cut = whole[top : top + window.size[0], left : left + window.size[1]]
    return cut[:, ::-1] if window.kind == FLIPPED else cut


def count(points, window, shape):
    """Heads in the window."""
    x, y = scaled_points(points, window, shape).T
    top, left = window.corner
    inside = (x >= left) & (x < left + window.size[1])
    return np.sum(inside & (y >= top) & (y < top + window.size[0]))
