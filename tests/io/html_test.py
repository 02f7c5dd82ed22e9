"""Escaping of text, checked with the HTML parser of the standard library."""

import pytest
from html_parser import Reader

from cpcnn_jax.io import html as html_io
from cpcnn_jax.io.html import Html, join, tag

NASTY = ["<script>alert(1)</script>", "\"'><img src=x>", "&lt;b&gt;", "<!-- b -->", "é"]


@pytest.mark.parametrize("text", NASTY)
def test_text_and_attributes_are_escaped(text):
    read = Reader(tag("p", text, title=text))
    assert read.text == text
    assert read.elements == [("p", {"title": text})]


@pytest.mark.parametrize("text", NASTY)
def test_join_escapes_text_and_keeps_markup(text):
    read = Reader(join([tag("i", text), None, text, 3]))
    assert read.text == f"{text}{text}3"
    assert [name for name, _ in read.elements] == ["i"]


def test_attributes_that_are_not_strings():
    markup = tag("input", class_="a", data_value=0, checked=True, hidden=False, id=None)
    assert markup == '<input class="a" data-value="0" checked>'
    assert isinstance(markup, Html)


def test_placeholders_inside_a_part_are_kept():
    parts = {"a": "<!-- b -->", "b": "B", "page.css": "p{}"}
    filled = html_io.fill_template("<!-- a -->|<!-- b -->|<!-- page.css -->", parts)
    assert filled == "<!-- b -->|B|p{}"


def test_placeholder_without_a_part_raises_key_error():
    with pytest.raises(KeyError, match="missing"):
        html_io.fill_template("<!-- missing -->", {})


def test_parts_are_package_data():
    assert "light-dark(" in html_io.read_part("cpcnn_jax.io", "theme.css")
