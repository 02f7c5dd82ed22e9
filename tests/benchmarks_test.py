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
