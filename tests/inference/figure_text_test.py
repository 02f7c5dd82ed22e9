"""Names that matplotlib or Pillow cannot draw as they are."""

import numpy as np
import pytest

from cpcnn_jax.evaluation import figures
from cpcnn_jax.inference import drawn_text, figure_text, overlay, video_overlay

NAMES = [
    "cost_$5_to_$9",
    r"$\frac{$",
    "caf\udce9",
    "\u4eba\u7fa4",
    "line\nbreak\x07",
    "\U0001f600",
    "x" * 250,
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_drawn_without_a_warning(name):  # pytest makes warnings errors
    gray, corners = np.zeros((64, 64, 3), np.uint8), np.array([[0, 0], [9, 0], [9, 9]])
    density, region = np.zeros((64, 64), np.float32), [(name, corners)]
    overlay.draw_overlay(gray, density, title=name, regions=region)
    video_overlay.annotate_frame(gray, density, text=name, end=20, regions=region)
    video_overlay.plot_curve([0, 1], [2, 3], [2, 3], title=name)
    figure = figures.comparison_figure(gray, density, density, people=1, title=name)
    assert drawn_text.printable(name) == figure.axes[0].get_title()
    assert not figure.axes[0].title.get_parse_math()
    figures.figure_pixels(figure)
    assert figure_text.render_png(figure)[:4] == b"\x89PNG"
