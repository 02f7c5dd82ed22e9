"""Served page in a real browser: pointer, keyboard alone, phone."""

import json
import re

import numpy as np
import pytest
import server_process
from PIL import Image

import cpcnn_jax as cp
from cpcnn_jax.inference import regions
from cpcnn_jax.io import density_file

webdriver = pytest.importorskip("selenium.webdriver")
Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
Wait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return server_process.weights_file(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def address(file):
    with server_process.running(file, "--max-body", "1", "--timeout", "300") as address:
        yield address


@pytest.fixture(scope="module")
def image_file(tmp_path_factory):
    """Writes an image of 120x90 pixels."""
    path = tmp_path_factory.mktemp("images") / "square.png"
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def expected(file, image_file):
    """Counts the image with the library."""
    return cp.load(file).count(image_file)


@pytest.fixture
def page(browser, address):
    """Opens the page; its console must be empty at the end."""
    browser.get(address)
    yield browser
    assert browser.get_log("browser") == []


@pytest.fixture
def counted(page, image_file):
    """The page after the count of the image."""
    choose(page, image_file)
    return page


def find(page, selector):
    return page.find_element("css selector", selector)


def text(page, selector):
    return find(page, selector).text


def wait(page, condition):
    return Wait(page, 300, poll_frequency=0.05).until(condition)


def choose(page, path):
    find(page, "#file").send_keys(str(path))
    wait(page, lambda page: f"{path.name}: " in text(page, "#status"))


def press(page, *keys):
    chain = webdriver.ActionChains(page)
    for key in keys:
        chain.send_keys(key)
    chain.perform()


def people(line):
    return float(re.search(r"(-?[\d,.]+) people", line)[1].replace(",", ""))


def test_image_is_counted_and_shown(counted, expected):
    assert float(text(counted, "#count").replace(",", "")) == pytest.approx(
        expected.count, abs=0.51
    )
    assert "120×90 pixels" in text(counted, "#status")
    shown = "return [$('image').naturalWidth, $('map').width, $('map').height]"
    assert counted.execute_script(shown) == [120, 120, 90]
    values = counted.execute_script("return [...state.density.values]")
    np.testing.assert_allclose(
        np.reshape(values, (90, 120)), expected.density, rtol=1e-4, atol=1e-7
    )


def test_brightest_pixel_has_the_highest_density(counted, expected):
    brightness = """
      const { data } = $("map").getContext("2d").getImageData(0, 0, 120, 90);
      return Array.from({ length: 120 * 90 }, (_, i) =>
        data[4 * i] + data[4 * i + 1] + data[4 * i + 2]);
    """
    shown = np.array(counted.execute_script(brightness))
    density = expected.density.ravel()
    assert shown[density.argmax()] == 252 + 255 + 164
    assert shown[density.argmin()] == shown.min()
    order = np.argsort(density)
    assert (np.diff(shown[order]) >= -2).all()  # colors are rounded


def test_slider_changes_the_opacity_of_the_map(counted):
    slider = find(counted, "#mix")
    for key, opacity in ((Keys.HOME, "0"), (Keys.END, "1"), (Keys.ARROW_LEFT, "0.99")):
        slider.send_keys(key)
        style = find(counted, "#map").value_of_css_property("opacity")
        assert style == opacity


def test_region_is_drawn_by_keyboard_alone(page, image_file, expected):
    """Keys alone from the top of the page, except for the file dialog."""
    press(page, Keys.TAB)
    assert page.switch_to.active_element.get_attribute("id") == "file"
    choose(page, image_file)
    for _ in range(9):
        if page.switch_to.active_element.get_attribute("id") == "drawing":
            break
        press(page, Keys.TAB)
    # From the middle, 60,45, in steps of 120/50 pixels, rounded.
    for keys in (
        [Keys.ENTER],
        [Keys.ARROW_RIGHT] * 10 + [Keys.ENTER],
        [Keys.ARROW_DOWN] * 9 + [" "],
        [Keys.ARROW_LEFT] * 5 + [Keys.ENTER, Keys.BACKSPACE],
    ):
        press(page, *keys)
    corners = page.execute_script("return state.regions[0].corners")
    assert len(corners) == 3 and corners[0] == [60, 45]
    assert corners[1][0] > 75 and corners[2][1] > 60
    region = regions.Region("1", np.array(corners, float))
    inside = regions.count_region(expected.density, region)
    assert people(text(page, "#regions")) == pytest.approx(max(inside, 0), abs=0.51)
    assert "region 1 has 3 corners" in text(page, "#selected")
    press(page, Keys.SHIFT + Keys.ARROW_LEFT)
    cross = page.execute_script("return state.cross")
    # Past the slider and the heads, to Remove.
    press(page, Keys.TAB, Keys.TAB, Keys.TAB, Keys.ENTER)
    assert text(page, "#regions") == ""
    assert page.execute_script("return state.cross") == cross


def test_regions_are_drawn_by_pointer(counted, expected):
    drawing = find(counted, "#drawing")
    counted.execute_script("arguments[0].scrollIntoView({block: 'center'})", drawing)
    width, height = drawing.size["width"], drawing.size["height"]
    for share in ((-0.4, -0.4), (0.4, -0.4), (0.4, 0.4), (-0.4, 0.4)):
        chain = webdriver.ActionChains(counted)
        by = int(share[0] * width), int(share[1] * height)
        chain.move_to_element_with_offset(drawing, *by).click().perform()
    corners = counted.execute_script("return state.regions[0].corners")
    np.testing.assert_allclose(
        corners, [[12, 9], [108, 9], [108, 81], [12, 81]], atol=1
    )
    find(counted, "#next").click()
    for key in (Keys.ENTER, Keys.ARROW_RIGHT, Keys.ENTER, Keys.ARROW_DOWN, Keys.ENTER):
        press(counted, key)
    listed = text(counted, "#regions").splitlines()
    lines = [line for line in listed if line != "Remove"]
    assert lines == [
        f"Region {n}: {people(line):,.0f} people" for n, line in enumerate(lines, 1)
    ]
    region = regions.Region("1", np.array(corners, float))
    inside = regions.count_region(expected.density, region)
    assert people(listed[0]) == pytest.approx(max(inside, 0), abs=0.51)


def test_range_and_heads_are_shown(counted, expected):
    low, high = (f"{max(0, round(end)):,}" for end in (expected.low, expected.high))
    assert text(counted, "#range") == f"({low} to {high} in nine of ten such images)"
    rings = counted.find_elements("css selector", "#heads circle")
    places = [[float(r.get_attribute(name)) for name in ("cx", "cy")] for r in rings]
    np.testing.assert_allclose(np.reshape(places, (-1, 2)), expected.points, atol=0.06)
    assert text(counted, "#found") == f"{len(expected.points):,}"
    assert not find(counted, "#heads").is_displayed()
    find(counted, "#show").click()
    assert find(counted, "#heads").is_displayed()
    find(counted, "#show").click()


def test_javascript_and_python_count_regions_equally(counted, expected):
    rng = np.random.default_rng(0)
    polygons = [rng.uniform(0, (240, 180), (n, 2)) for n in range(3, 13)]
    counts = counted.execute_script(
        "return arguments[0].map((corners) => countInside(state.density, corners, "
        "{ width: 240, height: 180 }))",
        [polygon.tolist() for polygon in polygons],
    )
    for polygon, count in zip(polygons, counts, strict=True):
        region = regions.Region("a", polygon)
        right = regions.count_region(expected.density, region, size=(180, 240))
        np.testing.assert_allclose(count, right, rtol=1e-4, atol=1e-6)


def test_large_maps_are_downsampled(page):
    result = page.execute_script("""
      const values = Float32Array.from({ length: 3300 * 5 }, (_, i) => i % 3300);
      const map = downsample({ width: 3300, height: 5, values });
      return [map.width, map.height, map.values[0], map.values[1099]];
    """)
    assert result == [1100, 1, 1, 3298]  # means over 3x3 pixels


def test_map_is_downloaded(counted, expected, tmp_path):
    folder = {"behavior": "allow", "downloadPath": str(tmp_path)}
    counted.execute_cdp_cmd("Browser.setDownloadBehavior", folder)
    for link in ("#npy", "#png"):
        find(counted, link).click()
    names = [tmp_path / f"square.png.{kind}" for kind in ("npy", "png")]
    wait(counted, lambda _: all(name.exists() for name in names))
    density = np.load(names[0])
    np.testing.assert_allclose(density, expected.density, rtol=1e-4, atol=1e-7)
    density_file.save_density(tmp_path / "again", density)
    with Image.open(names[1]) as image, Image.open(tmp_path / "again.png") as right:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(right))
    scale = json.loads((tmp_path / "again.json").read_text())["scale"]
    assert f"{scale:.4g}"[:5] in text(counted, "#meaning")


