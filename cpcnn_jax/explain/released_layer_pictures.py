"""Pictures of T, F-CNN's fractionally-strided layer, at work in a trained network."""

import base64
import io
from dataclasses import dataclass
from importlib import resources
from typing import BinaryIO

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 128, 160  # pixels of the image that are shown, multiples of 4
WIDTHS = (WIDTH, WIDTH // 4, WIDTH // 2, WIDTH)
NAMES = ("image", "before", "after", "density")


@dataclass(frozen=True)
class NetworkPictures:
    """One part of an image on its way through the network, uint8 RGB.

    Attributes:
      image: `[128, 160, 3]`, the part of the image.
      before: `[32, 40, 3]`, input of the first T, three channels as colors.
      after: `[64, 80, 3]`, its output after the ReLU, three channels as colors.
      density: `[128, 160, 3]`, the predicted density, white is the most.
    """

    image: np.ndarray
    before: np.ndarray
    after: np.ndarray
    density: np.ndarray


def color_pictures(
    image: np.ndarray, before: np.ndarray, after: np.ndarray, density: np.ndarray
) -> NetworkPictures:
    """Colors features and density; the three channels that vary most are shown.

    Args:
      image: `[128, 160, 3]` RGB in [0, 1].
      before: `[32, 40, C]`, features of at least three channels.
      after: `[64, 80, C]`, features of at least three channels.
      density: `[128, 160]`, people per pixel.
    """
    return NetworkPictures(
        _quantize(image),
        _quantize(_scale_channels(before) ** 0.7),
        _quantize(_scale_channels(after) ** 0.7),
        _quantize(_scale_channels(density[..., None].repeat(3, -1))),
    )


def load_bundled() -> NetworkPictures:
    """Loads the pictures of the released network on a part of docs/crowd.jpg."""
    content = resources.files(__package__).joinpath("network.png").read_bytes()
    with Image.open(io.BytesIO(content)) as strip:
        pixels = np.asarray(strip.convert("RGB"))
    ends = np.cumsum(WIDTHS)
    parts = np.split(pixels, ends[:-1], axis=1)
    scales = (WIDTH // width for width in WIDTHS)
    return NetworkPictures(
        *(part[: HEIGHT // n] for part, n in zip(parts, scales, strict=True))
    )


def save_strip(file: BinaryIO, pictures: NetworkPictures) -> None:
    """Writes the pictures side by side as one PNG, as `load_bundled` reads them."""
    strip = np.zeros((HEIGHT, sum(WIDTHS), 3), np.uint8)
    x = 0
    for name in NAMES:
        part = getattr(pictures, name)
        strip[: part.shape[0], x : x + part.shape[1]] = part
        x += part.shape[1]
    Image.fromarray(strip).save(file, "PNG", optimize=True)


def encode_pictures(pictures: NetworkPictures) -> dict[str, str]:
    """Encodes the pictures as data URLs, {name: URL}; the image as JPEG."""
    urls = {}
    for name in NAMES:
        kind = "JPEG" if name == "image" else "PNG"
        content = io.BytesIO()
        Image.fromarray(getattr(pictures, name)).save(content, kind, quality=90)
        text = base64.b64encode(content.getvalue()).decode()
        urls[name] = f"data:image/{kind.lower()};base64,{text}"
    return urls


def _scale_channels(features: np.ndarray) -> np.ndarray:
    """Scales the three channels that vary most to [0, 1]; a few peaks are cut off."""
    strongest = np.sort(np.argsort(features.std((0, 1)))[::-1][:3])
    values = features[..., strongest]
    peaks = np.quantile(values.reshape(-1, 3), 0.995, axis=0)
    return np.clip(values / np.maximum(peaks, 1e-9), 0, 1)


def _quantize(values: np.ndarray) -> np.ndarray:
    return np.round(255 * values).astype(np.uint8)
