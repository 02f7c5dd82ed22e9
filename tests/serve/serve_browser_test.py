"""Served page in a real browser: pointer, keyboard alone, phone."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
import reverse_proxy
import server_process
import small_video
from PIL import Image

import cpcnn_jax as cp
from cpcnn_jax.inference import count_options, count_tables, count_video, regions
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


@pytest.fixture(scope="module")
def proxy(address):
    with reverse_proxy.running(address, "/crowd") as proxy:
        yield proxy


@pytest.fixture
def proxied(browser, proxy):
    """The page behind a proxy, and the list of the proxy's own answers."""
    address, answers = proxy
    browser.get(f"{address}/")
    yield browser, answers
    assert not answers
    browser.get_log("browser")  # Chromium writes rejected requests to the console


def find(page, selector):
    return page.find_element("css selector", selector)


def text(page, selector):
    return find(page, selector).text


def wait(page, condition):
    return Wait(page, 200, poll_frequency=0.05).until(condition)


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
    wait(counted, lambda page: "at most 1 MiB" in text(page, "#problem"))
    assert find(counted, "#problem").get_attribute("role") == "alert"
    assert text(counted, "#count") == count
    # Chromium writes rejected requests to the console.
    (entry,) = counted.get_log("browser")
    assert "/count - Failed to load" in entry["message"]


def test_image_that_the_browser_cannot_show_has_a_map(page, image_file, tmp_path):
    with Image.open(image_file) as image:
        image.save(tmp_path / "square.tif")
    choose(page, tmp_path / "square.tif")
    wait(page, lambda page: "only the map is shown" in text(page, "#notes"))
    assert not find(page, "#image").is_displayed()
    assert find(page, "#map").value_of_css_property("opacity") == "1"
    choose(page, image_file)
    find(page, "#rows tr:nth-child(2) .name button").click()
    wait(page, lambda page: find(page, "#image").is_displayed())
    assert find(page, "#map").value_of_css_property("opacity") == "0.6"
    assert text(page, "#notes") == "" and text(page, "#shown") == image_file.name


def test_each_image_of_a_list_keeps_its_regions(page, image_file, tmp_path):
    other = shutil.copy(image_file, tmp_path / "other.png")
    find(page, "#file").send_keys(f"{image_file}\n{other}")
    wait(page, lambda page: "files counted" in text(page, "#status"))
    for point in ([12, 9], [108, 9], [108, 81]):
        page.execute_script("addCorner(arguments[0])", point)
    drawn = text(page, "#regions")
    assert drawn.startswith("Region 1: ")
    names = page.find_elements("css selector", "#rows .name > button:first-child")
    for name, expected in ((names[1], ""), (names[0], drawn), (names[0], drawn)):
        name.click()
        wait(page, lambda page, name=name: text(page, "#shown") == name.text)
        wait(page, lambda page, rest=expected: text(page, "#regions") == rest)


def test_busy_server_is_retried(proxied, image_file):
    page, answers = proxied
    body = '{"error": "the queue of 2 is full: try again in 1 seconds"}'
    answers.append((503, body, {"Retry-After": "1"}))
    find(page, "#file").send_keys(str(image_file))
    wait(page, lambda page: "next try in 1 s" in text(page, "#status"))
    wait(page, lambda page: "square.png: " in text(page, "#status"))


PROXY_ANSWERS = [
    (413, "<html><title>413 Request Entity Too Large</title></html>", "too large"),
    (500, "Internal Server Error", "The server failed"),
    (502, "<html>Bad Gateway</html>", "does not answer its proxy"),
    (503, "<html>maintenance</html>", "not available"),
    (504, "", "took too long"),
    (403, "null", "sign in"),
    (422, '{"error": {"code": 7}}', "refused"),
    (200, "<html>Please sign in</html>", "reload the page"),
    (200, "{}", "reload the page"),
    (200, "", "reload the page"),
    (None, "", "The server does not answer: check that it runs"),
]


