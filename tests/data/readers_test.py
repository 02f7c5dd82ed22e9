"""Photographs from elsewhere: what they say of themselves, and which are refused."""

import numpy as np
import pytest
from image_bombs import declared
from PIL import ExifTags, Image

from cpcnn_jax.data import readers


@pytest.mark.parametrize("side", [9_460, 30_000])  # pillow warns of one, refuses one
def test_an_image_bomb_is_not_decoded(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(declared(side, side))
    with pytest.raises(ValueError) as error:
        readers.check_image(path)
    expected = f"{path} declares more than 89,478,485 pixels and was not decoded."
    assert str(error.value) == expected


def test_one_pixel_less_than_a_bomb_is_decoded(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(declared(89_478_485, 1))
    with pytest.raises(ValueError, match="large.png is not a whole JPEG or PNG"):
        readers.check_image(path)


@pytest.mark.parametrize(
    "mode, kind", [("L", "jpg"), ("RGB", "jpg"), ("CMYK", "jpg"), ("RGBA", "png")]
)
@pytest.mark.parametrize("orientation", [None, 1, 6, 9])
def test_what_a_photograph_says_of_itself(tmp_path, mode, kind, orientation):
    path, exif = tmp_path / f"image.{kind}", Image.Exif()
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    Image.new(mode, (90, 70)).save(path, exif=exif)
    expected = ((70, 90), 6 if orientation == 6 else 1, mode)
    assert readers.check_image(path) == expected


def test_more_than_8_bits_are_refused(tmp_path):
    path = tmp_path / "deep.png"
    Image.new("I;16", (90, 70)).save(path)
    with pytest.raises(ValueError, match="deep.png has more than 8 bits a channel"):
        readers.check_image(path)


def test_heads_have_two_coordinates():
    assert readers.as_points(np.zeros(0), "a.mat").shape == (0, 2)
    with pytest.raises(ValueError, match=r"^a.mat: .* as \(x, y\); got \(3, 3\)"):
        readers.as_points(np.zeros((3, 3)), "a.mat")