def test_example_is_counted_by_keyboard(page):
    find(page, "[data-example='1']").send_keys(Keys.ENTER)
    wait(page, lambda page: "example-2.jpg: " in text(page, "#status"))
    true = text(page, "[data-example='1']")
    assert text(page, "#truth") == f"(true count: {true})"


def test_rejection_is_shown_and_keeps_the_last_count(counted, tmp_path):
    count = text(counted, "#count")
    (tmp_path / "letter.jpg").write_text("no photograph")
    (tmp_path / "large.png").write_bytes(bytes(2**20 + 1))
    find(counted, "#file").send_keys(str(tmp_path / "letter.jpg"))
    wait(counted, lambda page: "letter.jpg is not a JPEG" in text(page, "#problem"))
    find(counted, "#file").send_keys(str(tmp_path / "large.png"))
    wait(counted, lambda page: "more than 1,048,576 bytes" in text(page, "#problem"))
    assert find(counted, "#problem").get_attribute("role") == "alert"
    assert text(counted, "#count") == count
    # Chromium writes rejected requests to the console.
    log = [entry["message"] for entry in counted.get_log("browser")]
    assert len(log) == 2 and all("/count - Failed to load" in line for line in log)


def test_image_that_the_browser_cannot_show_has_a_map(page, image_file, tmp_path):
    with Image.open(image_file) as image:
        image.save(tmp_path / "square.tif")
    choose(page, tmp_path / "square.tif")
    wait(page, lambda page: "only the map is shown" in text(page, "#problem"))
    assert not find(page, "#image").is_displayed()
    assert find(page, "#map").value_of_css_property("opacity") == "1"


