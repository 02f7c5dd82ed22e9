"""Progress on a terminal and in a file."""

import io
import re

import pytest

from cpcnn_jax.training import progress

WORK = {"gce": 1e9, "lce": 0.5e9, "density": 2e9}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_resumed_stage_says_so_and_prints_its_end_once(clock):
    stream = io.StringIO()
    shown = progress.Progress(WORK, stream)
    shown.start_stage("lce", 40, 100)
    clock[0] += 60
    shown.update(100, {})
    shown.end_stage()
    assert stream.getvalue().splitlines() == [
        "stage 2 of 3 lce, goes on after step 40 of 100",
        "stage 2 of 3 lce, step 100 of 100",
    ]


def test_a_file_has_a_line_now_and_then(clock):
    stream = io.StringIO()
    shown = progress.Progress(WORK, stream)
    shown.start_stage("lce", 0, 100)
    for step in range(1, 101):
        clock[0] += 1
        shown.update(step, {"loss": 1 / step, "model_flops_per_second": 1e7})
    shown.end_stage()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4  # after 31, 62 and 93 seconds, and at the end
    assert lines[0] == (
        "stage 2 of 3 lce, loss 0.03226, step 31 of 100, 4 min left"
    )  # (0.69 * 0.5e9 + 2e9) / 1e7 seconds
    assert lines[-1] == "stage 2 of 3 lce, loss 0.01, step 100 of 100, 3 min left"
    assert "\r" not in stream.getvalue()


def test_a_bar_fits_80_columns_and_begins_with_stage_loss_and_mae():
    stream = Terminal()
    shown = progress.Progress(WORK, stream)
    shown.start_stage("density", 7, 40_000)
    values = {"validation_mae": 1234.5678, "model_flops_per_second": 1e3}
    for step in (8, 9, 20_000):
        shown.update(step, {"loss": 0.123456, **values})
    shown.end_stage()
    frames = [frame.rstrip() for frame in re.split(r"[\r\n]", stream.getvalue())]
    assert max(map(len, frames)) <= 80
    last = [frame for frame in frames if frame][-1]
    assert last.startswith("stage 3 of 3 density, loss 0.1235, MAE 1235 |")
    assert "20000/40000" in last and last.endswith("278 h left")


def test_without_a_stream_nothing_is_shown(capsys):
    shown = progress.Progress(WORK, None)
    shown.start_stage("gce", 0, 2)
    shown.update(1, {"loss": 1.0})
    shown.end_stage()
    assert capsys.readouterr() == ("", "")


def test_durations_grow_through_the_units():
    spans = [0, 89, 90, 5399, 5400, 1e6]
    texts = [progress._duration(span) for span in spans]
    assert texts == ["0 s", "89 s", "2 min", "90 min", "2 h", "278 h"]
