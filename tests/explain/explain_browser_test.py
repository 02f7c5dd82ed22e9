"""The page in a browser: its arithmetic compared with Python, and its controls."""

import itertools

import numpy as np
import pytest

from cpcnn_jax.cli.explain import main
from cpcnn_jax.explain import captions, code_samples, explain
from cpcnn_jax.layers.arithmetic import Layer

webdriver = pytest.importorskip("selenium.webdriver")


@pytest.fixture(scope="module")
def page_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    main(["--format", "html", "--out", str(path)])
    return path


@pytest.fixture
def page(browser, page_path):
    """The reloaded page; after the test its console must be empty."""
    browser.get(page_path.as_uri())
    yield browser
    assert browser.get_log("browser") == []


def find(page, selector, by="css selector"):
    return page.find_element(by, selector)


def keys(page, *pressed):
    chain = webdriver.ActionChains(page)
    for key in pressed:
        chain.send_keys(key)
    chain.perform()


Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys


# --- the arithmetic ---


def layer_cases():
    """A grid of layers; every second case has different axes, some have one row."""
    paddings = (0, 1, 2, 4, (0, 2))
    cases = itertools.product((1, 3), (1, 2, 3), (1, 2, 3), paddings, (0, 1), (1, 2))
    for n, (i, k, s, p, a, d) in enumerate(cases):
        if n % 3:
            continue
        layer = Layer(k, s, p, a if n % 4 else 0, d, transposed=bool(n % 4))
        other = layer._replace(k=4, s=2, p=1, d=1, a=0) if n % 2 else layer
        yield (i, i + 1 + n % 3), (layer, other)
        if n % 2:  # one dimension
            yield (1, i), (Layer(1, transposed=layer.transposed), layer)


def python_side(x, kernel, layers):
    """The explanation by Python, or None for an impossible layer."""
    try:
        e = explain(x, kernel, layers)
    except ValueError:
        return None
    cells = list(np.ndindex(e.output.shape))
    arrays = "x kernel grid roles output scattered multiplied matrix response"
    return {
        **{n: getattr(e, n).tolist() for n in f"{arrays} original returned".split()},
        "cost": e.cost._asdict(),
        "sentence": captions.describe_layer(e),
        "formulas": captions.format_formulas(e),
        "sums": [captions.format_sum(e, *cell) for cell in cells],
        "windows": [sorted(map(list, e.window(*cell))) for cell in cells],
        "checkerboard": str(e.checkerboard),
        "name": captions.describe_deconvolution(e),
        "calls": code_samples.format_calls(e) if e.transposed else None,
    }


JAVASCRIPT_SIDE = """
const named = ([k, s, p, a, d, transposed]) => ({
  k, s, p: Array.isArray(p) ? p : [p, p], a, d, transposed });
return arguments[0].map(([x, kernel, axes]) => {
  const e = explain(x, kernel, axes.map(named));
  if (!e) return null;
  const { grid, roles, output, scattered, multiplied, matrix, response,
    original, returned, cost } = e;
  const cells = table(e.shape[0], e.shape[1], (r, c) => [r, c]).flat();
  const [rows, columns] = e.layers;
  const ratio = checkerboard(e);
  return { x, kernel, grid, roles, output, scattered, multiplied, matrix, response,
    original, returned, cost, sentence: sentence(e), formulas: formulas(e),
    sums: cells.map(([r, c]) => outputSum(e, r, c)),
    windows: cells.map(([r, c]) => table(rows.k, columns.k, (m, mm) => [
      step(rows) * r + rows.d * m, step(columns) * c + columns.d * mm]).flat()),
    checkerboard: Number.isFinite(ratio) ? ratio : "inf",
    name: describeDeconvolution(e), calls: e.transposed ? calls(e) : null };
});
"""


def test_javascript_equals_python(page):
    random = np.random.default_rng(0)
    cases, expected = [], []
    for size, layers in layer_cases():
        x = random.integers(-9, 10, size).astype(float)
        kernel = random.integers(-9, 10, [z.k for z in layers]).astype(float)
        cases.append([x.tolist(), kernel.tolist(), [list(z) for z in layers]])
        expected.append(python_side(x, kernel, layers))
    computed = page.execute_script(JAVASCRIPT_SIDE, cases)
    possible = sum(e is not None for e in expected)
    assert possible >= 60 and possible < len(expected)
    for case, python, javascript in zip(cases, expected, computed, strict=True):
        if python is None or javascript is None:
            assert python is javascript, case
            continue
        ratio = javascript.pop("checkerboard")
        assert float(python.pop("checkerboard")) == pytest.approx(float(ratio)), case
        for name, value in python.items():
            assert javascript[name] == value, (name, case)


