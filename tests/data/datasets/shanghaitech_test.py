"""ShanghaiTech from small folders in its layout, and from the real files."""

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
def prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    return tmp_path / "prepared"


@pytest.fixture
def root(tmp_path):
    return write_part(tmp_path / "data")


def open_part(root, split="train", part="A"):
    return data.open_dataset(config.ShanghaiTech(part=part, root=str(root)), split)


def error_of(root, split="train", part="A"):
    with pytest.raises(ValueError) as error:
        open_part(root, split, part)
    return str(error.value)


@pytest.mark.parametrize("part", ["part_A", "part_A_final"])
@pytest.mark.parametrize("truth", ["ground-truth", "ground_truth"])
def test_both_spellings_of_the_folders_are_found(tmp_path, part, truth):
    root = write_part(tmp_path / "data" / "ShanghaiTech", part, truth)
    for folder in (root, root.parent):
        dataset = open_part(folder, "test")
        assert dataset.names == ("IMG_1", "IMG_2", "IMG_10")


def test_records_equal_the_files(root):
    dataset = open_part(root)
    assert len(dataset) == 3
    for record, n in zip(dataset, (1, 2, 10), strict=True):
        with Image.open(image(root, n)) as file:
            expected = np.asarray(file.convert("RGB"))
        np.testing.assert_array_equal(record["image"], expected)
        np.testing.assert_allclose(record["points"], heads(n), rtol=1e-6)
        assert record["points"].dtype == np.float32
        assert record["image"].dtype == np.uint8
    assert dataset.shapes == tuple(size[::-1] for size in SIZES.values())
    assert [len(p) for p in dataset.points] == [3, 6, 30]


def test_grayscale_image_has_three_equal_channels(root):
    with Image.open(image(root, 1)) as file:
        assert file.mode == "RGB"
    with Image.open(image(root, 2)) as file:
        assert file.mode == "L"
    gray = open_part(root)[1]["image"]
    assert gray.shape == (77, 101, 3)
    assert (gray == gray[..., :1]).all()


def test_stored_image_is_the_unchanged_file(root):
    dataset = open_part(root)
    for i, n in enumerate(SIZES):
        stored = dataset._records[dataset._order[i]]["image"]
        assert stored == image(root, n).read_bytes()


def test_image_without_heads_is_valid(root):
    write_points(annotation(root, 2), np.zeros((0, 2)))
    assert open_part(root).points[1].shape == (0, 2)


def test_second_opening_reads_the_same_copy(root, prepared):
    open_part(root)
    times = {p: p.stat().st_mtime_ns for p in prepared.rglob("*.array_record*")}
    open_part(root, "test")
    assert len(times) == 2
    assert times == {p: p.stat().st_mtime_ns for p in prepared.rglob("*.array_record*")}


def test_changed_file_makes_a_new_copy(root):
    assert len(open_part(root).points[0]) == 3
    write_points(annotation(root, 1), [[1, 2]])
    assert len(open_part(root).points[0]) == 1


def test_each_root_has_its_own_copy(tmp_path, root):
    other = write_part(tmp_path / "other")
    write_points(annotation(other, 10), [[5, 5], [6, 6]])
    assert [len(open_part(r).points[2]) for r in (root, other)] == [30, 2]


@pytest.mark.parametrize("damage", ["truncated", "no info", "never moved"])
def test_damaged_copy_is_prepared_again(root, prepared, damage):
    open_part(root)
    (info,) = prepared.rglob("dataset_info.json")
    records = next(info.parent.glob("*train*"))
    if damage == "truncated":
        records.write_bytes(records.read_bytes()[:-100])
    elif damage == "no info":
        info.unlink()
    else:
        info.parent.rename(info.parent.parent / "incomplete.ABCDEF_1.0.0")
    assert [len(p) for p in open_part(root).points] == [3, 6, 30]


@pytest.mark.parametrize("missing", ["", "empty"])
def test_wrong_folder_gives_download_advice(tmp_path, missing):
    folder = tmp_path / "nothing"
    if missing == "empty":
        folder.mkdir()
    text = error_of(folder)
    for part in (
        f"--config.data.root={folder} ",
        "https://github.com/desenzhou/ShanghaiTechDataset",
        "ShanghaiTech/\n    part_A/ (or part_A_final/)\n      train_data/\n",
        "images/IMG_1.jpg",
        "ground-truth/GT_IMG_1.mat ... (or ground_truth/)",
    ):
        assert part in text
    assert ("is not a folder" in text) == (missing == "")


