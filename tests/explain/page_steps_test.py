"""The page's steps, its settings in the URL, and one dimension, in a browser."""

import re

import numpy as np
import pytest

pytest.importorskip("selenium")

from explain_page import find, open_link, press, text
from selenium.webdriver.common.keys import Keys

from cpcnn_jax.cli.explain import main
from cpcnn_jax.explain import explain
from cpcnn_jax.explain.page import TRAINED_CHANNELS, TRAINED_LAYER
from cpcnn_jax.layers.arithmetic import Layer
from cpcnn_jax.weights import pretrained

# Title, kind, (i, k, s, p, a) and output size of each step, by the guide's formulas.
STEPS = [
    ("The direct convolution", "direct", (4, 3, 1, 0, 0), 2),
    ("Stride and padding", "direct", (5, 3, 2, 1, 0), 3),
    ("Inserted zeros", "transposed", (3, 3, 2, 1, 0), 5),
    ("Padding on the way back", "transposed", (3, 3, 2, 1, 1), 6),
    ("The adjoint", "transposed", (2, 3, 2, 0, 0), 5),
    ("Why not “deconvolution”", "transposed", (2, 3, 2, 0, 0), 5),
    ("Checkerboards", "transposed", (3, 3, 2, 1, 0), 5),
    ("T in F-CNN", "transposed", (3, 4, 2, 1, 0), 6),
]


@pytest.fixture(scope="module")
def page_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    main(["--kernel", "4", "--format", "html", "--out", str(path)])
    return path


@pytest.fixture
def page(browser, page_path):
    """The page, opened anew; after the test its console must be empty."""
    open_link(browser, page_path)
    yield browser
    assert browser.get_log("browser") == []


def settings(page):
    """(kind, values of the sliders) on the screen."""
    kind = find(page, "[name=kind]:checked").get_attribute("value")
    values = [int(text(page, f"#{name}value")) for name in "ikspa"]
    return kind, tuple(values)


def shown(page, name):
    """An array of the state on the screen."""
    return np.array(page.execute_script(f"return state.{name}"))


def settle(page):
    """Waits until the URL holds the settings; returns its fragment."""
    page.execute_async_script("setTimeout(arguments[0], 400)")
    return page.execute_script("return location.hash")


# --- steps ---


@pytest.mark.parametrize("number", range(1, 9))
def test_step_sets_the_sliders_and_the_words(page, number):
    title, kind, values, size = STEPS[number - 1]
    find(page, f'#chapters button[data-chapter="{number}"]').click()
    visible = [h for h in page.find_elements("css selector", "#tour h2") if h.text]
    assert [h.text for h in visible] == [title]
    assert settings(page) == (kind, values)
    assert shown(page, "shown.output").shape == (size, size)
    current = page.find_elements("css selector", "#chapters [aria-current=step]")
    assert [button.text for button in current] == [str(number)]
    assert f"step={number}" in settle(page)


def test_next_and_back_lead_through_all_steps(page):
    titles = []
    while find(page, "#later").is_enabled():
        find(page, "#later").click()
        titles.append(find(page, "#tour li.current h2").text)
    assert titles == [step[0] for step in STEPS]
    find(page, "#earlier").click()
    assert find(page, "#tour li.current h2").text == STEPS[6][0]
    for _ in range(6):
        find(page, "#earlier").click()
    assert not find(page, "#earlier").is_enabled()


def test_steps_by_keyboard(page):
    find(page, "#chapters button").send_keys(Keys.TAB, Keys.TAB)
    press(page, Keys.ENTER)
    assert find(page, "#tour li.current h2").text == STEPS[2][0]
    assert page.switch_to.active_element.text == "3"  # focus stays
    find(page, "#later").send_keys(Keys.ENTER)
    assert find(page, "#tour li.current h2").text == STEPS[3][0]


def test_sliders_move_freely_in_a_step(page):
    find(page, '#chapters button[data-chapter="3"]').click()
    find(page, "#s0").send_keys(Keys.ARROW_RIGHT)
    assert settings(page)[1][2] == 3
    assert find(page, "#tour li.current h2").text == STEPS[2][0]
    find(page, '#chapters button[data-chapter="3"]').click()
    assert settings(page)[1][2] == 2


