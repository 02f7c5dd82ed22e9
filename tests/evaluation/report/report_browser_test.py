"""Report in a real browser: pointer, keyboard, phone, light and dark."""

import csv
import re

import evaluated_run
import numpy as np
import pytest

from cpcnn_jax.evaluation.report import page as report

webdriver = pytest.importorskip("selenium.webdriver")
Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Rows of predictions.csv, and the report's file."""
    folder = evaluated_run.write(tmp_path_factory.mktemp("runs") / "run", number=60)
    with open(folder / "predictions.csv", newline="") as file:
        return list(csv.DictReader(file)), report.write(folder)


@pytest.fixture
def page(browser, run):
    """Opens the report; its console must be empty at the end."""
    browser.get(run[1].as_uri())
    yield browser
    assert browser.get_log("browser") == []


PICTURED = {1, 16, 31, 45, 60}  # ranks, by evaluated_run.draw_pictures


def find(page, selector):
    return page.find_element("css selector", selector)


def names(page):
    """Names of the shown table rows, in their order."""
    return page.execute_script("""
      return [...document.querySelectorAll("#images tbody tr")]
        .filter((row) => row.offsetParent).map((row) => row.cells[0].textContent);
    """)


def press(page, *keys):
    chain = webdriver.ActionChains(page)
    for key in keys:
        chain.send_keys(key)
    chain.perform()


def error(row):
    return abs(float(row["predicted"]) - float(row["count"]))


def test_page_loads_nothing_and_escapes_names(page):
    loaded = page.execute_script(
        "return performance.getEntriesByType('resource')"
        ".filter((entry) => !entry.name.startsWith('data:')).length"
    )
    assert loaded == 0
    assert evaluated_run.HOSTILE in names(page)
    assert page.execute_script("return document.scripts.length") == 1
    broken = "return [...document.images].filter((i) => !i.naturalWidth).length"
    assert page.execute_script(broken) == 0


def test_policy_blocks_other_scripts(browser, run):
    browser.get(run[1].as_uri())
    browser.execute_script("""
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
    """)
    assert browser.execute_script("return window.ran") is None
    assert "Content Security Policy" in browser.get_log("browser")[0]["message"]


def test_filter_changes_table_points_and_pictures(page, run):
    rows, _ = run
    assert len(names(page)) == len(rows)
    find(page, '#filter input[value="hi"]').click()
    find(page, '#filter input[value="ex-lo"]').send_keys(Keys.SPACE)
    left = [row for row in rows if row["level"] in ("lo", "med")]
    assert 0 < len(left) < len(rows)
    assert sorted(names(page)) == sorted(row["name"] for row in left)
    ranks = page.execute_script("""
      const seen = (selector) => [...document.querySelectorAll(selector)]
        .filter((e) => e.getClientRects().length);
      return [seen("#scatter circle").map((point) => Number(point.dataset.rank)),
        seen("#pictures figure").map((figure) => Number(figure.id.split("-")[1]))];
    """)
    ranking = sorted(rows, key=error)
    points = {rank for rank, row in enumerate(ranking, 1) if row in left}
    assert set(ranks[0]) == points
    assert set(ranks[1]) == points & PICTURED and 0 < len(ranks[1]) < len(PICTURED)
    mae = np.mean([error(row) for row in left])
    expected = f"{len(left)} of {len(rows)} images, MAE {mae:.1f}"
    assert find(page, "#shown").text == expected


def test_filter_may_hide_all_images(page):
    for box in page.find_elements("css selector", "#filter input"):
        box.click()
    assert names(page) == []
    assert find(page, "#shown").text == "0 of 60 images"
    find(page, '#filter input[value="med"]').click()
    assert names(page)


@pytest.mark.parametrize(
    "title, key",
    [
        ("true", lambda row: float(row["count"])),
        ("SSIM", lambda row: float(row["ssim"])),
        ("predicted", lambda row: float(row["predicted"])),
    ],
)
def test_table_is_sorted_by_keyboard(page, run, title, key):
    path = f"//div[@id='images']//button[.='{title}']"
    button = page.find_element("xpath", path)
    for order, sign in (("descending", -1), ("ascending", 1)):
        button.send_keys(Keys.ENTER)
        values = {row["name"]: key(row) for row in run[0]}
        ordered = [sign * values[name] for name in names(page)]
        assert ordered == sorted(ordered)
        head = page.find_elements("css selector", "#images th[aria-sort]")
        assert [th.get_attribute("aria-sort") for th in head] == [order]
        assert head[0].text.startswith(title)


def test_table_starts_with_the_worst_and_sorts_names_numerically(page, run):
    worst = sorted(run[0], key=error, reverse=True)
    assert names(page) == [row["name"] for row in worst]
    page.find_element("xpath", "//button[.='image']").click()
    page.find_element("xpath", "//button[.='image']").click()
    numbers = [int(n[4:]) for n in names(page) if n.startswith("IMG_")]
    assert numbers == list(range(2, 61))


