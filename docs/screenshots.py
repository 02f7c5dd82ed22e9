"""Draws the pages of docs/: serve.png, serve_phone.png, serve_dark.png and report.png.

    make demo
    python docs/screenshots.py

It needs the extra `test`, and Chromium with its driver. The report is that of the demo.
"""

import base64
import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

DOCS = Path(__file__).parent
REPORT = DOCS.parent / "runs" / "demo" / "report.html"
SCREENS = {"serve": (940, "light"), "serve_phone": (360, "light")}
SCREENS |= {"serve_dark": (940, "dark")}
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


def draw(browser: webdriver.Chrome, address: str, width: int, scheme: str) -> bytes:
    """Counts the first example, draws a region and takes a picture as PNG."""
    _set_size(browser, width, 900)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(address)
    browser.find_element("css selector", "[data-example]").click()
    status = browser.find_element("id", "status")
    WebDriverWait(browser, 120).until(lambda _: "counted in" in status.text)
    browser.execute_script(REGION)
    if width > 500:
        browser.find_element("id", "show").click()
    return _take_picture(browser, whole=True)


def draw_report(browser: webdriver.Chrome) -> bytes:
    """Takes a picture of the top of the demo's report as PNG."""
    _set_size(browser, 1000, 1500)
    browser.get(REPORT.as_uri())
    return _take_picture(browser, whole=False)


def _set_size(browser, width, height):
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def _take_picture(browser, *, whole):
    settings = {"captureBeyondViewport": whole}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", settings)
    return base64.b64decode(shot["data"])


def main() -> None:
    """Writes the pictures."""
    with running_server() as address, open_browser() as browser:
        (DOCS / "report.png").write_bytes(draw_report(browser))
        for name, (width, scheme) in SCREENS.items():
            picture = draw(browser, address, width, scheme)
            (DOCS / f"{name}.png").write_bytes(picture)


if __name__ == "__main__":
    main()
