"""Labels: places that never cover each other, and any text."""

import itertools

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cpcnn_jax.inference import drawn_text


def boxes(places, sizes):
    return [
        (*place, place[0] + size[0], place[1] + size[1])
        for place, size in zip(places, sizes, strict=True)
        if place is not None
    ]


@pytest.mark.parametrize("seed", range(5))
def test_labels_never_cover_each_other(seed):
    rng = np.random.default_rng(seed)
    area = (400.0, 300.0)
    wanted = [tuple(place) for place in rng.uniform(-50, 350, (30, 2))]
    sizes = [tuple(size) for size in rng.uniform((30, 10), (90, 25), (30, 2))]
    places = drawn_text.place_labels(wanted, sizes, area, [(0, 280, 400, 300)])
    found = boxes(places, sizes)
    assert len(found) > 25
    for left, top, right, bottom in found:
        assert left >= 0 and top >= 0 and right <= 400 and bottom <= 280 + 1e-9
    for a, b in itertools.combinations(found, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_free_label_stays_at_its_place():
    places = drawn_text.place_labels([(7, 9), (90, 90)], [(20, 10)] * 2, (100, 100))
    assert places == [(7, 9), (80, 90)]  # moved inside


def test_label_without_a_place_is_none():
    assert drawn_text.place_labels([(0, 0)], [(101, 5)], (100, 100)) == [None]
    places = drawn_text.place_labels([(0, 0)] * 3, [(100, 40)] * 3, (100, 100))
    assert places == [(0, 0), (0, 40), None]


def test_label_is_as_large_as_its_size_says():
    font = drawn_text.load_font(20)
    width, height = drawn_text.label_size("gate: 12", font)
    picture = Image.new("RGB", (300, 100), "red")
    drawn_text.draw_label(ImageDraw.Draw(picture), (30, 40), "gate: 12", font)
    changed = (np.asarray(picture) != (255, 0, 0)).any(axis=-1)
    rows, columns = changed.nonzero()
    assert (columns.min(), rows.min()) == (30, 40)
    assert columns.max() + 1 == pytest.approx(30 + width, abs=1)
    assert rows.max() + 1 == pytest.approx(40 + height, abs=1)


def test_own_font_is_used_where_the_system_has_none(monkeypatch):
    monkeypatch.setattr(drawn_text, "FONTS", ("no-such-font.ttf",))
    drawn_text.load_font.cache_clear()
    assert drawn_text.load_font(18).getname()[0] == "Aileron"
    drawn_text.load_font.cache_clear()
