"""ShanghaiTech from small folders in the exact layout, from bad ones, and for real."""

import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from shanghaitech_layout import (
    SIZES,
    annotation,
    heads,
    image,
    write_part,
    write_points,
)

from cpcnn_jax import config, data


@pytest.fixture(autouse=True)
def prepared_here(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    return tmp_path / "prepared"


@pytest.fixture
def root(tmp_path):
    return write_part(tmp_path / "data")


def open_part(root, split="train", part="A"):
    return data.open_dataset(config.ShanghaiTech(part=part, root=str(root)), split)


def refused(root, split="train", part="A"):
    with pytest.raises(ValueError) as error:
        open_part(root, split, part)
    return str(error.value)


@pytest.mark.parametrize("part", ["part_A", "part_A_final"])
@pytest.mark.parametrize("truth", ["ground-truth", "ground_truth"])
def test_both_spellings_of_the_folders(tmp_path, part, truth):
    root = write_part(tmp_path / "data" / "ShanghaiTech", part, truth)
    for folder in (root, root.parent):
        source = open_part(folder, "test")
        assert source.names == ("IMG_1", "IMG_2", "IMG_10")


def test_records_hold_what_the_files_hold(root):
    source = open_part(root)
    assert len(source) == 3
    for record, n in zip(source, (1, 2, 10), strict=True):
        with Image.open(image(root, n)) as file:
            expected = np.asarray(file.convert("RGB"))
        np.testing.assert_array_equal(record["image"], expected)
        np.testing.assert_allclose(record["points"], heads(n), rtol=1e-6)
        assert record["points"].dtype == np.float32
        assert record["image"].dtype == np.uint8
    assert source.shapes == tuple(size[::-1] for size in SIZES.values())
    assert [len(p) for p in source.points] == [3, 6, 30]


def test_greyscale_has_three_equal_channels(root):
    with Image.open(image(root, 1)) as file:
        assert file.mode == "RGB"
    with Image.open(image(root, 2)) as file:
        assert file.mode == "L"
    grey = open_part(root)[1]["image"]
    assert grey.shape == (77, 101, 3)
    assert (grey == grey[..., :1]).all()


def test_the_stored_photograph_is_the_file_unchanged(root):
    source = open_part(root)
    for i, n in enumerate(SIZES):
        stored = source._records[source._order[i]]["image"]
        assert stored == image(root, n).read_bytes()


def test_no_heads_is_a_photograph_too(root):
    write_points(annotation(root, 2), np.zeros((0, 2)))
    assert open_part(root).points[1].shape == (0, 2)


def test_a_second_opening_reads_the_same_copy(root, prepared_here):
    open_part(root)
    before = {p: p.stat().st_mtime_ns for p in prepared_here.rglob("*.array_record*")}
    open_part(root, "test")
    after = {p: p.stat().st_mtime_ns for p in prepared_here.rglob("*.array_record*")}
    assert before == after and len(before) == 2


def test_a_changed_file_is_seen(root):
    assert len(open_part(root).points[0]) == 3
    write_points(annotation(root, 1), [[1, 2]])
    assert len(open_part(root).points[0]) == 1


def test_another_root_has_a_copy_of_its_own(tmp_path, root):
    other = write_part(tmp_path / "other")
    write_points(annotation(other, 10), [[5, 5], [6, 6]])
    assert [len(open_part(r).points[2]) for r in (root, other)] == [30, 2]


@pytest.mark.parametrize("damage", ["truncated", "no info", "never moved"])
def test_a_half_written_copy_is_made_again(root, prepared_here, damage):
    open_part(root)
    (info,) = prepared_here.rglob("dataset_info.json")
    records = next(info.parent.glob("*train*"))
    if damage == "truncated":
        records.write_bytes(records.read_bytes()[:-100])
    elif damage == "no info":
        info.unlink()
    else:
        info.parent.rename(info.parent.parent / "incomplete.ABCDEF_1.0.0")
    assert [len(p) for p in open_part(root).points] == [3, 6, 30]


@pytest.mark.parametrize("missing", ["", "empty"])
def test_a_wrong_folder_says_what_to_do(tmp_path, missing):
    folder = tmp_path / "nothing"
    if missing == "empty":
        folder.mkdir()
    text = refused(folder)
    for part in (
        f"--config.data.root={folder} ",
        "https://github.com/desenzhou/ShanghaiTechDataset",
        "ShanghaiTech/\n    part_A/ (or part_A_final/)\n      train_data/\n",
        "images/IMG_1.jpg",
        "ground-truth/GT_IMG_1.mat ... (or ground_truth/)",
    ):
        assert part in text
    assert ("is not a folder" in text) == (missing == "")


def test_a_part_without_test_photographs_trains(tmp_path):
    root = write_part(tmp_path / "data", "part_B", splits=["train"])
    assert len(open_part(root, "train", "B")) == 3
    text = refused(root, "test", "B")
    assert f"{root / 'part_B'} has no test_data folder" in text
    assert "part_B/ (or part_B_final/)" in text


def test_an_unknown_part_is_refused(root):
    assert "--config.data.part=C" in refused(root, part="C")


def test_no_photographs(root):
    for n in SIZES:
        image(root, n).unlink()
    text = refused(root)
    assert f"{image(root, 1).parent} holds no photographs IMG_1.jpg" in text


@pytest.mark.parametrize("content", [b"", b"not a photograph", "half"])
def test_a_damaged_photograph_is_named(root, content):
    path = image(root, 2)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    assert f"{path} is not a whole JPEG or PNG photograph" in refused(root)


def test_only_jpeg_and_png_are_ever_decoded(root):
    Image.new("RGB", (70, 70)).save(image(root, 2), format="BMP")
    assert f"{image(root, 2)} is not a whole JPEG or PNG photograph" in refused(root)


def test_an_annotation_without_points_is_named(root):
    savemat(annotation(root, 2), {"something": np.zeros((3, 2))})
    text = refused(root)
    assert f"{annotation(root, 2)} holds no head points" in text
    assert "KeyError: 'image_info'" in text


@pytest.mark.parametrize("content", [b"", b"not a MATLAB file" * 20, "half"])
def test_an_unreadable_annotation_is_named(root, content):
    path = annotation(root, 2)
    path.write_bytes(path.read_bytes()[:150] if content == "half" else content)
    assert f"{path} holds no head points" in refused(root)


@pytest.mark.parametrize(
    "points, reason",
    [
        ([[1, 2], [np.nan, 3]], "1 of 2 head points are not finite"),
        ([[np.inf, 2]], "1 of 1 head points are not finite"),
        ([[1, 2, 3], [4, 5, 6]], r"must be [N, 2] as (x, y); got (2, 3)"),
    ],
)
def test_impossible_points_are_named(root, points, reason):
    write_points(annotation(root, 2), points)
    assert refused(root).startswith(f"{annotation(root, 2)}: ")
    assert reason in refused(root)


def test_a_missing_annotation_is_named(root):
    annotation(root, 2).unlink()
    expected = f"{image(root, 2)} has no annotation: {annotation(root, 2)} is missing."
    assert refused(root) == expected


def test_nothing_is_kept_of_a_refused_part(root, prepared_here):
    savemat(annotation(root, 2), {"something": 1})
    refused(root)
    assert not list(prepared_here.rglob("*.array_record*"))


def test_points_outside_are_dropped_with_one_line_a_file(root, caplog):
    write_points(annotation(root, 1), [[89.9, 80.9], [90, 5], [-1, 5], [5, 81]])
    write_points(annotation(root, 2), [[101, 1], [1, 1]])
    with caplog.at_level(logging.WARNING, logger="absl"):
        points = open_part(root).points
    assert [len(p) for p in points] == [1, 1, 30]
    lines = [line for line in caplog.messages if "lie outside" in line]
    assert len(lines) == 2
    assert f"{annotation(root, 1)}: 3 of 4 heads lie outside" in lines[0]
    assert "90x81 pixels" in lines[0]


def test_a_place_that_cannot_be_written_is_named(root, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "file"))
    text = refused(root)
    assert "Cannot write the prepared copy" in text and "Set TFDS_DATA_DIR" in text


def test_no_tensorflow_to_build_or_to_read(root):
    code = (
        "import sys; from cpcnn_jax import config, data\n"
        "assert not {'tensorflow_datasets', 'grain'} & set(sys.modules)\n"
        f"source = data.open_source(config.ShanghaiTech(root={str(root)!r}), 'train')\n"
        "assert source[0]['image'].shape == (81, 90, 3)\n"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))


@pytest.mark.parametrize(
    "part, split, number, total",
    [
        ("A", "train", 300, 162_413),
        ("A", "test", 182, 78_862),
        ("B", "train", 400, 49_151),
    ],
)
def test_totals_of_the_real_photographs(real_data, part, split, number, total, caplog):
    source = open_part(real_data / "ShanghaiTech", split, part)
    assert len(source) == number
    assert sum(len(points) for points in source.points) == total
    assert not caplog.messages
    assert source[0]["image"].shape == (*source.shapes[0], 3)
