"""Regions compared with scikit-image's polygons, and sums over neighbors."""

import numpy as np
import pytest
from skimage.measure import points_in_poly

from cpcnn_jax.inference import regions
from cpcnn_jax.io.image import LoadedImage


def test_pixels_inside_equal_those_of_scikit_image():
    rng = np.random.default_rng(0)
    density = rng.random((30, 40))
    centers = np.stack(np.mgrid[:30, :40], axis=-1).reshape(-1, 2)[:, ::-1] + 0.5
    for corners in range(3, 13):  # most of them cross themselves
        polygon = rng.uniform(0, (40, 30), (corners, 2))
        inside = points_in_poly(centers, polygon).reshape(30, 40)
        people = regions.count_region(density, regions.Region("a", polygon))
        np.testing.assert_allclose(people, density[inside].sum())


def test_neighbors_share_no_pixel_and_omit_none():
    density = np.random.default_rng(1).random((21, 33))
    cut = "7.5,0;20.5,10.5;9,21"
    left = regions.parse_region(f"left=0,0;{cut};0,21")
    right = regions.parse_region(f"right=33,0;{cut};33,21")
    people = [regions.count_region(density, region) for region in (left, right)]
    np.testing.assert_allclose(sum(people), density.sum())
    assert min(people) > 100


def test_region_of_a_reduced_image_is_in_pixels_of_the_original():
    density = np.random.default_rng(2).random((10, 20))
    whole = regions.parse_region("a=0,0;400,0;400,100;0,100")
    people = regions.count_region(density, whole, size=(200, 400))
    np.testing.assert_allclose(people, density[:5].sum())


def test_region_is_parsed():
    name, corners, percent = regions.parse_region(" main gate = 1,2.5; .5,3 ;4.,0;")
    assert name == "main gate" and not percent
    np.testing.assert_array_equal(corners, [[1, 2.5], [0.5, 3], [4, 0]])


@pytest.mark.parametrize(
    "text", ["", "a", "a=", "a=1,2;3,4", "=1,2;3,4;5,6", "a=1,2;3,4;5", "a=1,2;3,4;x,6"]
)
def test_other_text_raises_value_error(text):
    with pytest.raises(ValueError, match="is not a region: expected name=x,y;x,y;x,y"):
        regions.parse_region(text)


@pytest.mark.parametrize("text", ["1", " ", "1,", "a=1,2;"])
def test_long_text_is_rejected_without_delay(text):
    """A pattern that tries every split of the digits would take hours."""
    with pytest.raises(ValueError, match="is not a region"):
        regions.parse_region(f"a={text * 200_000}x")


def test_region_in_percent_is_of_the_width_and_the_height():
    density = np.random.default_rng(3).random((20, 50))
    region = regions.parse_region("a= 50%,0% ;100%,0%; 100%,25.0%;50%,25%")
    np.testing.assert_array_equal(
        region.in_pixels((20, 50)), [[25, 0], [50, 0], [50, 5], [25, 5]]
    )
    people = regions.count_region(density, region)
    np.testing.assert_allclose(people, density[:5, 25:].sum())
    assert region.fits((1, 1)) and regions.parse_region("a=0,0;9,0;9,9").fits((9, 9))
    assert not regions.parse_region("a=0,0;9,0;9,9").fits((8, 9))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a=0%,0%;9,9;9%,9%", "has pixels and percent"),
        ("a=0%,0%;101%,9%;9%,9%", "not from 0% to 100%"),
        ("a=0%,0%;9%%,9%;9%,9%", "is not a region"),
    ],
)
def test_wrong_percent_is_refused(text, error):
    with pytest.raises(ValueError, match=error):
        regions.parse_region(text)


def test_region_that_does_not_fit_counts_nothing_and_the_others_count():
    density = np.ones((8, 8))
    wanted = [regions.parse_region(f"{n}=0,0;{n},0;{n},{n};0,{n}") for n in (4, 9)]
    people, misfits = regions.count_fitting(density, wanted, size=(8, 8))
    assert people == {"4": 16, "9": None}
    assert misfits == [
        "the corner 9,0 of region 9 lies outside the 8x8 pixels of the image"
    ]
    loaded = LoadedImage("a", np.zeros((4, 4, 3), np.uint8), (8, 8))
    ((label, corners),) = regions.outline_regions(wanted, people, loaded)
    assert label == "4: 16" and corners.max() == 2


@pytest.mark.parametrize("corner", ["41,3", "-1,3", "3,30.5"])
def test_corner_outside_is_named(corner):
    region = regions.parse_region(f"door=0,0;{corner};5,5")
    text = f"the corner {corner} of region door lies outside the 40x30 pixels of the"
    with pytest.raises(ValueError, match=text):
        regions.count_region(np.ones((30, 40)), region)
