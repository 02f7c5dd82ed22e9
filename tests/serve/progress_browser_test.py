"""Progress and Cancel of the served page, with a counter that the test controls."""

import pytest
import server_process
from step_counter import StepCounter, running, wait_for

Wait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait


@pytest.fixture
def ready():
    return StepCounter()


@pytest.fixture
def page(browser, ready):
    """Opens the page; yields the browser and the server's address."""
    with running(ready) as address:
        browser.get(address)
        yield browser, address
        assert browser.get_log("browser") == []


def text(page, name):
    return page.find_element("id", name).text


def wait(page, condition):
    Wait(page, 100, poll_frequency=0.05).until(lambda _: condition())


def choose(page, folder, *names):
    for name in names:
        (folder / name).write_bytes(b"x" * 2000)
    paths = "\n".join(str(folder / name) for name in names)
    page.find_element("id", "file").send_keys(paths)


def test_cancel_frees_the_place_and_sends_no_further_file(page, ready, tmp_path):
    page, address = page
    choose(page, tmp_path, "a.png", "b.png", "c.png")
    wait_for(lambda: ready.started)
    assert text(page, "status") == "Counting 1 of 3: a.png …"
    assert page.find_element("id", "progress").is_displayed()
    wait(page, lambda: text(page, "elapsed").startswith("waiting and counting, "))
    wait(page, lambda: not text(page, "elapsed").endswith(", 0 s"))
    page.find_element("id", "cancel").click()
    server_process.until(address, taken=0)
    end = "0 of 3 files counted; 3 canceled."
    wait(page, lambda: text(page, "status") == end)
    assert not page.find_element("id", "now").is_displayed()
    ready.resume.set()
    choose(page, tmp_path, "d.png")
    wait(page, lambda: text(page, "status").startswith("d.png: 2,000 people in 4×2"))
    assert ready.started == ["a.png", "d.png"] and ready.parts == 1 + 3
    cells = page.find_elements("css selector", "#rows .people")
    assert [cell.text for cell in cells] == [*["canceled"] * 3, "2,000"]


def test_files_added_during_a_count_wait(page, ready, tmp_path):
    page, address = page
    choose(page, tmp_path, "a.png")
    wait_for(lambda: ready.started)
    choose(page, tmp_path, "b.png")
    wait(page, lambda: page.find_element("id", "files").is_displayed())
    assert server_process.health(address)["taken"] == 1
    ready.resume.set()
    wait(page, lambda: text(page, "status") == "2 of 2 files counted.")
    assert ready.started == ["a.png", "b.png"]
    assert page.execute_script("return state.row.file.name") == "a.png"


def test_another_example_replaces_one_that_is_counted(page, ready):
    page, _ = page
    first, second, _ = page.find_elements("css selector", "[data-example]")
    first.click()
    wait_for(lambda: ready.started)
    second.click()
    wait(page, lambda: text(page, "status") == "Counting example-2.jpg …")
    ready.resume.set()
    wait(page, lambda: text(page, "status").startswith("example-2.jpg: "))
    assert text(page, "truth") == "(true count: 275 people)"
