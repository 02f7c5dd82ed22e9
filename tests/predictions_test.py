"""predictions.csv as the csv module of others would write it."""

import pytest

from cpcnn_jax import predictions


def write(folder, text):
    (folder / "predictions.csv").write_text(text, "utf-8")
    return folder


def test_rows_are_read_with_their_other_columns(tmp_path):
    text = 'name,count,predicted,level\r\n"a, ""b""\nc",3,2.5,lo\r\nd,0,1e1,\r\n'
    assert predictions.read(write(tmp_path, text)) == [
        {"name": 'a, "b"\nc', "count": 3.0, "predicted": 2.5, "level": "lo"},
        {"name": "d", "count": 0.0, "predicted": 10.0, "level": ""},
    ]


def test_a_table_may_be_empty(tmp_path):
    assert predictions.read(write(tmp_path, "name,count,predicted\n")) == []


@pytest.mark.parametrize("value", ["", "nan", "inf", "x"])
def test_people_are_finite_numbers(tmp_path, value):
    write(tmp_path, f"name,count,predicted\na,1,1\nb,2,{value}\n")
    with pytest.raises(ValueError, match=r"predictions.csv, line 3: expected two num"):
        predictions.read(tmp_path)


def test_a_folder_in_its_place_is_said(tmp_path):
    (tmp_path / "predictions.csv").mkdir()
    with pytest.raises(ValueError, match="cannot be read"):
        predictions.read(tmp_path)
