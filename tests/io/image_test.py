"""Images of every format, and files that are not images."""

import io

import jax.numpy as jnp
import numpy as np
import pytest
from image_bombs import bomb
from PIL import ExifTags, Image, ImageOps, features

from cpcnn_jax.io import image as image_io


@pytest.fixture
def pixels():
    """A small image without symmetry."""
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def saved(tmp_path, image, name, **options):
    Image.fromarray(image).save(tmp_path / name, **options)
    return tmp_path / name


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_lossless_formats_keep_the_pixels(tmp_path, pixels, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    file = saved(tmp_path, pixels, f"a.{suffix}", **options)
    loaded = image_io.read_image(file)
    np.testing.assert_array_equal(loaded.pixels, pixels)
    assert loaded.name == str(file) and loaded.size == (5, 7) and not loaded.notes
    with open(file, "rb") as opened:
        np.testing.assert_array_equal(image_io.read_image(opened).pixels, pixels)
    with Image.open(file) as opened:
        np.testing.assert_array_equal(image_io.read_image(opened).pixels, pixels)


@pytest.mark.parametrize("suffix", ["jpg", "tif", "png", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path, pixels, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = saved(tmp_path, pixels, f"a.{suffix}", exif=exif)
    with Image.open(file) as image:
        upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    loaded = image_io.read_image(file)
    np.testing.assert_array_equal(loaded.pixels, upright)
    assert loaded.size == upright.shape[:2]


FOREIGN = {
    "no TIFF header": b"Exif\0\0\x00\x00\x11\x00\x00\x01\x04\x00",
    "cut off": b"Exif\0\0MM\x00*\x00\x00\x00\x08\x00\x02\x01\x12\x00\x03",
    "words": b"Exif\0\0junk",
    "offset beyond the end": b"Exif\0\0II*\x00\xff\xff\xff\x7f",
}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("exif", FOREIGN.values(), ids=FOREIGN)
def test_broken_exif_is_orientation_1(tmp_path, pixels, suffix, exif):
    plain = image_io.read_image(saved(tmp_path, pixels, f"plain.{suffix}"))
    file = saved(tmp_path, pixels, f"a.{suffix}", exif=exif)
    loaded = image_io.read_image(file)
    np.testing.assert_array_equal(loaded.pixels, plain.pixels)
    text = "its EXIF block cannot be read, so its pixels are taken as upright"
    assert loaded.notes == (f"{file}: {text}",)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_orientation_out_of_range_is_1(tmp_path, pixels, value):
    exif = Image.Exif()
    exif[0x0112] = value
    loaded = image_io.read_image(saved(tmp_path, pixels, "a.png", exif=exif))
    np.testing.assert_array_equal(loaded.pixels, pixels)
    assert not loaded.notes


def test_truncated_image_with_broken_exif_is_refused(tmp_path, pixels):
    pixels = np.tile(pixels, (20, 20, 1))
    file = saved(tmp_path, pixels, "a.jpg", exif=FOREIGN["no TIFF header"])
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(ValueError, match="a.jpg is damaged: .*truncated"):
        image_io.read_image(file)


def test_sixteen_bit_gray_is_divided_by_257(tmp_path):
    levels = np.array([[0, 256], [257, 65535]], np.uint16)
    for name in ("a.png", "a.tif"):
        loaded = image_io.read_image(saved(tmp_path, levels, name)).pixels
        expected = np.repeat(np.uint8([[0, 0], [1, 255]])[..., None], 3, axis=2)
        np.testing.assert_array_equal(loaded, expected)


def test_levels_of_twelve_bits_are_reported(tmp_path):
    levels = np.full((4, 4), 4095, np.uint16)
    loaded = image_io.read_image(saved(tmp_path, levels, "dark.png"))
    (note,) = loaded.notes
    assert "dark.png is nearly black: its highest gray level is 4,095 of" in note
    assert not image_io.read_image(saved(tmp_path, levels * 16, "a.png")).notes


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB"])
def test_every_color_mode_becomes_rgb(tmp_path, pixels, mode):
    rgb = Image.fromarray(pixels)
    lab = Image.merge("LAB", rgb.split())
    image = lab if mode == "LAB" else rgb.convert(mode)
    image.save(tmp_path / "a.tif")
    loaded = image_io.read_image(tmp_path / "a.tif")
    assert loaded.pixels.shape == (5, 7, 3) and loaded.pixels.dtype == np.uint8
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(loaded.pixels, expected)


def test_transparent_pixels_become_white(tmp_path):
    rgba = np.uint8([[[9, 9, 9, 255], [9, 9, 9, 0], [0, 0, 0, 127]]])
    loaded = image_io.read_image(saved(tmp_path, rgba, "a.png")).pixels
    assert loaded.tolist() == [[[9] * 3, [255] * 3, [128] * 3]]
    palette = Image.new("P", (2, 1))
    palette.putpalette([1, 2, 3, 4, 5, 6])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "p.png", transparency=0)
    loaded = image_io.read_image(tmp_path / "p.png").pixels
    assert loaded.tolist() == [[[255] * 3, [4, 5, 6]]]


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.tif"])
def test_first_frame_is_read_with_a_note(tmp_path, pixels, name):
    first, second = (Image.fromarray(c) for c in (pixels, 255 - pixels))
    options = {"lossless": True} if name == "a.webp" else {}
    file = tmp_path / name
    first.save(file, save_all=True, append_images=[second], **options)
    loaded = image_io.read_image(file)
    np.testing.assert_array_equal(loaded.pixels, pixels)
    assert loaded.notes == (f"{file} has 2 frames: the first is counted",)


def jpeg(pixels):
    data = io.BytesIO()
    Image.fromarray(np.tile(pixels, (40, 40, 1))).save(data, "jpeg")
    return data.getvalue()


BAD = {
    "empty.jpg": (lambda _: b"", "is not a JPEG, PNG, WEBP, BMP or TIFF image"),
    "text.jpg": (lambda _: b"these are words", "is not a JPEG, PNG"),
    "page.svg": (lambda _: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a J"),
    "cut.jpg": (lambda c: jpeg(c)[:900], "is damaged: .*truncated"),
    "bomb.png": (lambda _: bomb(16_000, 11_000), "has 16000x11000 pixels, more than"),
    "bigger.png": (lambda _: bomb(60_000, 60_000), "has more than 170,000,000 pixels"),
    "nothing.png": (lambda _: bomb(90, 90), "is damaged"),
}


@pytest.mark.parametrize("name", BAD)
def test_invalid_file_raises_value_error(tmp_path, pixels, name):
    make, text = BAD[name]
    (tmp_path / name).write_bytes(make(pixels))
    with pytest.raises(ValueError, match=f"^{tmp_path}/{name} {text}"):
        image_io.read_image(tmp_path / name)


def test_other_formats_raise_value_error(tmp_path, pixels):
    file = saved(tmp_path, pixels, "a.gif")
    with pytest.raises(ValueError, match="a.gif is not a JPEG"):
        image_io.read_image(file)


def test_32_bit_gray_raises_value_error(tmp_path):
    file = saved(tmp_path, np.float32([[0.5, 700]]), "a.tif")
    with pytest.raises(ValueError, match="a.tif has 32-bit gray levels"):
        image_io.read_image(file)


def test_unopenable_path_raises_value_error(tmp_path):
    with pytest.raises(ValueError, match="gone.jpg cannot be opened: No such file"):
        image_io.read_image(tmp_path / "gone.jpg")
    with pytest.raises(ValueError, match=f"{tmp_path} cannot be opened: Is a direct"):
        image_io.read_image(tmp_path)


def test_damaged_files_are_read_or_raise_value_error(pixels, tmp_path):
    """Ten thousand files with changed, removed and repeated bytes."""
    rng, kinds = np.random.default_rng(1), {}
    for kind in ("jpeg", "png", "webp", "bmp", "tiff"):
        data = io.BytesIO()
        Image.fromarray(np.tile(pixels, (3, 3, 1))).save(data, kind)
        kinds[kind] = np.frombuffer(data.getvalue(), np.uint8)
    for number in range(10_000):
        data = list(kinds.values())[number % len(kinds)].copy()
        places = rng.integers(0, len(data), rng.integers(1, 9))
        data[places] = rng.integers(0, 256, len(places))
        data = data[: rng.integers(1, 2 * len(data))]
        try:
            loaded = image_io.read_image(io.BytesIO(data.tobytes()))
        except ValueError as error:
            assert str(error).startswith("the image ")
        else:
            assert loaded.pixels.dtype == np.uint8 and loaded.pixels.shape[2] == 3


def test_arrays_are_accepted():
    gray = np.random.default_rng(0).random((4, 6))
    loaded = image_io.read_image(gray).pixels
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, np.float32(gray)[..., None].repeat(3, 2))
    rgb = np.zeros((4, 6, 3), np.uint8)
    assert image_io.read_image(rgb).pixels is rgb


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (np.zeros((4, 4, 4), np.uint8), r"\[H, W, 3\] or \[H, W\], got \(4, 4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"got \(0, 4, 3\)"),
        (np.zeros(4), r"got \(4,\)"),
        (np.zeros((4, 4), np.int64), "uint8 or floating point, got int64"),
        (np.full((4, 4), 255.0), r"in \[0, 1\], got 255 to 255: divide"),
        (np.full((4, 4), np.nan), r"in \[0, 1\], got NaN or infinity$"),
        (np.array([[0, np.inf]]), r"in \[0, 1\], got NaN or infinity$"),
        (np.array([[0.0, -1.0]]), r"in \[0, 1\], got -1 to 0$"),
        (None, "a path, an open file, a PIL image or an array, got NoneType"),
        ([[0.0]], "got list"),
    ],
)
def test_wrong_input_raises_value_error(wrong, text):
    with pytest.raises(ValueError, match=text):
        image_io.read_image(wrong)


def test_bfloat16_array_is_read():
    gray = jnp.linspace(0, 1, 24, dtype=jnp.bfloat16).reshape(4, 6)
    loaded = image_io.read_image(gray)
    np.testing.assert_array_equal(loaded.pixels[..., 0], np.float32(gray))
    assert repr(loaded) == "<image the image, 6x4 pixels>"


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_larger_images_are_shrunk(dtype):
    ramp = np.linspace(0, 255 if dtype == np.uint8 else 1, 400).astype(dtype)
    image = np.tile(ramp[None, :, None], (200, 1, 3))
    loaded = image_io.read_image(image, max_size=100)
    assert loaded.pixels.shape == (50, 100, 3) and loaded.size == (200, 400)
    middle = ramp.reshape(100, 4).mean(axis=1, dtype=float)
    np.testing.assert_allclose(loaded.pixels[25, 2:-2, 1], middle[2:-2], atol=1 + 1e-3)
    assert image_io.read_image(image, max_size=400).pixels is image
    line = np.zeros((1, 1000), dtype)
    assert image_io.read_image(line, max_size=100).pixels.shape == (1, 100, 3)


def test_shrinking_keeps_the_given_image(tmp_path, pixels):
    image = Image.fromarray(np.tile(pixels, (20, 20, 1)))
    image.save(tmp_path / "a.png")
    expected = np.asarray(image.resize((70, 50)))
    for given in (image, tmp_path / "a.png"):
        loaded = image_io.read_image(given, max_size=70).pixels
        np.testing.assert_array_equal(loaded, expected)
    assert image.size == (140, 100)


def test_padded_window_repeats_the_last_pixels(pixels):
    padded = np.pad(pixels, ((0, 3), (0, 1), (0, 0)), mode="edge") / np.float32(255)
    for image in (pixels, np.float32(pixels) / 255):
        window = image_io.padded_window(image, (2, 8), (4, 8))
        np.testing.assert_array_equal(window, padded[2:8, 4:8])


def test_size_is_that_of_the_upright_image(tmp_path):
    for orientation, size in ((1, (40, 30)), (3, (40, 30)), (6, (30, 40))):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        file = tmp_path / f"{orientation}.jpg"
        Image.new("RGB", (30, 40)).save(file, exif=exif)
        assert image_io.read_size(file) == size == image_io.read_image(file).size
    file.write_text("words")
    assert image_io.read_size(file) is None
    assert image_io.read_size(tmp_path / "none.jpg") is None


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_avif_is_read_upright(tmp_path, orientation):
    if not features.check("avif"):
        pytest.skip("this Pillow has no libavif")
    image, exif = np.zeros((40, 60, 3), np.uint8), Image.Exif()
    image[:20, :20] = 255
    exif[0x0112] = orientation
    loaded = image_io.read_image(saved(tmp_path, image, "a.avif", exif=exif))
    turns = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]
    np.testing.assert_allclose(loaded.pixels, np.rot90(image, turns), atol=60)
    assert ".avif" in image_io.readable_suffixes()


def test_heic_is_read_where_pillow_heif_is_installed(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    image = np.zeros((40, 60, 3), np.uint8)
    image[:20, :20] = 255
    pillow_heif.from_pillow(Image.fromarray(image)).save(tmp_path / "a.heic")
    loaded = image_io.read_image(tmp_path / "a.heic")
    np.testing.assert_allclose(loaded.pixels, image, atol=60)
    assert ".heic" in image_io.readable_suffixes()


@pytest.mark.parametrize("name", ["IMG_1.HEIC", "a.heif"])
def test_heic_without_pillow_heif_names_the_extra(tmp_path, monkeypatch, name):
    monkeypatch.setattr(image_io, "installed_formats", dict)
    (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    expected = rf"{name}: HEIC needs pillow-heif: pip install 'cpcnn_jax\[heif\]'$"
    with pytest.raises(image_io.UnknownFormatError, match=expected):
        image_io.read_image(tmp_path / name)
    assert image_io.readable_suffixes() == image_io.SUFFIXES
