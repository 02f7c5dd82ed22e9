"""Draws the pages of docs/: report.png, and serve.png with serve_*.png.

    make demo
    python docs/screenshots.py

It needs the extra `test`, and Chromium with its driver. The report is that of the demo.
The pages of `serve` are drawn as they fit a screen, without scrolling.
"""

import base64
import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image
from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

from cpcnn_jax.io import video
from cpcnn_jax.serve import examples

DOCS = Path(__file__).parent
REPORT = DOCS.parent / "runs" / "demo" / "report.html"
DESKTOP, PHONE = (1280, 900), (390, 844)
SCREENS = {
    "serve": (DESKTOP, "light"),
    "serve_dark": (DESKTOP, "dark"),
    "serve_phone": (PHONE, "light"),
}
REGION = "[[80, 220], [330, 220], [330, 440], [80, 440]].forEach(addCorner)"


@contextlib.contextmanager
def running_server() -> Iterator[str]:
    """Starts `cpcnn_jax serve` with the default weights and yields its address."""
    command = [sys.executable, "-m", "cpcnn_jax", "serve", "--port=0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1]
        process.terminate()


@contextlib.contextmanager
def open_browser() -> Iterator[webdriver.Chrome]:
    """Starts a Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    with tempfile.TemporaryDirectory() as profile:
        flags = "--headless=new --no-sandbox --hide-scrollbars"
        for flag in (*flags.split(), f"--user-data-dir={profile}"):
            options.add_argument(flag)
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        browser = webdriver.Chrome(options=options, service=service)
        yield browser
        browser.quit()


def draw(
    browser: webdriver.Chrome, address: str, size: tuple[int, int], scheme: str
) -> bytes:
    """Counts the first example, draws a region and takes a picture as PNG."""
    _open(browser, address, size, scheme)
    browser.find_element("css selector", "[data-example]").click()
    _wait_for_status(browser, "counted in")
    browser.execute_script(REGION)
    if size == DESKTOP:
        browser.find_element("id", "show").click()
    return _take_picture(browser)


def draw_files(browser: webdriver.Chrome, address: str, files: list[Path]) -> bytes:
    """Counts files, and takes a picture of the page on a dark phone as PNG."""
    _open(browser, address, PHONE, "dark")
    _choose(browser, files, "files counted")
    return _take_picture(browser)


def draw_video(browser: webdriver.Chrome, address: str, file: Path) -> bytes:
    """Counts a video, and takes a picture of its curve and a frame as PNG."""
    _open(browser, address, DESKTOP, "light")
    _choose(browser, [file], "counted in")
    player = browser.find_element("id", "player")
    WebDriverWait(browser, 30).until(lambda _: player.is_displayed())
    browser.execute_script("arguments[0].currentTime = 12", player)
    here = browser.find_element("id", "instant")
    WebDriverWait(browser, 30).until(lambda _: "0:12" in here.text)
    return _take_picture(browser)


def write_files(folder: Path) -> tuple[list[Path], Path]:
    """Writes the examples, a file that is no image, and a video of the examples."""
    images, names = [], ("stage.jpg", "street.jpg", "square.jpg")
    for number, name in enumerate(names):
        (folder / name).write_bytes(examples.encode_jpeg(number))
        with Image.open(folder / name) as image:
            images.append(np.asarray(image.resize((320, 240)), np.float32))
    (folder / "notes.jpg").write_text("no image")
    with video.write_video(folder / "walk.mp4", rate=Fraction(2)) as add:
        for time in np.linspace(0, 2, 40, endpoint=False):
            first, share = divmod(time, 1)
            images_now = images[int(first)], images[int(first) + 1]
            add(np.uint8(images_now[0] * (1 - share) + images_now[1] * share))
    files = [folder / name for name in (*names[:2], "notes.jpg", names[2])]
    return files, folder / "walk.mp4"


def draw_report(browser: webdriver.Chrome) -> bytes:
    """Takes a picture of the top of the demo's report as PNG."""
    _set_size(browser, 1000, 1500)
    browser.get(REPORT.as_uri())
    return _take_picture(browser)


def _open(browser, address, size, scheme):
    _set_size(browser, *size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.execute_cdp_cmd(
        "Emulation.setTouchEmulationEnabled", {"enabled": size == PHONE}
    )
    browser.get(address)


def _choose(browser, files, end):
    browser.find_element("id", "file").send_keys("\n".join(map(str, files)))
    _wait_for_status(browser, end)


def _wait_for_status(browser, text):
    status = browser.find_element("id", "status")
    WebDriverWait(browser, 300).until(lambda _: text in status.text)


def _set_size(browser, width, height):
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def _take_picture(browser):
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {})
    return base64.b64decode(shot["data"])


def draw_pages(browser: webdriver.Chrome, address: str, folder: Path) -> None:
    """Writes the pictures of the page of `serve`."""
    files, film = write_files(folder)
    pictures = {name: draw(browser, address, *SCREENS[name]) for name in SCREENS}
    pictures["serve_files"] = draw_files(browser, address, files)
    pictures["serve_video"] = draw_video(browser, address, film)
    for name, picture in pictures.items():
        (DOCS / f"{name}.png").write_bytes(picture)


def main() -> None:
    """Writes the pictures."""
    with (
        running_server() as address,
        open_browser() as browser,
        tempfile.TemporaryDirectory() as folder,
    ):
        draw_pages(browser, address, Path(folder))
        (DOCS / "report.png").write_bytes(draw_report(browser))


if __name__ == "__main__":
    main()
