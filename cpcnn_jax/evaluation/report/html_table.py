"""A table of numbers in a box of its own, which scrolls where the table is too wide."""

from cpcnn_jax.io.html import tag


def boxed(label, titles, rows, *, kind, **box):
    """Put titles and rows into a table.

    Args:
      label: what the table shows.
      titles: of the columns, str or Html.
      rows: Html, each an element tr.
      kind: its class in page.css.
      box: further attributes of the box.

    Returns:
      Html.
    """
    head = tag("tr", *titles)
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_=kind)
    # A box that scrolls must be reached with Tab, and say what it is.
    return tag("div", table, role="region", tabindex=0, aria_label=label, **box)


def title(words, **attributes):
    """The title of a column.

    Args:
      words: str or Html.
      attributes: of the element.

    Returns:
      Html.
    """
    return tag("th", words, scope="col", **attributes)