def test_answers_of_a_proxy_are_sentences(proxied, image_file, tmp_path):
    """One list of files, each with another answer; the last is counted."""
    page, answers = proxied
    answers += [(*answer[:2], {}) for answer in PROXY_ANSWERS]
    names = [tmp_path / f"{n}.png" for n in range(len(PROXY_ANSWERS) + 1)]
    for name in names:
        shutil.copy(image_file, name)
    find(page, "#file").send_keys("\n".join(map(str, names)))
    wait(page, lambda page: "files counted" in text(page, "#status"))
    assert text(page, "#status") == "1 of 12 files counted; 11 failed, see the list."
    sentences = [e.text for e in page.find_elements("css selector", "#rows small")]
    for (status, _, word), sentence in zip(PROXY_ANSWERS, sentences, strict=False):
        assert word in sentence and sentence.endswith(".") and sentence.count(".") == 1
        assert status is None or f"(status {status})" in sentence
        assert "JSON" not in sentence and "Unexpected" not in sentence
    assert sentences[-1] == ""
    assert float(text(page, "#total")) == float(text(page, "#count"))


def test_example_is_counted_behind_a_proxy(proxied):
    page, answers = proxied
    answers.append((502, "<html>Bad Gateway</html>", {}))
    find(page, "[data-example='0']").click()
    wait(page, lambda page: "(status 502)." in text(page, "#problem"))
    find(page, "[data-example='0']").click()
    wait(page, lambda page: "example-1.jpg: " in text(page, "#status"))


def test_video_is_counted_behind_a_proxy(proxied, file, tmp_path):
    page, answers = proxied
    path = small_video.write(tmp_path / "walk.mp4", height=90, width=120)
    answers.append((502, "<html>Bad Gateway</html>", {}))
    find(page, "#file").send_keys(str(path))
    wait(page, lambda page: "(status 502)." in text(page, "#problem"))
    choose(page, path)
    options, expected = count_options.CountOptions(), count_video.VideoCount()
    plain = {"name": "a", "progress": lambda frames, _: frames}
    count_video.count_video(path, cp.load(file), options, expected, **plain)
    count = page.execute_script("return state.row.answer.count")
    assert count == pytest.approx(expected.mean()[0], rel=1e-4)
    assert page.execute_script("return state.row.frames.length") == 4


def test_stopped_server_is_reported(browser, address, image_file):
    with reverse_proxy.running(address) as (stopped, _):
        browser.get(stopped)
    for give in (
        lambda: find(browser, "#file").send_keys(str(image_file)),
        lambda: find(browser, "[data-example='0']").click(),
    ):
        browser.execute_script("showStatus('')")
        give()
        wait(browser, lambda page: text(page, "#problem"))
        sentence = "The server does not answer: check that it runs and is reachable, "
        assert text(browser, "#problem") == f"{sentence}then try again."
    assert len(browser.get_log("browser")) == 2


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


def rows(page):
    """Lists the texts of the list's rows, by cell."""
    lines = page.find_elements("css selector", "#rows tr")
    return [
        [cell.text for cell in line.find_elements("css selector", "td")]
        for line in lines
    ]


