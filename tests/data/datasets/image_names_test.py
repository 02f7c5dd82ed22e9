"""Names in annotation files, and the images that they mean."""

import unicodedata
from pathlib import Path

import pytest

from cpcnn_jax.data.datasets.image_names import ImageNames

COMPOSED = "caf\xe9.jpg"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


def find(images, file, name):
    names = ImageNames(Path("train") / image for image in images.split("|"))
    found = names.find(Path("train") / file, name)
    return "|".join(image.relative_to("train").as_posix() for image in found)


@pytest.mark.parametrize(
    "images, name",
    [
        ("a.jpg", "a.jpg"),
        ("sub/a.jpg", "a.jpg"),
        ("a.jpg", "elsewhere/a.jpg"),
        ("a.jpg", "/home/me/a.jpg"),
        ("a.jpg", "a"),
        ("a.jpg", "A.JPG"),
        ("A.JPG", "a.png"),
        ("a.png", "a.tif"),
        (COMPOSED, DECOMPOSED),
        (DECOMPOSED, COMPOSED.upper()),
        ("2024.05.01 12.30.00.jpg", "2024.05.01 12.30.00"),
        ("0007.jpg", "./0007"),
        ("a.jpg", "1a2b3c4d-a.jpg"),
        ("a.jpg", "upload/1/1a2b3c4d-a.jpg"),
        ("a.jpg", "./1a2b3c4d-a"),
        ("1a2b3c4d-a.jpg", "1a2b3c4d-a.jpg"),
    ],
)
def test_only_image_of_a_name_is_found(images, name):
    assert find(images, "heads.csv", name) == images


@pytest.mark.parametrize(
    "images, file, name, expected",
    [
        ("cam1/a.jpg|cam2/a.jpg", "heads.json", "cam2/a.jpg", "cam2/a.jpg"),
        ("cam1/a.jpg|cam2/a.jpg", "heads.json", "/data/CAM1/a.jpg", "cam1/a.jpg"),
        ("cam1/a.jpg|cam2/a.jpg", "cam1/heads.csv", "a.jpg", "cam1/a.jpg"),
        ("cam1/i/a.jpg|cam2/i/a.jpg", "cam1/heads.csv", "a.jpg", "cam1/i/a.jpg"),
        ("cam1/a.jpg|cam2/a.jpg", "cam2/a.csv", "./a", "cam2/a.jpg"),
        ("cam1/a.jpg|cam2/a.jpg", "cam1/a.json", "./../cam2/a.jpg", "cam2/a.jpg"),
        ("i/cam1/a.jpg|i/cam2/a.jpg", "l/cam2/a.csv", "./a", "i/cam2/a.jpg"),
        ("a.jpg|sub/a.jpg", "heads.csv", "a.jpg", "a.jpg"),
        ("a.jpg|a.png", "heads.csv", "a.png", "a.png"),
        ("a.jpg|A.jpg", "heads.csv", "A.jpg", "A.jpg"),
        ("1a2b3c4d-a.jpg|a.jpg", "h.json", "1a2b3c4d-a.jpg", "1a2b3c4d-a.jpg"),
        ("a.jpg|a.jpg.png", "heads.csv", "a.jpg", "a.jpg"),
        (f"{COMPOSED}|{DECOMPOSED}", "heads.csv", DECOMPOSED, DECOMPOSED),
    ],
)
def test_folder_and_name_decide_between_namesakes(images, file, name, expected):
    assert find(images, file, name) == expected


@pytest.mark.parametrize(
    "images, name",
    [
        ("cam1/a.jpg|cam2/a.jpg", "a.jpg"),
        ("cam1/a.jpg|cam2/a.jpg", "./a"),
        ("cam1/a.jpg|cam2/a.jpg", "front/a.jpg"),
        ("a.jpg|a.png", "a"),
        ("Ab.jpg|aB.jpg", "ab.jpg"),
        ("cam1/a.jpg|cam2/a.png", "cam3/a.tif"),
    ],
)
def test_all_equally_similar_images_are_returned(images, name):
    assert find(images, "heads.csv", name) == images


@pytest.mark.parametrize(
    "images, file, name",
    [
        ("a.jpg", "heads.csv", "b.jpg"),
        ("2024.05.01 12.30.jpg", "heads.csv", "2024.05.01 12.30.00"),
        ("7.jpg", "heads.csv", "0007.jpg"),
        ("a.jpg", "heads.csv", "1a2b3c4-a.jpg"),
        ("a.jpg", "heads.csv", "5e6f7a8b-1a2b3c4d-a.jpg"),
        ("cam1/b.jpg|cam2/a.jpg", "cam1/a.csv", "./a"),
        ("cam1/b.jpg|cam2/a.jpg", "heads.csv", "cam1/a.jpg"),
    ],
)
def test_image_of_another_name_or_of_another_stated_folder_is_not_found(
    images, file, name
):
    assert find(images, file, name) == ""
