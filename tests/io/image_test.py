"""Photographs as users have them, and files that are none."""

import io

import numpy as np
import pytest
from image_bombs import bomb
from PIL import Image, ImageOps

from cpcnn_jax.io import image as image_io


@pytest.fixture
def colours():
    """A small picture without symmetry."""
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def saved(tmp_path, image, name, **options):
    Image.fromarray(image).save(tmp_path / name, **options)
    return tmp_path / name


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_lossless_formats_come_back(tmp_path, colours, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    file = saved(tmp_path, colours, f"a.{suffix}", **options)
    found = image_io.read_image(file)
    np.testing.assert_array_equal(found.pixels, colours)
    assert found.name == str(file) and found.size == (5, 7) and not found.notes
    with open(file, "rb") as opened:
        np.testing.assert_array_equal(image_io.read_image(opened).pixels, colours)
    with Image.open(file) as opened:
        np.testing.assert_array_equal(image_io.read_image(opened).pixels, colours)


@pytest.mark.parametrize("suffix", ["jpg", "tif", "png", "webp"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_is_undone_as_pillow_does(tmp_path, colours, suffix, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    file = saved(tmp_path, colours, f"a.{suffix}", exif=exif)
    with Image.open(file) as image:
        upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    found = image_io.read_image(file)
    np.testing.assert_array_equal(found.pixels, upright)
    assert found.size == upright.shape[:2]


def test_sixteen_bits_are_read_as_eight(tmp_path):
    levels = np.array([[0, 256], [257, 65535]], np.uint16)
    for name in ("a.png", "a.tif"):
        found = image_io.read_image(saved(tmp_path, levels, name)).pixels
        expected = np.repeat(np.uint8([[0, 0], [1, 255]])[..., None], 3, axis=2)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB"])
def test_every_kind_of_colour_becomes_rgb(tmp_path, colours, mode):
    whole = Image.fromarray(colours)
    lab = Image.merge("LAB", whole.split())
    image = lab if mode == "LAB" else whole.convert(mode)
    image.save(tmp_path / "a.tif")
    found = image_io.read_image(tmp_path / "a.tif")
    assert found.pixels.shape == (5, 7, 3) and found.pixels.dtype == np.uint8
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(found.pixels, expected)


def test_transparent_places_are_white(tmp_path):
    rgba = np.uint8([[[9, 9, 9, 255], [9, 9, 9, 0], [0, 0, 0, 127]]])
    found = image_io.read_image(saved(tmp_path, rgba, "a.png")).pixels
    assert found.tolist() == [[[9] * 3, [255] * 3, [128] * 3]]
    palette = Image.new("P", (2, 1))
    palette.putpalette([1, 2, 3, 4, 5, 6])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "p.png", transparency=0)
    found = image_io.read_image(tmp_path / "p.png").pixels
    assert found.tolist() == [[[255] * 3, [4, 5, 6]]]


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.tif"])
def test_of_several_frames_the_first_is_counted_and_said(tmp_path, colours, name):
    first, second = (Image.fromarray(c) for c in (colours, 255 - colours))
    options = {"lossless": True} if name == "a.webp" else {}
    file = tmp_path / name
    first.save(file, save_all=True, append_images=[second], **options)
    found = image_io.read_image(file)
    np.testing.assert_array_equal(found.pixels, colours)
    assert found.notes == (f"{file} has 2 frames: the first is counted",)


def jpeg(colours):
    data = io.BytesIO()
    Image.fromarray(np.tile(colours, (40, 40, 1))).save(data, "jpeg")
    return data.getvalue()


BAD = {
    "empty.jpg": (lambda _: b"", "is no JPEG, PNG, WEBP, BMP or TIFF photograph"),
    "text.jpg": (lambda _: b"these are words", "is no JPEG, PNG"),
    "page.svg": (lambda _: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no JPEG"),
    "cut.jpg": (lambda c: jpeg(c)[:900], "is damaged: .*truncated"),
    "bomb.png": (lambda _: bomb(16_000, 11_000), "has 16000x11000 pixels, more than"),
    "bigger.png": (lambda _: bomb(60_000, 60_000), "has more than 170,000,000 pixels"),
    "nothing.png": (lambda _: bomb(90, 90), "is damaged"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_photograph_is_named(tmp_path, colours, name):
    make, text = BAD[name]
    (tmp_path / name).write_bytes(make(colours))
    with pytest.raises(ValueError, match=f"^{tmp_path}/{name} {text}"):
        image_io.read_image(tmp_path / name)


def test_other_formats_are_not_tried(tmp_path, colours):
    file = saved(tmp_path, colours, "a.gif")
    with pytest.raises(ValueError, match="a.gif is no JPEG"):
        image_io.read_image(file)


def test_grey_levels_without_a_white_are_refused(tmp_path):
    file = saved(tmp_path, np.float32([[0.5, 700]]), "a.tif")
    with pytest.raises(ValueError, match="a.tif has 32-bit grey levels"):
        image_io.read_image(file)


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(ValueError, match="gone.jpg cannot be opened: No such file"):
        image_io.read_image(tmp_path / "gone.jpg")
    with pytest.raises(ValueError, match=f"{tmp_path} cannot be opened: Is a direct"):
        image_io.read_image(tmp_path)


def test_ten_thousand_damaged_files_are_named_or_read(colours, tmp_path):
    """Bytes changed, cut and repeated; nothing but our own sentence comes out."""
    rng, kinds = np.random.default_rng(1), {}
    for kind in ("jpeg", "png", "webp", "bmp", "tiff"):
        data = io.BytesIO()
        Image.fromarray(np.tile(colours, (3, 3, 1))).save(data, kind)
        kinds[kind] = np.frombuffer(data.getvalue(), np.uint8)
    for number in range(10_000):
        data = list(kinds.values())[number % len(kinds)].copy()
        places = rng.integers(0, len(data), rng.integers(1, 9))
        data[places] = rng.integers(0, 256, len(places))
        data = data[: rng.integers(1, 2 * len(data))]
        try:
            found = image_io.read_image(io.BytesIO(data.tobytes()))
        except ValueError as error:
            assert str(error).startswith("the image ")
        else:
            assert found.pixels.dtype == np.uint8 and found.pixels.shape[2] == 3


def test_arrays():
    grey = np.random.default_rng(0).random((4, 6))
    found = image_io.read_image(grey).pixels
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.float32(grey)[..., None].repeat(3, 2))
    colour = np.zeros((4, 6, 3), np.uint8)
    assert image_io.read_image(colour).pixels is colour


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (np.zeros((4, 4, 4), np.uint8), r"\[H, W, 3\] or \[H, W\], got \(4, 4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"got \(0, 4, 3\)"),
        (np.zeros(4), r"got \(4,\)"),
        (np.zeros((4, 4), np.int64), "uint8 or floating point, got int64"),
        (np.full((4, 4), 255.0), r"in \[0, 1\], got 255 to 255: divide"),
        (np.full((4, 4), np.nan), r"in \[0, 1\], got nan"),
        (None, "a path, an open file, a PIL image or an array, got NoneType"),
        ([[0.0]], "got list"),
    ],
)
def test_anything_else_is_said(wrong, text):
    with pytest.raises(ValueError, match=text):
        image_io.read_image(wrong)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_longer_photographs_are_shrunk(dtype):
    ramp = np.linspace(0, 255 if dtype == np.uint8 else 1, 400).astype(dtype)
    image = np.tile(ramp[None, :, None], (200, 1, 3))
    found = image_io.read_image(image, max_size=100)
    assert found.pixels.shape == (50, 100, 3) and found.size == (200, 400)
    middle = ramp.reshape(100, 4).mean(axis=1, dtype=float)
    np.testing.assert_allclose(found.pixels[25, 2:-2, 1], middle[2:-2], atol=1 + 1e-3)
    assert image_io.read_image(image, max_size=400).pixels is image
    line = np.zeros((1, 1000), dtype)
    assert image_io.read_image(line, max_size=100).pixels.shape == (1, 100, 3)


def test_a_shrunk_file_leaves_the_user_s_image_alone(tmp_path, colours):
    image = Image.fromarray(np.tile(colours, (20, 20, 1)))
    image.save(tmp_path / "a.png")
    expected = np.asarray(image.resize((70, 50)))
    for given in (image, tmp_path / "a.png"):
        found = image_io.read_image(given, max_size=70).pixels
        np.testing.assert_array_equal(found, expected)
    assert image.size == (140, 100)


def test_a_part_beyond_the_end_repeats_the_last_pixels(colours):
    padded = np.pad(colours, ((0, 3), (0, 1), (0, 0)), mode="edge") / np.float32(255)
    found = image_io.padded_window(colours, (2, 8), (4, 8))
    np.testing.assert_array_equal(found, padded[2:8, 4:8])
    floats = np.float32(colours) / 255
    np.testing.assert_array_equal(image_io.padded_window(floats, (2, 8), (4, 8)), found)