def test_part_without_test_images_opens_for_training(tmp_path):
    root = write_part(tmp_path / "data", "part_B", splits=["train"])
    assert len(open_part(root, "train", "B")) == 3
    text = error_of(root, "test", "B")
    assert f"{root / 'part_B'} has no test_data folder" in text
    assert "part_B/ (or part_B_final/)" in text


def test_unknown_part_raises_value_error(root):
    assert "--config.data.part=C" in error_of(root, part="C")


def test_folder_without_images_raises_value_error(root):
    for n in SIZES:
        image(root, n).unlink()
    text = error_of(root)
    assert f"{image(root, 1).parent} holds no images IMG_1.jpg" in text


@pytest.mark.parametrize("content", [b"", b"not an image", "half"])
def test_damaged_image_is_named(root, content):
    path = image(root, 2)
    original = path.read_bytes()
    half = original[: len(original) // 2]
    path.write_bytes(half if content == "half" else content)
    assert f"{path} is not a complete JPEG or PNG image" in error_of(root)


def test_only_jpeg_and_png_are_decoded(root):
    Image.new("RGB", (70, 70)).save(image(root, 2), format="BMP")
    assert f"{image(root, 2)} is not a complete JPEG or PNG image" in error_of(root)


def test_annotation_without_points_is_named(root):
    savemat(annotation(root, 2), {"something": np.zeros((3, 2))})
    text = error_of(root)
    assert f"{annotation(root, 2)} holds no head points" in text
    assert "KeyError: 'image_info'" in text


@pytest.mark.parametrize("content", [b"", b"not a MATLAB file" * 20, "half"])
def test_unreadable_annotation_is_named(root, content):
    path = annotation(root, 2)
    path.write_bytes(path.read_bytes()[:150] if content == "half" else content)
    assert f"{path} holds no head points" in error_of(root)


@pytest.mark.parametrize(
    "points, reason",
    [
        ([[1, 2], [np.nan, 3]], "1 of 2 head points are not finite"),
        ([[np.inf, 2]], "1 of 1 head points are not finite"),
        ([[1, 2, 3], [4, 5, 6]], r"must be [N, 2] as (x, y); got (2, 3)"),
    ],
)
def test_invalid_points_are_named(root, points, reason):
    write_points(annotation(root, 2), points)
    assert error_of(root).startswith(f"{annotation(root, 2)}: ")
    assert reason in error_of(root)


def test_missing_annotation_is_named(root):
    annotation(root, 2).unlink()
    expected = f"{image(root, 2)} has no annotation: {annotation(root, 2)} is missing."
    assert error_of(root) == expected


def test_invalid_part_leaves_no_copy(root, prepared):
    savemat(annotation(root, 2), {"something": 1})
    error_of(root)
    assert not list(prepared.rglob("*.array_record*"))


def test_points_outside_are_dropped_with_one_warning_per_file(root, caplog):
    write_points(annotation(root, 1), [[89.9, 80.9], [90, 5], [-1, 5], [5, 81]])
    write_points(annotation(root, 2), [[101, 1], [1, 1]])
    with caplog.at_level(logging.WARNING, logger="absl"):
        points = open_part(root).points
    assert [len(p) for p in points] == [1, 1, 30]
    lines = [line for line in caplog.messages if "lie outside" in line]
    assert len(lines) == 2
    assert f"{annotation(root, 1)}: 3 of 4 heads lie outside" in lines[0]
    assert "90x81 pixels" in lines[0]


def test_read_only_cache_folder_is_named(root, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "file"))
    text = error_of(root)
    assert "Cannot write the prepared copy" in text and "Set TFDS_DATA_DIR" in text


def test_preparing_and_reading_need_no_tensorflow(root):
    code = (
        "import sys; from cpcnn_jax import config, data\n"
        "assert not {'tensorflow_datasets'} & set(sys.modules)\n"
        f"settings = config.ShanghaiTech(root={str(root)!r})\n"
        "dataset = data.open_dataset(settings, 'train')\n"
        "assert dataset[0]['image'].shape == (81, 90, 3)\n"
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
def test_totals_of_the_real_images(real_data, part, split, number, total, caplog):
    dataset = open_part(real_data / "ShanghaiTech", split, part)
    assert len(dataset) == number
    assert sum(len(points) for points in dataset.points) == total
    assert not caplog.messages
    assert dataset[0]["image"].shape == (*dataset.shapes[0], 3)