def test_numbers_of_the_steps_are_true(page):
    """Claims of the words, computed in Python."""
    line = Layer(3, 2, 0, transposed=True)
    ramp = np.arange(1.0, 10).reshape(3, 3)
    x = np.array([[1.0, 2], [3, 4]])
    e = explain(x, ramp, (line, line))
    find(page, '#chapters button[data-chapter="5"]').click()
    products = e.original.ravel() @ (e.matrix @ x.ravel())
    assert text(page, "#adjoint") == f"{products:.0f} and {products:.0f}"
    assert products == pytest.approx((e.matrix.T @ e.original.ravel()) @ x.ravel())
    words = text(page, "#tour li:nth-child(7)")
    assert f"C maps {e.original.size} numbers\n    to {e.x.size}" in words
    find(page, '#chapters button[data-chapter="7"]').click()
    assert set(shown(page, "shown.output").ravel()) == {1, 2, 4}
    links = page.find_elements("css selector", "#tour li.current a")
    for link, values in zip(links, ({4}, {1}), strict=True):
        link.click()
        settle(page)
        output = shown(page, "shown.output")
        assert set(output[1:-1, 1:-1].ravel()) == values  # even inside the border
        assert find(page, "#tour li.current h2").text == STEPS[6][0]


def test_step_8_has_the_kernel_of_the_released_network(page):
    find(page, '#chapters button[data-chapter="8"]').click()
    params = pretrained.load_params(pretrained.DEFAULT)
    kernel = params[f"{TRAINED_LAYER}/kernel"]
    assert kernel.shape == (4, 4, 32, 32)
    expected = kernel[:, :, TRAINED_CHANNELS[0], TRAINED_CHANNELS[1]]
    np.testing.assert_allclose(shown(page, "kernel"), expected, atol=5.1e-4)
    assert settle(page).endswith("w=trained&at=14&step=8")


def test_buttons_of_the_steps_show_their_sections(page):
    find(page, '#chapters button[data-chapter="8"]').click()
    find(page, '#tour li.current [data-show="networksection"]').click()
    place = "return document.querySelector('#networksection').getBoundingClientRect().y"
    page.execute_async_script("setTimeout(arguments[0], 1200)")
    assert abs(page.execute_script(place)) < 20


# --- settings in the URL ---

LINKS = [
    "#kind=transposed&i=2&k=5&s=3&p=2&a=2&d=1&x=ramp&w=ramp",
    "#kind=direct&i=7&k=3&s=2&p=1&a=0&d=2&x=ones&w=ones&at=3",
    "#kind=transposed&i=3x4&k=4x2&s=2x3&p=1x0&a=0&d=1x2&x=ramp&w=bilinear&at=7&step=7",
    "#kind=transposed&i=2&k=2&s=2&p=0:1&a=0&d=1&x=1,-2.5,0,4&w=0.1,0.2,-3,4",
    "#kind=transposed&dim=1&i=4&k=3&s=2&p=1&a=1&d=1&x=ramp&w=1,2,1&at=5",
    "#kind=transposed&i=3&k=4&s=2&p=1&a=0&d=1&x=ramp&w=trained",
]


@pytest.mark.parametrize("link", LINKS)
def test_link_reproduces_the_state(page, page_path, link):
    open_link(page, page_path, link)
    assert settle(page) == link
    before = page.execute_script("return [state.shown.output, state.at, state.layers]")
    assert find(page, "#link").get_attribute("href").endswith(link)
    open_link(page, page_path, settle(page))
    after = page.execute_script("return [state.shown.output, state.at, state.layers]")
    assert after == before


def test_controls_write_the_url(page, page_path):
    find(page, "#s0").send_keys(Keys.ARROW_RIGHT)
    find(page, "#p0").send_keys(Keys.ARROW_RIGHT)
    find(page, '[data-fill="x ones"]').click()
    find(page, "#next").click()
    link = settle(page)
    assert link == "#kind=transposed&i=3&k=4&s=3&p=2&a=0&d=1&x=ones&w=ramp&at=1"
    output = shown(page, "shown.output")
    open_link(page, page_path, link)
    np.testing.assert_array_equal(shown(page, "shown.output"), output)


def test_link_followed_while_the_url_is_being_written(page):
    """The page writes its URL after the click and before it learns of the click."""
    find(page, '#chapters button[data-chapter="7"]').click()
    settle(page)
    page.execute_script("""
        document.querySelector("#tour li.current a").click();
        history.replaceState(null, "", state.written);
    """)
    link = settle(page)
    assert settings(page)[1][:2] == (4, 4)
    assert "&k=4&" in link