def test_javascript_explains_impossible_layers(page):
    script = "return problem(arguments[0], arguments[1])"
    z = dict(k=3, s=2, p=[1, 1], a=2, d=1, transposed=True)
    text = page.execute_script(script, 3, z)
    assert "it must be below the larger of the stride and the dilation, 2" in text
    text = page.execute_script(script, 1, {**z, "a": 0, "p": [4, 4]})
    assert "its size would be -5" in text
    text = page.execute_script(script, 1, {**z, "transposed": False, "p": [0, 0]})
    assert "The kernel spans 3 and the padded input only 1" in text


def test_number_format_equals_python(page):
    values = [0.0, -1.0, 1 / 3, 0.25, -12.3456, 123.456, 999.7, 12345.6, 1.2e-3, 2e-7]
    formatted = page.execute_script("return arguments[0].map(number)", values)
    assert formatted == [captions.format_number(v) for v in values]


# --- use ---


@pytest.mark.parametrize("columns", [2, 10, 16])
def test_long_numbers_do_not_touch(page, columns):
    close = """
      tableOf("output", [Array(arguments[0]).fill(-1157761.5)], { name: "Output" });
      return [...document.querySelectorAll("#output td")].filter((cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        const [text, box] = [range, cell].map((part) => part.getBoundingClientRect());
        return text.left < box.left + 2 || text.right > box.right - 2;
      }).length;
    """
    assert page.execute_script(close, columns) == 0


def test_page_opens_with_the_given_layer(page):
    assert "3×3 in, 5×5 out" in find(page, "#sentence").text
    assert "relationship 13" in find(page, "#formula").text
    assert find(page, "#preset").get_attribute("value") == "padding_strides_transposed"
    assert len(page.find_elements("css selector", "#output td")) == 25
    assert find(page, "#difference").text == "The difference is 0."
    assert "Dumoulin" in find(page, "#credit").text


def test_page_loads_no_resources(page):
    loaded = page.execute_script(
        "return performance.getEntriesByType('resource').length"
    )
    assert loaded == 0


def test_every_control_has_a_name(page):
    nameless = page.execute_script("""
      return [...document.querySelectorAll("button, input, select")].filter((c) => (
        c.offsetParent && !c.textContent.trim() && !c.getAttribute("aria-label")
        && !c.labels?.length)).map((c) => c.outerHTML);
    """)
    assert nameless == []


def test_slider_by_keyboard_changes_the_layer(page):
    find(page, "#a0").send_keys(Keys.ARROW_RIGHT)
    assert "3×3 in, 6×6 out" in find(page, "#sentence").text
    assert (
        find(page, "#preset").get_attribute("value").startswith("padding_strides_odd")
    )
    assert len(page.find_elements("css selector", "#output td")) == 36


def test_impossible_values_are_explained_and_corrected(page):
    find(page, "#a0").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    problem = find(page, "#problem")
    assert problem.is_displayed() and problem.get_attribute("role") == "alert"
    assert "Output padding a = 2 is impossible" in problem.text
    button = find(page, "#problem button")
    assert button.text == "Set a = 1"
    button.click()
    assert not problem.is_displayed()
    assert "6×6 out" in find(page, "#sentence").text


def test_no_combination_of_sliders_breaks_the_page(page):
    broken = page.execute_script("""
      const broken = [];
      const values = { i: [1, 8], k: [1, 7], s: [1, 4], p: [0, 6], a: [0, 3],
        d: [1, 3] };
      const set = (name, v) => { $(name + "0").value = v;
        $(name + "0").dispatchEvent(new Event("input")); };
      for (const i of values.i) for (const k of values.k) for (const s of values.s)
        for (const p of values.p) for (const a of values.a) for (const d of values.d) {
          set("i", i); set("k", k); set("s", s); set("p", p); set("a", a); set("d", d);
          const refused = !$("problem").hidden && $("problem").textContent.length > 30;
          const shown = $("problem").hidden && difference(state.shown) === 0;
          if (refused === shown) broken.push([i, k, s, p, a, d]);
        }
      return broken;
    """)
    assert broken == []


def test_remedies_end_in_a_possible_layer(page):
    left = page.execute_script("""
      const left = [];
      for (const k of [1, 7]) for (const p of [0, 6]) for (const a of [0, 3])
        for (const kind of [true, false]) {
          state.x = ramp([1, 1]); state.kernel = ramp([k, k]);
          state.layers = [0, 1].map(() => (
            { k, s: 1, p: [p, p], a: kind ? a : 0, d: 1, transposed: kind }));
          show();
          for (let n = 0; n < 9 && !$("problem").hidden; n += 1) {
            $("problem").lastElementChild.click();
          }
          if (!$("problem").hidden) left.push([k, p, a, kind]);
        }
      return left;
    """)
    assert left == []


