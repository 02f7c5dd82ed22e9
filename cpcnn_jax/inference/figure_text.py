"""Text in figures of matplotlib without interpretation of dollar signs."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


@contextlib.contextmanager
def plain_text() -> Iterator[None]:
    """Context in which dollar signs are text and matplotlib gives no warnings.

    A character without a glyph in the font is drawn as a box.
    """
    settings: Any = {"text.parse_math": False, "text.usetex": False}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def render_png(figure: Figure) -> bytes:
    """Renders a figure as the content of a PNG file, without warnings."""
    data = io.BytesIO()
    with plain_text():
        FigureCanvasAgg(figure).print_png(data)
    return data.getvalue()
