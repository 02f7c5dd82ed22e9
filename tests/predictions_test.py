"""What is written is read back; compare_test.py has the files that cannot be read."""

import csv

from cpcnn_jax import predictions


def test_rows_come_back_as_they_were(tmp_path):
    rows = [
        {"name": 'a, "b"', "count": 7, "predicted": 0.1 + 0.2, "level": "ex-lo"},
        {"name": "Ü\n2", "count": 6.99999, "predicted": -1e-9, "level": "hi"},
    ]
    predictions.write(tmp_path, rows)
    assert predictions.read(tmp_path) == {
        'a, "b"': (7.0, 0.1 + 0.2, "ex-lo"),
        "Ü\n2": (6.99999, -1e-9, "hi"),
    }
    with open(tmp_path / "predictions.csv", newline="", encoding="utf-8") as file:
        assert next(csv.reader(file)) == ["name", "count", "predicted", "level"]


def test_levels_may_be_missing(tmp_path):
    rows = [{"name": name, "count": 1, "predicted": 2.0} for name in "ab"]
    predictions.write(tmp_path, rows)
    assert predictions.read(tmp_path)["b"] == (1.0, 2.0, "")
