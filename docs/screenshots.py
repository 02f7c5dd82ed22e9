"""Draws docs/serve.png, serve_phone.png and serve_dark.png: the page with an example.

    python docs/screenshots.py

It needs the extra `test`, and Chromium with its driver.
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
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(address)
    browser.find_element("css selector", "[data-example]").click()
    status = browser.find_element("id", "status")
    WebDriverWait(browser, 120).until(lambda _: "counted in" in status.text)
    browser.execute_script(REGION)
    if width > 500:
        browser.find_element("id", "show").click()
    shot = browser.execute_cdp_cmd(
        "Page.captureScreenshot", {"captureBeyondViewport": True}
    )
    return base64.b64decode(shot["data"])


def main() -> None:
    """Writes the pictures."""
    with running_server() as address, open_browser() as browser:
        for name, (width, scheme) in SCREENS.items():
            picture = draw(browser, address, width, scheme)
            (DOCS / f"{name}.png").write_bytes(picture)


if __name__ == "__main__":
    main()
