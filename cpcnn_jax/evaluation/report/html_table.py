"""Table in a box that scrolls sideways on narrow screens."""

from collections.abc import Iterable
from typing import Any

from cpcnn_jax.io.html import Html, tag


def render_table(
    label: str, titles: Iterable[Html], rows: Iterable[Html], *, kind: str, **box: Any
) -> Html:
    """Renders cells th and rows tr as a table of a CSS class, in a box."""
    head = tag("thead", tag("tr", *titles))
    table = tag("table", head, tag("tbody", *rows), class_=kind)
    # A scrolling box needs the keyboard's focus and a name.
    return tag("div", table, role="region", tabindex=0, aria_label=label, **box)


def render_title(text: str | Html, **attributes: Any) -> Html:
    """Renders the header cell of a column."""
    return tag("th", text, scope="col", **attributes)
