"""The documentation site: no warning, complete, no assets from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import cpcnn_jax as cp
from cpcnn_jax.cli import explain

ROOT = Path(__file__).parents[1]
# Files that a browser loads with a page.
ASSET = re.compile(
    r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=[\"']?(https?://.*?)>"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    words = ["mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0 and "WARNING" not in output, output
    return folder


def nav_pages(entries):
    """The source files of a nav, in order."""
    for entry in entries:
        match entry:
            case str():
                yield entry
            case dict():
                for value in entry.values():
                    yield from nav_pages([value] if isinstance(value, str) else value)


def test_every_page_of_the_nav_exists(site):
    pages = [*nav_pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])]
    assert len(pages) == len(set(pages)) > 25
    for page in pages:
        html = (site / page).with_suffix(".html").read_text()
        assert "<h1" in html, page


def test_every_page_is_in_the_nav():
    pages = {*nav_pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])}
    files = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    assert {path.as_posix() for path in files} <= pages


def test_layer_page_embeds_the_explainer(site, tmp_path):
    assert '<iframe src="explainer.html"' in (site / "layer.html").read_text()
    words = "--input 3x3 --kernel 4 --stride 2 --padding 1 --format html --out"
    explain.main([*words.split(), str(tmp_path / "page.html")])
    page = (tmp_path / "page.html").read_text()
    assert (site / "explainer.html").read_text() == page


def test_site_loads_nothing_from_elsewhere(site):
    for path in site.rglob("*.html"):
        assert not ASSET.findall(path.read_text()), path


def test_every_public_name_is_in_the_reference(site):
    pages = {path: path.read_text() for path in (site / "api").glob("*.html")}
    index = pages[site / "api" / "index.html"]
    reference = "".join(pages.values())
    for name in cp.__all__:
        value = getattr(cp, name)
        assert f"cp.{name}</code>" in index, name
        assert f'id="{value.__module__}.{value.__qualname__}"' in reference, name


def test_every_configuration_field_has_its_comment(site):
    html = (site / "api" / "config.html").read_text()
    start = html.index('id="cpcnn_jax.config.experiment.Model.use_fcnn"')
    assert "one 1x1 convolution on the DME" in html[start : start + 3000]


@pytest.mark.parametrize("name", ["layer.md", "data.md"])
def test_python_examples_run(name):
    blocks = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs" / name).read_text(), re.M | re.S
    )
    assert blocks
    space = {}
    for block in blocks:
        exec(compile(block, name, "exec"), space)
    if name == "layer.md":
        assert space["y"].shape == (1, 48, 64, 8)
