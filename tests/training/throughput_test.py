"""Rates and shares from a clock that the test sets."""

import pytest

from cpcnn_jax.training import throughput


@pytest.fixture
def time(monkeypatch):
    """time(t) sets the clock to t seconds."""
    now = [100.0]
    monkeypatch.setattr(throughput.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, seconds)


def test_rates_are_of_the_steps_since_the_last_line(time):
    watch = throughput.Throughput()
    with watch.waiting():
        time(101.0)
    time(104.0)
    watch.count(8, 6e9)
    rates = {"images_per_second": 2.0, "model_flops_per_second": 1.5e9}
    assert watch.values() == {**rates, "wait_share": 0.25}
    with watch.stopped():
        time(164.0)
    with watch.waiting():
        time(168.0)
    time(172.0)
    watch.count(16, 16e9)
    rates = {"images_per_second": 2.0, "model_flops_per_second": 2e9}
    assert watch.values() == {**rates, "wait_share": 0.5}
