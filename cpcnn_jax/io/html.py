"""HTML documents in one file, with text escaped so that it cannot become markup."""

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources


class Html(str):
    """Markup that is inserted unescaped; any other string is escaped."""


def tag(name: str, *children: object, **attributes: object) -> Html:
    """Writes an element.

    Args:
      name: the name of the element.
      children: `Html` is inserted unchanged, None is left out, other text is escaped.
      attributes: values are escaped, None and False are left out, and True is written
        without a value. class_ is written as class and aria_label as aria-label.

    Example:
      >>> print(tag("p", "1 < 2", tag("br"), class_="a", title='"', hidden=True))
      <p class="a" title="&quot;" hidden>1 &lt; 2<br></p>
    """
    head = name + "".join(_format_attributes(attributes))
    if name in ("br", "img", "input", "meta"):
        return Html(f"<{head}>")
    return Html(f"<{head}>{join(children)}</{name}>")


def _format_attributes(attributes: Mapping[str, object]) -> Iterator[str]:
    for name, value in attributes.items():
        attribute = name.rstrip("_").replace("_", "-")
        if value is True:
            yield f" {attribute}"
        elif value is not None and value is not False:
            yield f' {attribute}="{html.escape(str(value))}"'


def join(children: Iterable[object], between: str = "") -> Html:
    """Concatenates markup and text; text is escaped and None is left out.

    Example:
      >>> print(join([tag("b", "a"), None, "&"], between=" "))
      <b>a</b> &amp;
    """
    present = [child for child in children if child is not None]
    return Html(
        between.join(c if isinstance(c, Html) else html.escape(str(c)) for c in present)
    )


def read_part(package: str, name: str) -> str:
    """Reads a text file of a package such as "cpcnn_jax.evaluation.report"."""
    return resources.files(package).joinpath(name).read_text("utf-8")


def script_hash(script: str) -> str:
    """Computes the SHA-256 by which a page's policy allows its own script alone."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def fill_template(template: str, parts: Mapping[str, str]) -> str:
    """Replaces all placeholders `<!-- name -->` of a template by parts in one pass.

    Raises:
      KeyError: a placeholder has no replacement.

    Example:
      >>> fill_template("<i><!-- a --></i><!-- b -->", {"a": "<!-- b -->", "b": "!"})
      '<i><!-- b --></i>!'
    """
    return re.sub(r"<!-- ([\w.]+) -->", lambda match: parts[match[1]], template)