def test_link_of_a_step_alone(page, page_path):
    open_link(page, page_path, "#step=4")
    assert find(page, "#tour li.current h2").text == STEPS[3][0]
    assert settings(page) == STEPS[3][1:3]


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("#k=99", "The link's k is 99: expected 1 to 7."),
        ("#i=-1", "The link's i is -1: expected 1 to 8."),
        ("#p=x", "The link's p is x: expected 0 to 6."),
        ("#kind=inverse", "The link's kind is inverse: expected transposed or direct."),
        ("#dim=3", "The link's dim is 3: expected 1 or 2."),
        ("#i=2&x=1,2,3", "The link's x is 1,2,3: expected ramp, ones or 4 numbers."),
        ("#x=1,,3", "The link's x is 1,,3: expected ramp, ones or 9 numbers."),
        ("#w=NaN", "The link's w is NaN: expected ramp, ones, bilinear, trained"),
        ("#k=3&w=trained", "The link's w is trained: expected ramp"),
        ("#step=9", "The link's step is 9: expected 1 to 8."),
        ("#step=constructor", "The link's step is constructor: expected 1 to 8."),
        ("#at=-2", "The link's at is -2: expected the number of a step."),
        ("#size=3", 'The link has the part "size": expected some of dim, kind, i'),
        ("#%E0%A4%A", "The link cannot be read"),
        ("#<img src=x onerror=alert(1)>", "The link has the part"),
    ],
)
def test_wrong_link_is_explained(page, page_path, link, message):
    open_link(page, page_path, link)
    problem = find(page, "#linkproblem")
    assert problem.text.startswith(message)
    assert problem.text.endswith("The page keeps its settings.")
    assert problem.get_attribute("role") == "alert"
    assert settings(page) == ("transposed", (3, 4, 2, 1, 0))
    find(page, "#chapters button").click()
    assert not problem.is_displayed()


def test_impossible_layer_of_a_link_is_explained(page, page_path):
    open_link(page, page_path, "#kind=transposed&i=1&k=1&s=1&p=3")
    assert "crops the whole output away" in find(page, "#problem").text


def test_late_frame_of_a_link_is_the_last(page, page_path):
    open_link(page, page_path, "#i=2&k=2&at=9999")
    assert text(page, "#count") == "9 of 9"


# --- one dimension ---


def test_one_dimension(page):
    find(page, '[name=dim][value="1"]').click()
    assert "3 in, 6 out" in text(page, "#sentence")
    assert "zero between neighboring units (3 becomes 5)" in text(page, "#sentence")
    assert re.fullmatch(r"o = .* = 6, relationship 13", text(page, "#formula"))
    np.testing.assert_array_equal(
        shown(page, "shown.output"),
        # 1, 2, 3 with a zero between, two zeros around, under 1, 2, 3, 4
        [[3, 2 + 8, 1 * 1 + 2 * 3, 2 * 2 + 3 * 4, 2 * 1 + 3 * 3, 3 * 2]],
    )
    assert not find(page, "#apart").is_enabled()


def test_sliders_and_animation_work_in_one_dimension(page):
    find(page, '[name=dim][value="1"]').click()
    find(page, "#i0").send_keys(Keys.ARROW_RIGHT)
    find(page, "#k0").send_keys(Keys.ARROW_LEFT)
    assert "4 in, 7 out" in text(page, "#sentence")
    find(page, "#next").click()
    assert text(page, "#sum").startswith("y[1] = 1 · 1 + 2 · 3 = 7")
    assert text(page, "#spoken").startswith("Output 2: 1 times 1 plus 2 times 3")
    drawn = page.find_elements("css selector", "#stage .window")
    assert len(drawn) == 3
    boxes = [
        page.execute_script("return arguments[0].getBoundingClientRect().y", w)
        for w in drawn
    ]
    assert np.ptp(boxes) == 0  # a flat row
    factors = [t.text for t in page.find_elements("css selector", "#stage text.t2")]
    assert factors[:3] == ["× 1", "× 2", "× 3"]
    find(page, '[name=dim][value="2"]').click()
    assert "4×4 in, 7×7 out" in text(page, "#sentence")


def test_impossible_line_is_corrected(page):
    find(page, '[name=dim][value="1"]').click()
    find(page, "#a0").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert "Output padding a = 2 is impossible" in text(page, "#problem")
    find(page, "#problem button").click()
    assert "3 in, 7 out" in text(page, "#sentence")


def test_command_opens_in_one_dimension(browser, tmp_path):
    words = "--dimensions 1 --input 5 --kernel 3 --stride 2 --padding 1 --out"
    main([*words.split(), str(tmp_path / "a.html")])
    open_link(browser, tmp_path / "a.html")
    assert "5 in, 9 out" in text(browser, "#sentence")
    assert find(browser, '[name=dim][value="1"]').is_selected()
    assert browser.get_log("browser") == []