def test_points_have_one_tab_stop_and_arrow_keys(page, run):
    stops = page.find_elements("css selector", '#scatter circle[tabindex="0"]')
    assert len(stops) == 1
    by_count = sorted(float(row["count"]) for row in run[0])
    page.execute_script("arguments[0].focus()", stops[0])
    counts = []
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.END):
        press(page, key)
        text = find(page, "#selected").text
        counts.append(float(re.search(r": ([\d,.]+) people", text)[1].replace(",", "")))
    assert counts == [by_count[1], by_count[2], by_count[1], by_count[-1]]
    focused = page.switch_to.active_element
    assert focused.get_attribute("tabindex") == "0"
    assert len(page.find_elements("css selector", '#scatter circle[tabindex="0"]')) == 1
    press(page, Keys.ENTER)
    row = page.switch_to.active_element
    assert row.tag_name == "tr"
    assert row.get_attribute("data-rank") == focused.get_attribute("data-rank")


def test_pointing_at_a_point_selects_its_image(page):
    point = find(page, "#scatter circle:last-of-type")
    webdriver.ActionChains(page).move_to_element(point).perform()
    title = point.find_element("css selector", "title").get_attribute("textContent")
    assert find(page, "#selected").text == title
    row = find(page, "#images tr.now")
    assert row.get_attribute("data-rank") == point.get_attribute("data-rank")


def test_arrow_keys_skip_hidden_points(page, run):
    for level in ("lo", "med"):
        find(page, f'#filter input[value="{level}"]').click()
    left = [row for row in run[0] if row["level"] in ("ex-lo", "hi")]
    start = find(page, '#scatter circle[tabindex="0"]')
    page.execute_script("arguments[0].focus()", start)
    visited = []
    for _ in left:
        visited.append(find(page, "#selected").text.partition(": ")[0])
        press(page, Keys.ARROW_UP)
    assert sorted(visited) == sorted(row["name"] for row in left)


def test_name_links_to_its_picture(page):
    link = find(page, "#images tbody a")
    target = link.get_attribute("href").rpartition("#")[2]
    link.click()
    top = "return document.getElementById(arguments[0]).getBoundingClientRect().top"
    assert 0 <= page.execute_script(top, target) < 300


def test_every_control_has_a_name(page):
    nameless = page.execute_script("""
      return [...document.querySelectorAll("button, input, [tabindex='0'], img")]
        .filter((e) => !(e.alt || e.textContent.trim() || e.labels?.length
          || e.getAttribute("aria-label"))).map((e) => e.outerHTML.slice(0, 99));
    """)
    assert nameless == []


PHONES = [
    dict(width=width, height=740, deviceScaleFactor=1, mobile=True)
    for width in (390, 320)
]


@pytest.mark.parametrize("phone", PHONES, ids=lambda phone: str(phone["width"]))
def test_page_fits_a_phone(browser, run, phone):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    browser.get(run[1].as_uri())
    widths = "return [document.documentElement.scrollWidth, innerWidth]"
    assert browser.execute_script(widths) == [phone["width"]] * 2
    boxes = browser.execute_script("""
      return [...document.querySelectorAll("main *")]
        .filter((e) => getComputedStyle(e).overflowX === "auto"
          && e.scrollWidth > e.clientWidth)
        .map((e) => e.tabIndex === 0 && e.getAttribute("aria-label"));
    """)
    assert {"Results", "All images"} <= set(boxes) and all(boxes)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def brightness(color):
    """Computes the relative luminance of a color, by WCAG 2.1."""
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", color)[:3])
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (red, green, blue)
    ]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_readable_in_light_and_dark(browser, run, scheme):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(run[1].as_uri())
    style = (
        "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    )
    paper = brightness(browser.execute_script(style, "body", "backgroundColor"))
    assert (paper > 0.5) == (scheme == "light")
    texts = [("p.lead", "color"), ("p.soft", "color"), (".chart text", "fill")]
    for selector, name in texts:
        text = brightness(browser.execute_script(style, selector, name))
        bright, dim = max(paper, text), min(paper, text)
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, selector
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_run_without_levels_has_no_filter(browser, tmp_path):
    folder = evaluated_run.write(tmp_path / "old", number=3)
    (folder / "predictions.csv").write_text("name,count,predicted\na,3,2\nb,5,9\n")
    browser.get(report.write(folder).as_uri())
    assert browser.find_elements("css selector", "#filter") == []
    assert names(browser) == ["b", "a"]
    find(browser, "#images th button").send_keys(Keys.ENTER)
    assert names(browser) == ["b", "a"]
    assert browser.get_log("browser") == []


def test_page_is_complete_without_its_script(browser, run):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get(run[1].as_uri())
    assert len(browser.find_elements("css selector", "#images tbody tr")) == 60
    assert "of 60 images" in find(browser, "#shown").text
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
