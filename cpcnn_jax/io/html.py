"""HTML documents of one file: their parts, and text that cannot become markup."""

import html
import re
from importlib import resources


class Html(str):
    """Markup; any other str is text and is escaped before it stands in a document."""


def tag(name, *children, **attributes):
    """Write an element.

    Args:
      name: of the element.
      children: `Html` as it is, str escaped, None left out.
      attributes: values are escaped, None and False left out, True written without a
        value; class_ stands for class, and aria_label for aria-label.

    Returns:
      Html.

    Example:
      >>> print(tag("p", "1 < 2", tag("br"), class_="a", title='"', hidden=True))
      <p class="a" title="&quot;" hidden>1 &lt; 2<br></p>
    """
    head = name + "".join(_attributes(attributes))
    if name in ("br", "img", "input", "meta"):
        return Html(f"<{head}>")
    return Html(f"<{head}>{join(children)}</{name}>")


def _attributes(attributes):
    for name, value in attributes.items():
        word = name.rstrip("_").replace("_", "-")
        if value is True:
            yield f" {word}"
        elif value is not None and value is not False:
            yield f' {word}="{html.escape(str(value))}"'


def join(children, between=""):
    """Put markup and text after each other; text is escaped, None left out.

    Example:
      >>> print(join([tag("b", "a"), None, "&"], between=" "))
      <b>a</b> &amp;
    """
    shown = [child for child in children if child is not None]
    return Html(
        between.join(c if isinstance(c, Html) else html.escape(str(c)) for c in shown)
    )


def read_part(package, name):
    """A file of a package, as text.

    Args:
      package: its full name, such as "cpcnn_jax.evaluation.report".
      name: of the file.

    Returns:
      str.
    """
    return resources.files(package).joinpath(name).read_text("utf-8")


def fill_template(template, parts):
    """Put parts into the places of a template, all at once.

    Args:
      template: text with places `<!-- name -->`.
      parts: dict of name to what stands there, which is not searched for places again.

    Returns:
      str.

    Raises:
      KeyError: a place has no part.

    Example:
      >>> fill_template("<i><!-- a --></i><!-- b -->", {"a": "<!-- b -->", "b": "!"})
      '<i><!-- b --></i>!'
    """
    return re.sub(r"<!-- ([\w.]+) -->", lambda place: parts[place[1]], template)