def test_busy_server_is_retried(page, image_file):
    page.execute_script("""
      const fetch = window.fetch;
      let calls = 0;
      window.fetch = (...args) => (calls++ ? fetch(...args) : Promise.resolve(
        new Response('{"error": "the queue of 2 is full: try again in 1 seconds"}',
          { status: 503, headers: { "Retry-After": "1" } })));
    """)
    find(page, "#file").send_keys(str(image_file))
    wait(page, lambda page: "next try in 1 s" in text(page, "#status"))
    wait(page, lambda page: "square.png: " in text(page, "#status"))


def test_stopped_server_is_reported(page, image_file):
    page.execute_script("window.fetch = () => Promise.reject(new TypeError('no'))")
    for give in (
        lambda: find(page, "#file").send_keys(str(image_file)),
        lambda: find(page, "[data-example='0']").click(),
    ):
        page.execute_script("showStatus('')")
        give()
        wait(page, lambda page: text(page, "#problem") == "The server does not answer.")


PROXY_ANSWERS = [
    (413, "<html><title>413 Request Entity Too Large</title></html>", "too large"),
    (500, "Internal Server Error", "The server failed"),
    (502, "<html>Bad Gateway</html>", "does not answer"),
    (503, "<html>maintenance</html>", "not available"),
    (504, "", "took too long"),
    (403, "null", "refused"),
    (200, "<html>Please sign in</html>", "reload the page"),
    (200, "{}", "reload the page"),
]


@pytest.mark.parametrize("status, body, word", PROXY_ANSWERS)
def test_answer_of_a_proxy_is_described(page, image_file, status, body, word):
    answer = f"new Response({json.dumps(body)}, {{ status: {status} }})"
    page.execute_script(f"window.fetch = () => Promise.resolve({answer})")
    find(page, "#file").send_keys(str(image_file))
    wait(page, lambda page: text(page, "#problem"))
    problem = text(page, "#problem")
    assert word in problem and str(status) in problem
    assert "JSON" not in problem and "Unexpected" not in problem


def test_example_that_a_proxy_refuses_is_described(page):
    answer = "new Response('<html></html>', { status: 502 })"
    page.execute_script(f"window.fetch = () => Promise.resolve({answer})")
    find(page, "[data-example='0']").click()
    wait(page, lambda page: "(status 502)" in text(page, "#problem"))


def test_dropped_file_is_counted(page):
    page.execute_script("""
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width: 80, height: 70 });
      canvas.toBlob((blob) => {
        const data = new DataTransfer();
        data.items.add(new File([blob], "dropped.png", { type: "image/png" }));
        const event = new DragEvent("drop", { dataTransfer: data, bubbles: true });
        document.body.dispatchEvent(event);
      });
    """)
    wait(page, lambda page: "dropped.png: " in text(page, "#status"))
    assert "80×70 pixels" in text(page, "#status")


def test_page_loads_from_its_server_alone_and_blocks_other_scripts(browser, address):
    browser.get(address)
    names = "return performance.getEntriesByType('resource').map((e) => e.name)"
    loaded = browser.execute_script(names)
    assert len(loaded) == 3 and all(name.startswith(address) for name in loaded)
    browser.execute_script("""
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
    """)
    assert browser.execute_script("return window.ran") is None
    assert "Content Security Policy" in browser.get_log("browser")[0]["message"]


def test_every_control_has_a_name(counted):
    nameless = counted.execute_script("""
      const all = document.querySelectorAll("button, input, a, [tabindex]");
      return [...all].filter((c) => !c.textContent.trim()
        && !c.getAttribute("aria-label") && !c.labels?.length).map((c) => c.outerHTML);
    """)
    assert nameless == []


@pytest.mark.parametrize("scheme, paper", [("light", 251), ("dark", 14)])
def test_colors_follow_the_system(browser, address, scheme, paper):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(address)
    color = find(browser, "body").value_of_css_property("background-color")
    assert int(re.search(r"\d+", color)[0]) == paper
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("width", [320, 380])
def test_page_fits_a_phone(browser, address, image_file, width):
    metrics = dict(width=width, height=740, deviceScaleFactor=1, mobile=True)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.get(address)
        choose(browser, image_file)
        widths = "return [document.documentElement.scrollWidth, innerWidth]"
        assert browser.execute_script(widths) == [width, width]
        examples = browser.find_elements("css selector", "[data-example]")
        assert len({example.location["y"] for example in examples}) == 1
        drawing = find(browser, "#drawing")
        assert drawing.size["width"] > 0.85 * width
        drawing.click()
        assert "1 of 3 corners" in text(browser, "#regions")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
