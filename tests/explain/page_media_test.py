"""The page on phones and paper, in the dark and for color-blind eyes, in a browser."""

import base64
import itertools
import re
import zlib

import numpy as np
import pytest

pytest.importorskip("selenium")

from explain_page import (
    compute_lightness,
    emulated,
    find,
    open_link,
    press,
    take_picture,
    text,
)
from selenium.webdriver.common.keys import Keys

from cpcnn_jax.cli.explain import main

SCHEMES = ["light", "dark"]
VISIONS = ["none", "achromatopsia", "deuteranopia", "protanopia", "tritanopia"]
# One dimension is drawn flat: cells are upright squares. At the first step, the
# kernel covers padding, an input and an inserted zero.
FLAT = "#kind=transposed&dim=1&i=4&k=3&s=2&p=1"
STEPS = [f"#step={n}" for n in range(1, 9)]
PHONE = dict(width=360, height=740, mobile=True)


@pytest.fixture(scope="module")
def page_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    main(["--kernel", "4", "--format", "html", "--out", str(path)])
    return path


# --- kinds of cells ---


def measure(page, picture, selector, index=-1):
    """(mean, deviation, mean of the edge) of the lightness of one element."""
    element = page.find_elements("css selector", selector)[index]
    script = "const b = arguments[0].getBoundingClientRect();"
    script += "return [b.x, b.y, b.right, b.bottom].map((v) => v * devicePixelRatio)"
    left, top, right, bottom = map(round, page.execute_script(script, element))
    cell = compute_lightness(picture[top:bottom, left:right])
    edge = max(2, min(cell.shape) // 10)
    inner = cell[edge:-edge, edge:-edge]
    ring = cell.sum() - inner.sum()
    return np.array([inner.mean(), inner.std(), ring / (cell.size - inner.size)])


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_kinds_of_cells_differ_in_gray(browser, page_path, scheme, vision):
    """By lightness, hatching or outline; a hue alone separates no two kinds."""
    legend = ["value", "inserted", "padding", "under", "made", "done"]
    with emulated(browser, scheme=scheme, vision=vision, deviceScaleFactor=4):
        open_link(browser, page_path, FLAT)
        script = "document.querySelector('.stage').scrollIntoView()"
        browser.execute_script(script)
        picture = take_picture(browser)
        assert picture.shape[1] == 4 * 1280
        swatches = {n: measure(browser, picture, f".legend .{n}") for n in legend}
        cells = {
            "input": measure(browser, picture, "#stage .g0"),
            "inserted zero": measure(browser, picture, "#stage .g1"),
            "padding": measure(browser, picture, "#stage .g2"),
            "kernel": measure(browser, picture, "#stage .window", 0),
            "output": measure(browser, picture, "#stage .cell"),
            "this step": measure(browser, picture, "#stage .cell.now"),
        }
    for kinds in (swatches, cells):
        for (a, one), (b, other) in itertools.combinations(kinds.items(), 2):
            assert np.abs(one - other).max() >= 7, (a, b, one, other)


def test_hatching_and_dashes(browser, page_path):
    """Shapes alone separate inserted zeros, padding, kernel and input."""
    open_link(browser, page_path, FLAT)
    hatches = browser.find_elements("css selector", "#stage .hatch")
    assert len(hatches) == 4 * 3  # four lines for each of three inserted zeros
    assert all(h.value_of_css_property("stroke") != "none" for h in hatches)
    dashes = {
        kind: find(browser, f"#stage .{kind}").value_of_css_property("stroke-dasharray")
        for kind in ("g0", "g1", "g2", "window")
    }
    assert dashes.pop("g2") != "none" and {*dashes.values()} == {"none"}
    width = find(browser, "#stage .window").value_of_css_property("stroke-width")
    assert float(width.removesuffix("px")) >= 2
    for table_kind, image in (("v1", "repeating-linear-gradient"), ("v2", "none")):
        cell = find(browser, f"#grid .{table_kind}")
        assert cell.value_of_css_property("background-image").startswith(image)


def test_vision_is_emulated(browser, page_path):
    """Without colors, a pixel's red, green and blue are equal: the test above works."""
    for vision, spread in (("none", 50), ("achromatopsia", 0)):
        with emulated(browser, vision=vision):
            open_link(browser, page_path)
            picture = take_picture(browser).astype(int)
            colors = picture.max(axis=-1) - picture.min(axis=-1)
        assert (colors.max() > spread) if spread else (colors.max() <= 2)


def contrast(one, other):
    """WCAG's contrast of two lightnesses."""
    light, dark = sorted(100 * ((v + 16) / 116) ** 3 / 100 for v in (one, other))[::-1]
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_numbers_in_cells_are_legible(browser, page_path, scheme):
    """Between the letters and their cell, at least 4.5, the bound for small text."""
    kinds = [
        (".t0", -1),
        (".t0", 0),
        (".t1", -1),
        (".tnow", 0),
        (".tdone", 0),
        (".t2", 0),
    ]
    with emulated(browser, scheme=scheme, deviceScaleFactor=4):
        open_link(browser, page_path, f"{FLAT}&at=1")
        browser.execute_script("document.querySelector('.stage').scrollIntoView()")
        picture = take_picture(browser)
        for selector, index in kinds:
            element = browser.find_elements("css selector", f"#stage {selector}")[index]
            script = "const b = arguments[0].getBoundingClientRect(); return "
            script += "[b.x, b.y, b.right, b.bottom].map((v) => v * devicePixelRatio)"
            x, y, right, bottom = map(round, browser.execute_script(script, element))
            values = compute_lightness(picture[y:bottom, x:right])
            ground = np.median(values)  # letters cover less than half of their box
            away = np.abs(values - ground)
            letters = values.flat[away.argmax()]
            assert contrast(letters, ground) >= 4.5, (selector, index)


# --- screens ---


@pytest.mark.parametrize("link", [*STEPS, FLAT, "#full_padding_no_strides"])
def test_page_fits_a_phone(browser, page_path, link):
    with emulated(browser, **PHONE):
        open_link(browser, page_path, link)
        widths = "return [document.documentElement.scrollWidth, innerWidth]"
        assert browser.execute_script(widths) == [360, 360]
        words, stage = (
            browser.execute_script("return arguments[0].getBoundingClientRect().y", e)
            for e in (find(browser, "#lesson"), find(browser, "#stage"))
        )
        assert words < stage  # the words come first


@pytest.mark.parametrize("width", [390, 620, 688, 900, 1280])
def test_words_stand_beside_or_above_the_picture(browser, page_path, width):
    with emulated(browser, width=width):
        open_link(browser, page_path, "#step=3")
        script = "const b = arguments[0].getBoundingClientRect(); return [b.x, b.y]"
        stage, words = (
            browser.execute_script(script, find(browser, s))
            for s in (".stage", "#lesson")
        )
        assert (words[0] > stage[0]) == (width > 608)
        assert (words[1] < stage[1]) == (width <= 608)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_steps_in_both_schemes(browser, page_path, scheme):
    with emulated(browser, scheme=scheme):
        open_link(browser, page_path, "#step=5")
        paper = take_picture(browser)[5, 5]
        assert (compute_lightness(paper) > 90) == (scheme == "light")
        words = find(browser, "#tour li.current p")
        assert words.is_displayed()
    assert browser.get_log("browser") == []


def test_everything_by_keyboard(browser, page_path):
    """Tab reaches a step, the player, a slider and a table; the focus is visible."""
    open_link(browser, page_path)
    reached = []
    for _ in range(80):
        press(browser, Keys.TAB)
        script = "const a = document.activeElement; return [a.id || a.dataset.chapter "
        script += (
            "|| a.closest('[id]')?.id || a.tagName, getComputedStyle(a).outlineStyle]"
        )
        name, outline = browser.execute_script(script)
        assert outline != "none" or name == "BODY", name
        reached.append(name)
    expected = ["play", "1", "8", "later", "k0", "apart", "link", "x", "kernel"]
    assert [name for name in expected if name not in reached] == []


# --- pictures ---


def canvas_pixels(page, name):
    """Pixels `[H, W, 3]` of a canvas."""
    script = "const c = document.getElementById(arguments[0]);"
    script += "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
    script += "return [c.height, c.width, [...d.data]]"
    height, width, data = page.execute_script(script, name)
    return np.array(data).reshape(height, width, 4)[..., :3]


def test_picture_is_enlarged_by_the_layer(browser, page_path):
    torch = pytest.importorskip("torch")
    open_link(browser, page_path, "#kind=transposed&i=3&k=4&s=2&p=1&w=bilinear")
    wait = "const [done] = arguments; const id = setInterval(() => { if ("
    wait += "state.picture) { clearInterval(id); done(); } }, 20)"
    browser.execute_async_script(wait)
    x, y = (canvas_pixels(browser, name) for name in ("picturein", "pictureout"))
    assert (x.shape, y.shape) == ((32, 40, 3), (64, 80, 3))
    assert x.std() > 30 and np.ptp(x, axis=-1).max() > 50  # a picture in color
    kernel = np.array(browser.execute_script("return state.kernel"))
    expected = torch.nn.functional.conv_transpose2d(
        torch.tensor(x / 255).permute(2, 0, 1)[:, None],
        torch.tensor(kernel[::-1, ::-1].copy())[None, None],
        stride=2,
        padding=1,
    )[:, 0].permute(1, 2, 0)
    scaled = expected.numpy() / (kernel.sum() / 4)
    np.testing.assert_allclose(y, 255 * scaled.clip(0, 1), atol=1.5)


def test_pattern_shows_the_checkerboard(browser, page_path):
    open_link(browser, page_path, "#step=7")
    pattern = canvas_pixels(browser, "pattern")[..., 0]
    assert sorted(np.unique(pattern)) == [57, 113, 227]  # 1, 2 and 4 of 9
    open_link(browser, page_path, "#kind=transposed&k=4&s=2&p=1&w=bilinear")
    assert np.ptp(canvas_pixels(browser, "pattern")) == 0


def test_network_pictures_are_shown(browser, page_path):
    open_link(browser, page_path)
    images = browser.find_elements("css selector", "#networksection img")
    sizes = [
        browser.execute_script(
            "return [arguments[0].naturalWidth, arguments[0].naturalHeight]", i
        )
        for i in images
    ]
    assert sizes == [[160, 128], [40, 32], [80, 64], [160, 128]]
    assert all(image.get_attribute("alt") for image in images)


# --- paper ---


def print_pages(page):
    """The PDF of the printed page."""
    options = {"printBackground": False, "preferCSSPageSize": True}
    pdf = page.execute_cdp_cmd("Page.printToPDF", options)
    return base64.b64decode(pdf["data"])


def displayed(page, selector):
    script = "return [...document.querySelectorAll(arguments[0])].map((e) => "
    script += "e.getClientRects().length > 0)"
    return page.execute_script(script, selector)


@pytest.mark.parametrize("link", ["", "#step=7", FLAT])
def test_paper_has_all_steps_with_pictures(browser, page_path, link):
    with emulated(browser, scheme="dark"):
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        open_link(browser, page_path, link)
        assert displayed(browser, "#tour li") == [False] + [True] * 8
        assert displayed(browser, "#tour li figure svg") == [True] * 8
        for controls in ("button", ".controls", ".player", "#chapters"):
            assert not any(displayed(browser, controls)), controls
        assert all(displayed(browser, "#stage svg, .legend, #networksection img"))
        paper = find(browser, "#tour li:nth-child(2) p").value_of_css_property("color")
        assert (
            np.mean(compute_lightness([*map(int, re.findall(r"\d+", paper)[:3])])) < 40
        )
        pages = print_pages(browser)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert pages.startswith(b"%PDF")
    count = len(re.findall(rb"/Type\s*/Page\b(?!s)", pages))
    assert 4 <= count <= 9, count
    assert any(
        zlib.decompress(s)
        for s in re.findall(rb"stream\r?\n(x.*?)endstream", pages, re.S)[:1]
    )


def test_pictures_of_the_steps_on_paper_are_those_of_the_settings(browser, page_path):
    open_link(browser, page_path)
    captions = [
        e.get_attribute("textContent")
        for e in browser.find_elements("css selector", "#tour figcaption")
    ]
    # The first output with the most products; computed by hand.
    assert captions[2] == "y[1,1] = 1 · 1 + 2 · 3 + 4 · 7 + 5 · 9 = 80"
    assert captions[6] == "y[1,1] = 1 · 1 + 1 · 1 + 1 · 1 + 1 · 1 = 4"
    own = text(browser, "#ownadjoint").split(" and ")
    assert own[0] == own[1]