def test_several_files_are_counted_and_listed(page, file, tmp_path):
    """Five files: one is damaged, and one cannot be shown by the browser."""
    names = ["a.png", "b.png", 'bad,".jpg', "c.tif", "d.png"]
    rng = np.random.default_rng(1)
    for n, name in enumerate(names):
        pixels = rng.integers(0, 256, (90, 120 - n // 4 * 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / names[2]).write_text("no image")
    found = [cp.load(file).count(tmp_path / n) for n in names if "bad" not in n]
    find(page, "#file").send_keys("\n".join(str(tmp_path / name) for name in names))
    wait(page, lambda page: "files counted" in text(page, "#status"))
    assert text(page, "#status") == "4 of 5 files counted; 1 failed, see the list."
    listed = rows(page)
    assert [row[1].split("\n")[0] for row in listed] == names
    sentence, again = listed[2][1].split("\n")[1:]
    assert sentence.endswith("is not a JPEG, PNG, WEBP, BMP or TIFF image.")
    assert again == "Count again"
    good = [row for row in listed if row[2]]
    for row, result in zip(good, found, strict=True):
        assert float(row[2]) == pytest.approx(result.count, abs=0.51)
        assert row[3] == f"{max(0, round(result.low))} to {max(0, round(result.high))}"
    total = sum(result.count for result in found)
    assert float(text(page, "#total")) == pytest.approx(total, abs=0.51)
    assert len(page.find_elements("css selector", "#rows canvas")) == 3
    # The first stays in the large view until another is clicked.
    width = "return [state.row.file.name, state.size.width]"
    assert page.execute_script(width) == ["a.png", 120]
    page.find_elements("css selector", "#rows .name > button:first-child")[4].click()
    wait(page, lambda page: page.execute_script(width) == ["d.png", 96])
    assert float(text(page, "#count")) == pytest.approx(found[3].count, abs=0.51)
    assert [
        row.get_attribute("aria-pressed")
        for row in page.find_elements("css selector", "#rows [aria-pressed]")
    ] == [*["false"] * 4, "true"]
    page.get_log("browser")  # has the rejected file


def test_list_is_downloaded_as_csv(page, file, image_file, tmp_path):
    folder = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.execute_cdp_cmd("Browser.setDownloadBehavior", folder)
    bad = tmp_path / 'bad, "quoted".jpg'
    bad.write_text("no image")
    find(page, "#file").send_keys(f"{image_file}\n{bad}")
    wait(page, lambda page: "files counted" in text(page, "#status"))
    find(page, "#csv").click()
    wait(page, lambda _: (tmp_path / "counts.csv").exists())
    with open(tmp_path / "counts.csv", newline="") as table:
        first, second = csv.DictReader(table)
    assert [*first] == [*count_tables.COLUMNS]
    result = cp.load(file).count(image_file)
    for name in ("count", "low", "high"):
        assert float(first[name]) == pytest.approx(getattr(result, name), rel=1e-4)
    assert (first["width"], first["height"], first["error"]) == ("120", "90", "")
    assert first["weights"] == str(file)
    assert second["file"] == bad.name and second["count"] == ""
    assert "is not a JPEG" in second["error"]
    find(page, "#clear").click()
    assert not find(page, "#files").is_displayed()
    assert not find(page, "#result").is_displayed()
    page.get_log("browser")


def test_examples_leave_the_list(page, image_file):
    find(page, "[data-example='1']").click()
    wait(page, lambda page: "example-2.jpg: " in text(page, "#status"))
    choose(page, image_file)
    assert page.execute_script("return state.rows.map((row) => row.file.name)") == [
        image_file.name
    ]
    assert not find(page, "#files").is_displayed()


def test_pasted_images_are_counted(page):
    page.execute_script("""
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width: 80, height: 70 });
      canvas.toBlob((blob) => {
        const data = new DataTransfer();
        data.items.add(new File([blob], "image.png", { type: "image/png" }));
        const event = { clipboardData: data, bubbles: true };
        document.body.dispatchEvent(new ClipboardEvent("paste", event));
      });
    """)
    wait(page, lambda page: "pasted-1.png: " in text(page, "#status"))
    assert "80×70 pixels" in text(page, "#status")
    page.execute_script("""
      const data = new DataTransfer();
      data.setData("text/plain", "no file");
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
    """)
    assert not find(page, "#problem").is_displayed()


def test_phones_have_a_camera(browser, address):
    touch = {"enabled": True}
    for enabled in (False, True):
        browser.execute_cdp_cmd(
            "Emulation.setEmitTouchEventsForMouse", touch | {"enabled": enabled}
        )
        browser.execute_cdp_cmd(
            "Emulation.setTouchEmulationEnabled", {"enabled": enabled}
        )
        browser.get(address)
        assert find(browser, ".camera").is_displayed() is enabled
    assert find(browser, "#camera").get_attribute("capture") == "environment"
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    browser.execute_cdp_cmd("Emulation.setEmitTouchEventsForMouse", {"enabled": False})


def test_folder_is_refused(page, tmp_path):
    page.execute_script("""
      const broken = new File(["x"], "photos", { type: "" });
      const fail = () => Promise.reject(new Error("a folder"));
      broken.slice = () => ({ arrayBuffer: fail });
      addFiles([broken]);
    """)
    wait(page, lambda page: text(page, "#problem"))
    assert text(page, "#problem") == (
        "photos cannot be read: choose the file again, and no folder."
    )


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


@pytest.mark.parametrize("width, height", [(1280, 900), (390, 844)])
def test_result_is_seen_without_scrolling(browser, address, image_file, width, height):
    metrics = dict(width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.get(address)
        choose(browser, image_file)
        bottom = (
            "return document.querySelector('#picture').getBoundingClientRect().bottom"
        )
        assert browser.execute_script("return scrollY") == 0
        assert browser.execute_script(bottom) < height
        find(browser, "#file").send_keys(str(image_file))  # a list of two
        wait(browser, lambda page: find(page, "#files").is_displayed())
        wait(browser, lambda page: page.execute_script("return !batch.busy"))
        top = bottom.replace("bottom", "top")
        assert browser.execute_script(top) < height - 200
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
