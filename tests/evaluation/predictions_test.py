"""predictions.csv in the dialects of other CSV writers."""

import csv

import pytest

from cpcnn_jax.evaluation import predictions


def write(folder, text):
    (folder / "predictions.csv").write_text(text, "utf-8")
    return folder


def test_read_keeps_other_columns(tmp_path):
    text = 'name,count,predicted,level\r\n"a, ""b""\nc",3,2.5,lo\r\nd,0,1e1,\r\n'
    assert predictions.read(write(tmp_path, text)) == [
        {"name": 'a, "b"\nc', "count": 3.0, "predicted": 2.5, "level": "lo"},
        {"name": "d", "count": 0.0, "predicted": 10.0, "level": ""},
    ]


def test_read_returns_written_rows(tmp_path):
    rows = [
        {"name": 'a, "b"', "count": 7, "predicted": 0.1 + 0.2, "level": "ex-lo"},
        {"name": "Ü\n2", "count": 6.99999, "predicted": -1e-9, "level": "hi"},
    ]
    predictions.write(tmp_path, rows)
    assert predictions.read(tmp_path) == rows
    with open(tmp_path / "predictions.csv", newline="", encoding="utf-8") as file:
        assert next(csv.reader(file)) == ["name", "count", "predicted", "level"]


def test_table_may_be_empty(tmp_path):
    assert predictions.read(write(tmp_path, "name,count,predicted\n")) == []


@pytest.mark.parametrize("value", ["", "nan", "inf", "x"])
def test_counts_that_are_not_finite_raise_value_error(tmp_path, value):
    write(tmp_path, f"name,count,predicted\na,1,1\nb,2,{value}\n")
    with pytest.raises(ValueError, match=r"predictions.csv, line 3: expected two num"):
        predictions.read(tmp_path)


def test_folder_in_place_of_the_file_raises_value_error(tmp_path):
    (tmp_path / "predictions.csv").mkdir()
    with pytest.raises(ValueError, match="cannot be read"):
        predictions.read(tmp_path)


def test_name_that_is_not_utf_8_is_kept(tmp_path):
    rows = [{"name": "caf\udce9", "count": 7, "predicted": 1.5}]
    predictions.write(tmp_path, rows)
    assert b"caf\xe9,7" in (tmp_path / "predictions.csv").read_bytes()
    assert predictions.read(tmp_path) == rows
