"""What the benchmarks write, and that their contenders compute the same."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


def module(name):
    """A benchmark, imported."""
    path = ROOT / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{name}_benchmark", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def benchmark():
    return module("density")


@pytest.fixture(scope="module")
def network():
    return module("network")


def test_the_contenders_draw_one_map(benchmark, monkeypatch):
    benchmark.agree()
    recipe = benchmark.recipe_map
    monkeypatch.setattr(benchmark, "recipe_map", lambda *words: 1.01 * recipe(*words))
    with pytest.raises(SystemExit, match="the two maps differ"):
        benchmark.agree()


def test_ratios_are_of_the_same_round(benchmark):
    times = {"ours": [1.0, 2.0, 4.0], "recipe": [100.0, 100.0, 100.0]}
    rows = benchmark.table(times)
    assert rows["ours"] == {"seconds": 2, "faster": 50, "low": 25, "high": 100}
    text = benchmark.markdown(rows, sample=7)
    assert "| ours | 2.000 | 50 (25-100) |" in text
    assert "(7 of them timed, scaled) | 100.000 | 1 |" in text


def test_the_crowd_is_inside(benchmark):
    points = benchmark.crowd()
    assert points.shape == (12_000, 2) and points.min() >= 0
    assert (points.max(axis=0) < (1024, 768)).all() and np.isfinite(points).all()


def test_one_json_file_holds_both_tables(benchmark, tmp_path):
    file = tmp_path / "bench.json"
    file.write_text(json.dumps({"where": "here", "rounds": 9, "columns": {"x": 1}}))
    for found in ({"rows": 1}, {"rows": 2}):
        benchmark.write(file, found)
    assert json.loads(file.read_text()) == {
        **{"where": "here", "rounds": 9, "columns": {"x": 1}},
        "density": {"rows": 2},
    }
    benchmark.write(tmp_path / "new.json", {"rows": 3})
    assert json.loads((tmp_path / "new.json").read_text()) == {"density": {"rows": 3}}


@pytest.mark.long
@pytest.mark.parametrize("train", [False, True])
def test_the_networks_compute_the_same(network, train):
    batch = network.arrays(8 if train else 1, 64, 68)
    calls = network.contenders(
        network.first_weights(), batch, train=train, with_compiled=False
    )
    network.agree(calls, times=3)
    ours = calls["cpcnn_jax"]
    with pytest.raises(SystemExit, match="cpcnn_jax differs .* nothing was timed"):
        network.agree({**calls, "cpcnn_jax": lambda: 1.01 * ours()}, times=1)


def test_operations_are_those_of_the_convolutions(network):
    """The count by hand, of the last convolution before T and of the whole."""
    batch, weights = network.arrays(1, 64, 64), network.first_weights()
    found = network.operations(weights, batch, train=False)
    # (units of the output) x (taps) x (features in) x (features out), in turn.
    pixels, halves, quarters = 64 * 64, 32 * 32, 16 * 16
    columns = [
        pixels * 81 * 3 * 16 + halves * 49 * 16 * 32,
        quarters * 49 * (32 * 32 + 32 * 16 + 16 * 8),
        pixels * 49 * 3 * 20 + halves * 25 * 20 * 40,
        quarters * 25 * (40 * 40 + 40 * 20 + 20 * 10),
        pixels * 25 * 3 * 24 + halves * 9 * 24 * 48,
        quarters * 9 * (48 * 48 + 48 * 24 + 24 * 12),
    ]
    fusion = [
        quarters * (81 * 40 * 64 + 49 * 64 * 32 + 16 * 32 * 32),  # T: of its input
        halves * (25 * 32 * 16 + 16 * 16 * 16),
        pixels * 16,
    ]
    assert found == 2 * sum(columns + fusion)


def test_times_become_ratios_of_their_round(network):
    times = {network.REFERENCE: [1.0, 2.0, 4.0], "cpcnn_jax": [0.5, 1.0, 1.0]}
    row = network.ratios(times, operations=3e9)["cpcnn_jax"]
    assert row == dict(median=0.5, low=0.25, high=0.5, seconds=1.0, gflops=3.0)
    assert "| cpcnn_jax | 0.50 (0.25-0.50), 1.00 s, 3 GFLOP/s |" in network.markdown(
        {"task": network.ratios(times, operations=3e9)}
    )
