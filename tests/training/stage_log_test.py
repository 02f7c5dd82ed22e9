"""Lines that are due, their values and their rates, with a writer that keeps them."""

from types import SimpleNamespace

import numpy as np
import pytest

from cpcnn_jax.training import throughput
from cpcnn_jax.training.stage_log import StageLog


class Lines(list):
    def write_scalars(self, stage, step, values):
        self.append((stage, step, values))


@pytest.fixture
def lines():
    return Lines()


@pytest.fixture
def log(lines, monkeypatch):
    """A line every four steps of two examples; each look at the clock is a second."""
    clock = iter(range(1000))
    monkeypatch.setattr(throughput.time, "monotonic", lambda: float(next(clock)))
    order = SimpleNamespace(batch_size=2)
    stage = SimpleNamespace(name="density", order=order)
    return StageLog(
        stage, lines, every=4, step=2, image_names=["IMG_1"], example_flops=100
    )


def record(log, first, count):
    """A call whose loss is the number of each step."""
    loss = np.arange(first + 1, first + count + 1, dtype=np.float32)
    log.guard.record(first, count, {"loss": loss}, 0)


def test_lines_are_those_of_finished_calls(log, lines):
    record(log, 2, 1)
    assert log.write_due(3) == {} and not lines
    record(log, 3, 6)  # steps 4 to 9
    record(log, 9, 3)  # 10 to 12, not finished
    values = log.write_due(9)
    assert [(stage, step) for stage, step, _ in lines] == [
        ("density", 4),
        ("density", 8),
    ]
    assert [line["loss"] for _, _, line in lines] == [4, 8] and values["loss"] == 9
    assert log.write_due(9) == {}
    assert log.write_due(12)["loss"] == 12
    assert [step for _, step, _ in lines] == [4, 8, 12]


def test_rates_are_those_since_the_last_line(log, lines):
    record(log, 2, 3)
    values = log.write_before(5)  # 3 steps of 2 examples, in a second
    assert values["images_per_second"] == 6
    assert values["model_flops_per_second"] == 600
    assert lines == [("density", 4, values | {"loss": 4})]


def test_a_step_before_a_checkpoint_has_no_line_yet(log, lines):
    record(log, 2, 2)
    values = log.write_before(4)
    assert not lines and values["loss"] == 4
    log.write(4, values | {"mae": 7})
    assert log.write_due(4) == {} and len(lines) == 1
