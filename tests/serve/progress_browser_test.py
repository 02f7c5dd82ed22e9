"""Progress, Cancel and videos of the served page, with a controlled counter."""

import csv

import pytest
import server_process
import small_video
from step_counter import FrameCounter, running, wait_for

Chains = pytest.importorskip("selenium.webdriver").ActionChains
Wait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait


@pytest.fixture
def ready():
    return FrameCounter()


@pytest.fixture
def page(browser, ready):
    """Opens the page; yields the browser and the server's address."""
    with running(ready, max_video=2**20) as address:
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
    page.find_element("css selector", "#rows tr:nth-child(2) .again").click()
    wait(page, lambda: text(page, "status").startswith("b.png: 2,000 people in 4×2"))
    assert [cell.text for cell in cells[1:3]] == ["2,000", "canceled"]
    assert text(page, "counted") == "Total of 2 of 4 photographs"


def test_one_canceled_file_is_counted_again(page, ready, tmp_path):
    page, address = page
    again = page.find_element("id", "again")
    choose(page, tmp_path, "a.png")
    wait_for(lambda: ready.started)
    assert not again.is_displayed()
    page.find_element("id", "cancel").click()
    wait(page, lambda: text(page, "status") == "a.png: not counted, canceled.")
    server_process.until(address, taken=0)
    ready.resume.set()
    again.click()
    wait(page, lambda: text(page, "status").startswith("a.png: 2,000 people"))
    assert not again.is_displayed()


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


# --- videos ---


def points(page, name):
    line = page.find_element("css selector", f"#curve .{name}")
    pairs = line.get_attribute("points").split()
    return [tuple(map(float, pair.split(","))) for pair in pairs]


def give(page, path):
    page.find_element("id", "file").send_keys(str(path))


def test_curve_of_a_video_grows_while_it_is_counted(page, ready, tmp_path):
    page, _ = page
    folder = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.execute_cdp_cmd("Browser.setDownloadBehavior", folder)
    give(page, small_video.write(tmp_path / "walk.mp4"))
    for _ in range(2):
        ready.allowed.release()
    wait(page, lambda: text(page, "elapsed").startswith("2 of 4 frames counted, "))
    assert page.find_element("id", "progress").get_attribute("value") == "0.5"
    assert text(page, "count") == "2" and len(points(page, "counts")) == 2
    ready.resume.set()
    end = "walk.mp4: 3 people on average in 4 frames, counted in "
    wait(page, lambda: text(page, "status").startswith(end))
    assert text(page, "range") == "on average, at most 4 after 0:03"
    (x1, y1), *_, (x2, y2) = points(page, "counts")
    assert x1 < x2 and y1 > y2 and len(points(page, "smoothed")) == 4
    label = page.find_element("id", "curve").get_attribute("aria-label")
    assert label == "People over time: 3 on average, at most 4 after 0:03"
    assert not page.find_element("id", "work").is_displayed()
    page.find_element("id", "curve-csv").click()
    wait(page, lambda: (tmp_path / "walk.mp4.csv").exists())
    with open(tmp_path / "walk.mp4.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["count"] for row in table] == ["1", "2", "3", "4"]
    assert [row["seconds"] for row in table] == ["0", "1", "2", "3"]
    assert [*table[0]] == ["frame", "seconds", "count", "smoothed"]


def test_click_on_the_curve_shows_its_frame(page, ready, tmp_path):
    page, _ = page
    ready.resume.set()
    give(page, small_video.write(tmp_path / "walk.mp4"))
    wait(page, lambda: text(page, "status").startswith("walk.mp4: 3 people"))
    wait(page, lambda: page.find_element("id", "player").is_displayed())
    assert text(page, "instant") == "shown: 1 after 0:00"
    curve, (x, _) = page.find_element("id", "curve"), points(page, "counts")[2]
    middle = curve.size["width"] / 2
    click = Chains(page).move_to_element_with_offset(curve, round(x - middle) + 2, 0)
    click.click().perform()
    wait(page, lambda: text(page, "instant") == "shown: 3 after 0:02")
    choose(page, tmp_path, "a.png")
    wait(page, lambda: page.find_element("id", "work").is_displayed())
    assert not page.find_element("id", "player").is_displayed()


def test_canceled_video_keeps_its_counts(page, ready, tmp_path):
    page, address = page
    small_video.write(tmp_path / "walk.mp4")
    (tmp_path / "a.png").write_bytes(b"x" * 7)
    give(page, f"{tmp_path}/walk.mp4\n{tmp_path}/a.png")
    ready.allowed.release()
    wait(page, lambda: text(page, "elapsed").startswith("1 of 4 frames counted, "))
    page.find_element("id", "cancel").click()
    server_process.until(address, taken=0)
    wait(page, lambda: text(page, "status") == "0 of 2 files counted; 2 canceled.")
    ready.resume.set()
    assert text(page, "count") == "1" and len(points(page, "counts")) == 1
    assert text(page, "rows").startswith("▶ walk.mp4\ncanceled after 1 frame.")
    choose(page, tmp_path, "b.png")
    wait(page, lambda: text(page, "status").startswith("b.png: 2,000 people"))
    assert page.find_element("id", "work").is_displayed()
    assert not page.find_element("id", "film").is_displayed()
    page.execute_script("state.rows[0].button.click()")
    wait(page, lambda: page.find_element("id", "film").is_displayed())


def test_bad_videos_are_sentences(page, ready, tmp_path):
    page, _ = page
    ready.resume.set()
    (tmp_path / "large.mp4").write_bytes(bytes(2**20 + 1))
    give(page, tmp_path / "large.mp4")
    wait(page, lambda: "at most 1 MiB: choose" in text(page, "problem"))
    cut = small_video.write(tmp_path / "cut.mp4", seconds=6)
    small_video.damage(cut)
    give(page, cut)
    wait(page, lambda: text(page, "problem").startswith("cut.mp4 is damaged after "))
    assert 0 < len(points(page, "counts")) < 6
    page.execute_script("document.body.dataset.videos = ''")
    give(page, small_video.write(tmp_path / "walk.mp4"))
    wait(
        page, lambda: "the server cannot read videos: install" in text(page, "problem")
    )
