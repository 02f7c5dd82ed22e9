"""Headers of valid image files; invalid image files and points."""

import numpy as np
import pytest
from image_bombs import bomb
from PIL import ExifTags, Image

from cpcnn_jax.data import readers


@pytest.mark.parametrize("side", [9_460, 30_000])  # Pillow warns, Pillow raises
def test_image_bomb_raises_value_error(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(side, side))
    with pytest.raises(ValueError) as error:
        readers.check_image(path)
    expected = f"{path} declares more than 89,478,485 pixels and was not decoded."
    assert str(error.value) == expected


def test_image_of_the_maximum_size_is_decoded(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(bomb(89_478_485, 1))
    with pytest.raises(ValueError, match="large.png is not a complete JPEG or PNG"):
        readers.check_image(path)


@pytest.mark.parametrize(
    "mode, kind", [("L", "jpg"), ("RGB", "jpg"), ("CMYK", "jpg"), ("RGBA", "png")]
)
@pytest.mark.parametrize("orientation", [None, 1, 6, 9])
def test_header_holds_shape_orientation_and_mode(tmp_path, mode, kind, orientation):
    path, exif = tmp_path / f"image.{kind}", Image.Exif()
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    Image.new(mode, (90, 70)).save(path, exif=exif)
    expected = ((70, 90), 6 if orientation == 6 else 1, mode)
    assert readers.check_image(path) == expected


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_broken_exif_is_orientation_1_with_a_warning(tmp_path, suffix, caplog):
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (90, 70)).save(path, exif=b"Exif\0\0no TIFF header")
    assert readers.check_image(path) == ((70, 90), 1, "RGB")
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{path}: its EXIF block cannot be read")


def test_image_of_16_bits_raises_value_error(tmp_path):
    path = tmp_path / "deep.png"
    Image.new("I;16", (90, 70)).save(path)
    with pytest.raises(ValueError, match="deep.png has more than 8 bits a channel"):
        readers.check_image(path)


def test_points_without_two_coordinates_raise_value_error():
    assert readers.as_points(np.zeros(0), "a.mat").shape == (0, 2)
    with pytest.raises(ValueError, match=r"^a.mat: .* as \(x, y\); got \(3, 3\)"):
        readers.as_points(np.zeros((3, 3)), "a.mat")
