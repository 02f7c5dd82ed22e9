"""Text in pictures: any file name can be drawn, and no label covers another."""

import functools
import importlib.util
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Box = tuple[float, float, float, float]  # left, top, right, bottom; pixels
MAX_STEPS = 100  # from the wanted place of a label
FONTS = ("DejaVuSans.ttf", "Arial.ttf", "arial.ttf", "NotoSans-Regular.ttf")


def printable(text: str) -> str:
    """Replaces line breaks, control characters and bytes that are not UTF-8.

    Example:
      >>> printable("caf" + chr(0xDCE9)) == "caf" + chr(0xFFFD)
      True
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


@functools.cache
def load_font(size: int) -> Font:
    """Loads a font of the system, of matplotlib, or Pillow's own without accents.

    Args:
      size: height of the letters, pixels.
    """
    for name in (*FONTS, *map(str, _matplotlib_fonts())):
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _matplotlib_fonts() -> Iterator[Path]:
    spec = importlib.util.find_spec("matplotlib")
    for folder in (spec and spec.submodule_search_locations) or ():
        yield Path(folder, "mpl-data", "fonts", "ttf", FONTS[0])


def label_size(text: str, font: Font) -> tuple[float, float]:
    """Computes the width and height of a label with its margins, pixels."""
    left, top, right, bottom = font.getbbox(text, anchor="la")
    return right + 2 * _margin(font), font.getbbox("Ag|", anchor="la")[3] + _margin(
        font
    )


def _margin(font):
    return max(2, font.getbbox("x", anchor="la")[3] // 3)


def draw_label(
    draw: ImageDraw.ImageDraw, place: Sequence[float], text: str, font: Font
) -> None:
    """Draws white text in a black box whose upper left corner is `place`."""
    left, top = place
    width, height = label_size(text, font)
    draw.rectangle((left, top, left + width - 1, top + height - 1), fill="black")
    inside = (left + _margin(font), top + _margin(font) / 2)
    draw.text(inside, text, "white", font, anchor="la")


def place_labels(
    wanted: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    area: tuple[float, float],
    taken: Sequence[Box] = (),
) -> list[tuple[float, float] | None]:
    """Chooses places at which no label covers another one.

    Args:
      wanted: (x, y) of the upper left corner at which each label would stand best.
      sizes: (width, height) of each label, pixels.
      area: (width, height) of the picture.
      taken: boxes that the labels leave free.

    Returns:
      (x, y) of each label, as near as possible to the wanted one in steps of half a
      label; None where no place is left.

    Example:
      >>> place_labels([(0, 0), (0, 0)], [(40, 10), (40, 10)], (100, 100))
      [(0.0, 0.0), (0.0, 10.0)]
    """
    boxes, places = list(taken), list[tuple[float, float] | None]()
    for (x, y), (width, height) in zip(wanted, sizes, strict=True):
        right, bottom = area[0] - width, area[1] - height
        place = None
        if min(right, bottom) >= 0:
            x, y = min(max(x, 0), right), min(max(y, 0), bottom)
            place = next(_free_places((x, y), (width, height), area, boxes), None)
        places.append(place)
        if place:
            boxes.append((*place, place[0] + width, place[1] + height))
    return places


def _free_places(place, size, area, boxes):
    """Free places of a label, the nearest first."""
    columns, rows = map(_steps, place, size, area)

    def distance(other):
        return abs(other[0] - place[0]) + abs(other[1] - place[1])

    for x, y in sorted(itertools.product(columns, rows), key=distance):
        if not any(_overlap((x, y, x + size[0], y + size[1]), box) for box in boxes):
            yield x, y


def _steps(start, length, side):
    """Starts in steps of half a length at which the length lies inside."""
    starts = (start + n * length / 2 for n in range(-MAX_STEPS, MAX_STEPS + 1))
    return [value for value in starts if 0 <= value <= side - length]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
