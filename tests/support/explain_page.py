"""Helpers for tests of the explainer page in a browser."""

import base64
import contextlib
import io

import numpy as np
from PIL import Image
from selenium import webdriver

SIZE = {"width": 1280, "height": 1000, "deviceScaleFactor": 1, "mobile": False}


def find(page, selector, by="css selector"):
    return page.find_element(by, selector)


def text(page, selector):
    """The text of an element, also of one that is not displayed."""
    return find(page, selector).get_attribute("textContent")


def press(page, *pressed):
    """Presses keys one after the other."""
    chain = webdriver.ActionChains(page)
    for key in pressed:
        chain.send_keys(key)
    chain.perform()


def open_link(page, path, link=""):
    """Opens the page anew with a fragment."""
    page.get("about:blank")
    page.get(path.as_uri() + link)


@contextlib.contextmanager
def emulated(page, *, scheme="light", vision="none", **size):
    """Emulates a screen, a color scheme and a color vision deficiency."""
    send = page.execute_cdp_cmd
    send("Emulation.setDeviceMetricsOverride", {**SIZE, **size})
    feature = {"name": "prefers-color-scheme", "value": scheme}
    send("Emulation.setEmulatedMedia", {"features": [feature]})
    send("Emulation.setEmulatedVisionDeficiency", {"type": vision})
    try:
        yield
    finally:
        send("Emulation.setEmulatedVisionDeficiency", {"type": "none"})
        send("Emulation.setEmulatedMedia", {"features": []})
        send("Emulation.clearDeviceMetricsOverride", {})


def take_picture(page):
    """The visible part of the page `[H, W, 3]` uint8."""
    shot = page.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as image:
        return np.asarray(image.convert("RGB"))


def compute_lightness(pixels):
    """CIE L* of sRGB pixels `[..., 3]` uint8."""
    srgb = np.asarray(pixels, float) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)
