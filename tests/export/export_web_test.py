"""Exported ONNX files in onnxruntime-web: under node, and on docs/export.md's page.

The package is installed by `npm install --prefix build/web onnxruntime-web@1.30.0`.
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
import tiny_backbone
import tiny_experiment
from PIL import Image

from cpcnn_jax.export import onnx_model
from cpcnn_jax.inference import counter

PACKAGE = "onnxruntime-web@1.30.0"
FOLDER = tiny_experiment.ROOT / "build" / "web"


@pytest.fixture(scope="module")
def modules():
    """npm's folder with onnxruntime-web."""
    if not (FOLDER / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip(f"npm install --prefix {FOLDER} {PACKAGE}")
    return FOLDER / "node_modules"


NETWORKS = {
    "cpcnn": tiny_experiment.networks,
    "shared_backbone": tiny_backbone.networks,
}


@pytest.fixture(scope="module", params=NETWORKS)
def networks(request):
    """A network and its weights."""
    return NETWORKS[request.param]()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, networks):
    """A folder with the model and an image."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "net.onnx").write_bytes(onnx_model.export_model(*networks, blocks=4))
    levels = np.random.default_rng(0).integers(0, 256, (90, 133, 3), dtype=np.uint8)
    Image.fromarray(levels).save(folder / "image.png")
    return folder


@pytest.fixture(scope="module")
def expected(folder, networks):
    return counter.Counter(*networks, blocks=4).count(folder / "image.png")


def test_density_under_node_equals_the_networks(modules, folder, expected, tmp_path):
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    pixels = np.asarray(expected.image.pixels, np.float32) / 255
    pixels.tofile(tmp_path / "image")
    sizes = [str(side) for side in pixels.shape[:2]]
    script = tiny_experiment.ROOT / "tests" / "support" / "onnxruntime_web.mjs"
    files = folder / "net.onnx", tmp_path / "image", *sizes, tmp_path / "density"
    subprocess.run(["node", script, modules, *files], check=True, timeout=100)
    density = np.fromfile(tmp_path / "density", np.float32).reshape(pixels.shape[:2])
    largest = np.abs(expected.density).max()
    np.testing.assert_allclose(density, expected.density, rtol=0, atol=1e-5 * largest)


def test_page_of_the_docs_counts(modules, folder, expected, browser):
    text = (tiny_experiment.ROOT / "docs" / "export.md").read_text()
    (page,) = re.findall(r"^```html\n(.*?)^```", text, re.M | re.S)
    (folder / "index.html").write_text(page)
    (folder / "node_modules").symlink_to(modules)
    with serving(folder) as address:
        browser.get(address)
        files = browser.find_element("css selector", "input[type=file]")
        files.send_keys(str(folder / "image.png"))
        browser.implicitly_wait(60)
        output = browser.find_element("css selector", "output:not(:empty)").text
        browser.implicitly_wait(0)
    number, unit = output.split()
    assert unit == "people"
    np.testing.assert_allclose(float(number), expected.count, atol=0.01)


@contextlib.contextmanager
def serving(folder):
    """Serves a folder inside the block; yields the address of its page."""
    handler = functools.partial(QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