def test_focused_output_marks_its_inputs_and_shows_the_sum(page):
    find(page, '#output [data-cell="1,1"]').click()
    lit = page.find_elements("css selector", "#x td.lit")
    assert [cell.get_attribute("data-cell") for cell in lit] == [
        "0,0",
        "0,1",
        "1,0",
        "1,1",
    ]
    assert find(page, "#sum").text == "y[1,1] = 1 · 1 + 2 · 3 + 4 · 7 + 5 · 9 = 80"
    spoken = find(page, "#spoken")
    assert spoken.get_attribute("aria-live") == "polite"
    assert "Output row 2, column 2: 1 times 1 plus 2 times 3" in spoken.get_attribute(
        "textContent"
    )
    assert len(page.find_elements("css selector", "#grid td.under")) == 9


def test_pointer_previews_a_step(page):
    chain = webdriver.ActionChains(page)
    chain.move_to_element(find(page, '#output [data-cell="2,2"]')).perform()
    assert find(page, "#count").text == "13 of 25"
    chain.move_to_element(find(page, "h1")).perform()
    assert find(page, "#count").text == "1 of 25"
    chain.move_to_element(find(page, '#x [data-cell="1,1"]')).perform()
    assert len(page.find_elements("css selector", "#output td.stamped")) == 9


def test_arrow_keys_move_in_the_output(page):
    find(page, '#output [data-cell="0,0"]').click()
    keys(page, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_LEFT)
    assert find(page, "#count").text == "11 of 25"
    focused = page.switch_to.active_element
    assert focused.get_attribute("data-cell") == "2,0"


def test_space_plays_and_pauses(page):
    keys(page, " ")
    assert find(page, "#play").text == "Pause"
    keys(page, " ")
    assert find(page, "#play").text == "Play"


def test_step_buttons_wrap_around(page):
    page.execute_script("goTo(23)")
    find(page, "#next").click()
    assert find(page, "#count").text == "25 of 25"
    find(page, "#next").click()
    assert find(page, "#count").text == "1 of 25"
    find(page, "#scrub").send_keys(Keys.ARROW_RIGHT)
    assert find(page, "#count").text == "2 of 25"


def test_numbers_can_be_edited(page):
    cell = find(page, '#x [data-cell="0,0"] input')
    cell.clear()
    cell.send_keys("2.5")
    assert find(page, '#output [data-cell="0,0"]').text == "12.5"  # the center tap is 5
    cell.send_keys("x")
    assert cell.get_attribute("aria-invalid") == "true"
    assert find(page, '#output [data-cell="0,0"]').text == "12.5"


def test_arrow_keys_move_in_the_kernel(page):
    find(page, '#kernel [data-cell="0,0"] input').click()
    keys(page, Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    assert page.switch_to.active_element.get_attribute("aria-label") == (
        "Kernel, row 2, column 2"
    )


def test_bilinear_kernel_on_the_page_has_no_checkerboard(page):
    find(page, "#k0").send_keys(Keys.ARROW_RIGHT)
    find(page, '[data-fill="kernel bilinear"]').click()
    assert "no checkerboard" in find(page, "#phasetext").text


def test_direct_example(page):
    page.execute_script("usePreset('dilation')")
    assert "7×7 in, 3×3 out" in find(page, "#sentence").text
    assert "relationship 15" in find(page, "#formula").text
    assert not find(page, "#codesection").is_displayed()


def test_link_opens_an_example(browser, page_path):
    browser.get(page_path.as_uri() + "#no_padding_strides_transposed")
    assert "2×2 in, 5×5 out" in find(browser, "#sentence").text
    browser.execute_script("location.hash = 'padding_strides'")
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    assert "5×5 in, 3×3 out" in find(browser, "#sentence").text


def test_separate_rows_and_columns(page):
    find(page, "#apart").click()
    find(page, "#i1").send_keys(Keys.ARROW_RIGHT)
    assert "3×4 in, 5×7 out" in find(page, "#sentence").text
    assert find(page, "#formula").text.startswith("rows: ")
    find(page, "#apart").click()
    assert "3×3 in, 5×5 out" in find(page, "#sentence").text


def test_code_samples_equal_python(page):
    layer = Layer(3, 2, 1, transposed=True)
    sources = code_samples.format_calls(
        explain(np.ones((3, 3)), np.ones((3, 3)), (layer, layer))
    )
    for library, source in sources.items():
        find(page, f"//select[@id='library']/option[.='{library}']", "xpath").click()
        assert find(page, "#code").get_attribute("textContent") == source


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_theme_follows_the_system_and_the_button(browser, page_path, scheme):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(page_path.as_uri())
    theme = "return document.documentElement.dataset.theme"
    assert browser.execute_script(theme) == scheme
    find(browser, "#theme").click()
    assert browser.execute_script(theme) == {"light": "dark", "dark": "light"}[scheme]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_page_fits_a_phone(browser, page_path):
    metrics = dict(width=360, height=740, deviceScaleFactor=1, mobile=True)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page_path.as_uri())
    for example in ("padding_strides_transposed", "full_padding_no_strides"):
        browser.execute_script("usePreset(arguments[0])", example)
        widths = "return [document.documentElement.scrollWidth, innerWidth]"
        assert browser.execute_script(widths) == [360, 360]
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
