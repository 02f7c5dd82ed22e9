"""The exported ONNX in onnxruntime-web: under node, and on the page of docs/export.md.

`npm install --prefix build/web onnxruntime-web@1.30.0` puts the package where it is
looked for.
"""

import contextlib
import functools
import http.server
import re
import shutil
import subprocess
import threading

import numpy as np
import pytest
import tiny_experiment
from PIL import Image

from cpcnn_jax.export import onnx_model
from cpcnn_jax.inference import counter

PACKAGE = "onnxruntime-web@1.30.0"
FOLDER = tiny_experiment.ROOT / "build" / "web"


@pytest.fixture(scope="module")
def modules():
    """The folder in which npm has put onnxruntime-web."""
    if not (FOLDER / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip(f"npm install --prefix {FOLDER} {PACKAGE}")
    return FOLDER / "node_modules"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With the model and a photograph."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "net.onnx").write_bytes(
        onnx_model.export_model(*tiny_experiment.networks(), blocks=4)
    )
    levels = np.random.default_rng(0).integers(0, 256, (90, 133, 3), dtype=np.uint8)
    Image.fromarray(levels).save(folder / "photograph.png")
    return folder


@pytest.fixture(scope="module")
def expected(folder):
    ready = counter.Counter(*tiny_experiment.networks(), blocks=4)
    return ready.count(folder / "photograph.png")


def test_under_node(modules, folder, expected, tmp_path):
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    pixels = np.asarray(expected.photograph.pixels, np.float32) / 255
    pixels.tofile(tmp_path / "image")
    sizes = [str(side) for side in pixels.shape[:2]]
    words = [
        *("node", tiny_experiment.ROOT / "tests" / "onnxruntime_web.mjs", modules),
        *(folder / "net.onnx", tmp_path / "image", *sizes, tmp_path / "density"),
    ]
    subprocess.run(words, check=True, timeout=100)
    found = np.fromfile(tmp_path / "density", np.float32).reshape(pixels.shape[:2])
    largest = expected.density.max()
    np.testing.assert_allclose(found, expected.density, rtol=0, atol=1e-5 * largest)


def test_the_page_of_the_docs_counts(modules, folder, expected, browser):
    text = (tiny_experiment.ROOT / "docs" / "export.md").read_text()
    (page,) = re.findall(r"^```html\n(.*?)^```", text, re.M | re.S)
    (folder / "index.html").write_text(page)
    (folder / "node_modules").symlink_to(modules)
    with serving(folder) as address:
        browser.get(address)
        files = browser.find_element("css selector", "input[type=file]")
        files.send_keys(str(folder / "photograph.png"))
        browser.implicitly_wait(60)
        said = browser.find_element("css selector", "output:not(:empty)").text
        browser.implicitly_wait(0)
    number, unit = said.split()
    assert unit == "people"
    np.testing.assert_allclose(float(number), expected.count, atol=0.01)


@contextlib.contextmanager
def serving(folder):
    """The address of a folder's page, for as long as the block runs."""
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
