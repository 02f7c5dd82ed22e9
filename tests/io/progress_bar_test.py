"""Progress in a terminal and in a file."""

import io
import sys

from cpcnn_jax.io.progress_bar import progress_bar


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self):
        return True


def shown(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    bar = progress_bar(range(300), desc="work", unit="image", miniters=1)
    bar._time = lambda: bar.last_print_t + 0.2  # 0.2 s for each item
    assert list(bar) == list(range(300))
    return stream.getvalue().count("work: ")


def test_a_file_has_few_lines_and_a_terminal_a_moving_bar(monkeypatch):
    assert shown(monkeypatch, io.StringIO()) == 2  # at the start and at the end
    assert shown(monkeypatch, Terminal()) > 200
