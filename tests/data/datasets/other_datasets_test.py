"""Six data sets from small folders in their layouts, and the real UCF_CC_50."""

import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from dataset_layouts import (
    SCENES,
    SIZE,
    heads,
    write_image,
    write_jhu_crowd,
    write_mall,
    write_mat,
    write_nwpu_crowd,
    write_ucf_cc_50,
    write_ucf_qnrf,
    write_world_expo,
)
from image_bombs import bomb
from PIL import Image, ImageDraw

from cpcnn_jax import config, data
from cpcnn_jax.data.datasets import ucf_cc_50


@pytest.fixture(autouse=True)
def prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))


class Layout(NamedTuple):
    """Writer of a small data set, its content, and one of its training images."""

    write: Callable
    config: type
    train: tuple  # names, in order
    test: tuple
    image: str
    annotation: str


FRAME = "100156_C09-S2010.split.5"
LAYOUTS = {
    "UCF_CC_50": Layout(
        write_ucf_cc_50,
        config.UcfCc50,
        tuple(str(number) for number in range(11, 51)),
        tuple(str(number) for number in range(1, 11)),
        "12.jpg",
        "12_ann.mat",
    ),
    "UCF-QNRF": Layout(
        write_ucf_qnrf,
        config.UcfQnrf,
        ("img_0001", "img_0002", "img_0010"),
        ("img_0001", "img_0002"),
        "Train/img_0002.jpg",
        "Train/img_0002_ann.mat",
    ),
    "JHU-CROWD++": Layout(
        write_jhu_crowd,
        config.JhuCrowd,
        ("0001", "0003"),
        ("0004",),
        "train/images/0003.jpg",
        "train/gt/0003.txt",
    ),
    "NWPU-Crowd": Layout(
        write_nwpu_crowd,
        config.NwpuCrowd,
        ("0001", "0003"),
        ("0002",),
        "images/0003.jpg",
        "mats/0003.mat",
    ),
    "Mall": Layout(
        write_mall,
        config.Mall,
        ("seq_000001", "seq_000800"),
        ("seq_000801",),
        "frames/seq_000800.jpg",
        "mall_gt.mat",
    ),
    "WorldExpo'10": Layout(
        write_world_expo,
        config.WorldExpo,
        ("104242-C09", FRAME),
        tuple(f"{scene}_C09-S2010.split.5" for scene in SCENES),
        f"train_frame/{FRAME}.jpg",
        f"train_label/100156/{FRAME}.mat",
    ),
}
every_layout = pytest.mark.parametrize("name", LAYOUTS)


def write_layout(name, root):
    LAYOUTS[name].write(root)
    return LAYOUTS[name]


def open_layout(name, root, split="train", **fields):
    return data.open_dataset(LAYOUTS[name].config(root=str(root), **fields), split)


def error_of(name, root, **fields):
    with pytest.raises(ValueError) as error:
        open_layout(name, root, **fields)
    return str(error.value)


@every_layout
def test_records_equal_the_files(name, tmp_path):
    layout = write_layout(name, tmp_path)
    for split in ("train", "test"):
        dataset = open_layout(name, tmp_path, split)
        assert dataset.names == getattr(layout, split)
        assert dataset.shapes == (SIZE[::-1],) * len(dataset)
        for stem, points in zip(dataset.names, dataset.points, strict=True):
            np.testing.assert_allclose(points, heads(stem), rtol=1e-6)
    with Image.open(tmp_path / layout.image) as file:
        expected = np.asarray(file.convert("RGB"))
    np.testing.assert_array_equal(dataset[0]["image"], expected)


@every_layout
def test_parent_folder_is_accepted(name, tmp_path):
    below = os.path.basename(LAYOUTS[name].config().root)
    write_layout(name, tmp_path / below)
    assert open_layout(name, tmp_path).names == LAYOUTS[name].train


@every_layout
@pytest.mark.parametrize("exists", [True, False])
def test_wrong_folder_gives_download_advice(name, exists, tmp_path):
    folder = tmp_path / "folder"
    if exists:
        folder.mkdir()
    text = error_of(name, folder)
    state = "holds no" if exists else "is not a folder, so it holds no"
    assert text.startswith(f"--config.data.root={folder} {state} {name}. Download it")
    assert "http" in text and "layout:\n  " in text
    assert os.path.basename(LAYOUTS[name].config().root) + "/\n" in text


@every_layout
def test_missing_annotation_is_named(name, tmp_path):
    layout = write_layout(name, tmp_path)
    image, annotation = tmp_path / layout.image, tmp_path / layout.annotation
    if name == "Mall":  # one file for all of its frames
        image = tmp_path / "frames" / "seq_000802.jpg"
        write_image(image)
        annotation = f"{annotation} frame 802"
    else:
        annotation.unlink()
    assert error_of(name, tmp_path) == (
        f"{image} has no annotation: {annotation} is missing."
    )


@every_layout
def test_damaged_image_is_named(name, tmp_path):
    path = tmp_path / write_layout(name, tmp_path).image
    path.write_bytes(path.read_bytes()[:400])
    assert f"{path} is not a complete JPEG or PNG image" in error_of(name, tmp_path)


@every_layout
@pytest.mark.parametrize("content", [b"not a MATLAB file" * 20, "half"])
def test_damaged_annotation_is_named(name, content, tmp_path):
    path = tmp_path / write_layout(name, tmp_path).annotation
    half = path.read_bytes()[: 35 if path.suffix == ".txt" else 150]
    path.write_bytes(half if content == "half" else content)
    if path.suffix == ".txt" and content == "half":
        path.write_bytes(half + b"\n12")
    assert f"{path} holds no head points: expected" in error_of(name, tmp_path)


@every_layout
def test_different_totals_give_a_warning(name, tmp_path, caplog):
    write_layout(name, tmp_path)
    with caplog.at_level(logging.WARNING, logger="absl"):
        dataset = open_layout(name, tmp_path)
    count = sum(len(points) for points in dataset.points)
    (line,) = [m for m in caplog.messages if "may not compare" in m]
    assert line.startswith(name) and f" in {tmp_path} holds " in line
    assert f" holds {len(dataset)} images with {count} heads; expected " in line


def damage(layout, root, kind):
    """Makes one training image invalid; returns the beginning of its error."""
    image, annotation = root / layout.image, root / layout.annotation
    match kind:
        case "truncated":
            image.write_bytes(image.read_bytes()[:400])
            return f"{image} is not a complete JPEG or PNG image: "
        case "a bomb":
            image.write_bytes(bomb(10_000, 10_000))
            return f"{image} declares more than 89,478,485 pixels and was not decoded."
        case "a link":
            image.rename(root.parent / "outside.jpg")
            image.symlink_to(root.parent / "outside.jpg")
            return f"{image} is a link that leads out of {root} to {root.parent}/outsid"
        case "checksum":
            (root / "SHA256SUMS").write_text(f"{'0' * 64}  {layout.image}\n")
            return f"{image} has another SHA-256 than {root}/SHA256SUMS says."
        case "gone":
            annotation.unlink()
            return f"{image} has no annotation: {annotation} is missing."
        case "another struct":
            write_mat(annotation, other=np.ones((3, 2)))
            return f"{annotation} holds no head points: expected "
        case "no numbers":
            points = np.array([[1, 2], [np.nan, 3]])
            if annotation.suffix == ".txt":
                annotation.write_text("1 2 1 1 1 1\nnan 3 1 1 1 1\n")
            else:
                names = {"annPoints": points, "point_position": points}
                write_mat(annotation, **names)
            return f"{annotation}: 1 of 2 head points are not finite numbers."


IMAGE_DAMAGES = ("truncated", "a bomb", "a link", "checksum")
ANNOTATION_DAMAGES = ("gone", "another struct", "no numbers")


@pytest.mark.parametrize(
    "name, kind",
    [
        *((name, kind) for name in LAYOUTS for kind in IMAGE_DAMAGES),
        *(
            (name, kind)
            for name, layout in LAYOUTS.items()
            for kind in ANNOTATION_DAMAGES
            if name != "Mall"  # one file for all frames, which cannot be skipped
            and (kind != "another struct" or layout.annotation.endswith(".mat"))
        ),
    ],
)
def test_invalid_file_raises_or_is_skipped(name, kind, tmp_path, caplog):
    layout, root = LAYOUTS[name], tmp_path / "root"
    layout.write(root)
    begins = damage(layout, root, kind)
    assert error_of(name, root).startswith(begins)
    with caplog.at_level(logging.WARNING, logger="absl"):
        dataset = open_layout(name, root, on_invalid="skip")
    (sentence,) = dataset.skipped
    assert sentence.startswith(begins)
    valid = [n for n in layout.train if n != os.path.basename(layout.image[:-4])]
    assert [*dataset.names] == valid and len(valid) == len(layout.train) - 1
    for stem, points in zip(dataset.names, dataset.points, strict=True):
        np.testing.assert_allclose(points, heads(stem), rtol=1e-6)
    total = len(layout.train)
    summary = f"1 of {total} images were skipped; the first: {sentence}"
    assert any(summary in line for line in caplog.messages)
    assert open_layout(name, root, "test", on_invalid="skip").names == layout.test


@pytest.mark.parametrize(
    "name, file",
    [
        ("Mall", "mall_gt.mat"),
        ("NWPU-Crowd", "val.txt"),
        ("WorldExpo'10", "train_label/100156/roi.mat"),
        ("WorldExpo'10", "train_perspective/100156.mat"),
    ],
)
def test_link_out_of_the_folder_raises_value_error(name, file, tmp_path):
    write_layout(name, tmp_path / "root")
    path = tmp_path / "root" / file
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    assert error_of(name, tmp_path / "root").startswith(f"{path} is a link that leads")


def test_frame_without_its_annotation_is_skipped(tmp_path):
    write_layout("Mall", tmp_path)
    image = tmp_path / "frames" / "seq_000802.jpg"
    write_image(image)
    dataset = open_layout("Mall", tmp_path, "test", on_invalid="skip")
    assert dataset.names == ("seq_000801",)
    truth = f"{tmp_path}/mall_gt.mat frame 802"
    assert dataset.skipped == (f"{image} has no annotation: {truth} is missing.",)


def test_skipped_images_are_counted_over_all_folds(tmp_path):
    write_layout("UCF_CC_50", tmp_path)
    for number in (3, 12, 13, 50):
        (tmp_path / f"{number}.jpg").write_bytes(b"")
    open_layout("UCF_CC_50", tmp_path, on_invalid="skip")
    train, test = (
        open_layout("UCF_CC_50", tmp_path, split, fold=2, on_invalid="skip")
        for split in ("train", "test")
    )
    assert (len(train), len(train.skipped)) == (38, 2)
    assert (len(test), len(test.skipped)) == (8, 2)


def test_preparing_and_reading_need_no_tensorflow(tmp_path):
    lines = ["import sys; from cpcnn_jax import config, data"]
    for name, layout in LAYOUTS.items():
        root = str(tmp_path / layout.config.__name__)
        layout.write(tmp_path / layout.config.__name__)
        opening = f"config.{layout.config.__name__}(root={root!r})"
        lines.append(f"data.open_dataset({opening}, 'train')[0]  # {name}")
    lines.append("assert 'tensorflow' not in sys.modules")
    code = "\n".join(lines)
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))


def test_folds_equal_the_documented_list():
    text = "".join(
        f"fold {fold}: {' '.join(map(str, numbers))}\n"
        for fold, numbers in ucf_cc_50.FOLDS.items()
    )
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest.startswith("58ba928eb0fc0f11") and digest in ucf_cc_50.__doc__
    for line in text.splitlines():
        assert f"    {line}\n" in ucf_cc_50.__doc__


def test_every_image_is_in_the_test_set_of_one_fold(tmp_path):
    write_layout("UCF_CC_50", tmp_path)
    tested = []
    for fold in range(1, 6):
        test, train = (
            open_layout("UCF_CC_50", tmp_path, split, fold=fold).names
            for split in ("test", "train")
        )
        assert len(test) == 10 and len(train) == 40 and not {*test} & {*train}
        tested += test
    assert tested == [str(number) for number in range(1, 51)]


@pytest.mark.parametrize("fold", [0, 6])
def test_unknown_fold_raises_value_error(fold, tmp_path):
    expected = f"--config.data.fold={fold}: UCF_CC_50 has folds 1 to 5."
    assert error_of("UCF_CC_50", tmp_path, fold=fold) == expected


def test_missing_image_is_named(tmp_path):
    write_layout("UCF_CC_50", tmp_path)
    (tmp_path / "7.jpg").unlink()
    assert error_of("UCF_CC_50", tmp_path) == f"{tmp_path / '7.jpg'} is missing."


def test_totals_of_the_real_ucf_cc_50(real_data, caplog):
    root = real_data / "UCF_CC_50"
    if not root.is_dir():
        pytest.skip(f"no UCF_CC_50 at {root}")
    totals = []
    with caplog.at_level(logging.WARNING, logger="absl"):
        for fold in range(1, 6):
            dataset = open_layout("UCF_CC_50", root, "test", fold=fold)
            totals.append((len(dataset), sum(len(points) for points in dataset.points)))
    assert [n for n, _ in totals] == [10] * 5
    assert sum(heads for _, heads in totals) == 63_974 - 5
    assert [heads for _, heads in totals] == [*ucf_cc_50.HEADS.values()]
    assert len(caplog.messages) == 4  # about heads outside, none about totals
    dropped = [line.split(": ")[1].split()[0] for line in caplog.messages]
    assert sum(map(int, dropped)) == 5


def test_unknown_split_raises_value_error(tmp_path):
    write_layout("UCF-QNRF", tmp_path)
    with pytest.raises(ValueError, match="splits .'train', 'test'.; got 'val'"):
        open_layout("UCF-QNRF", tmp_path, "val")


def test_split_without_images_is_named(tmp_path):
    write_layout("UCF-QNRF", tmp_path)
    for path in (tmp_path / "Test").glob("*.jpg"):
        path.unlink()
    expected = f"{tmp_path / 'Test'} holds no images img_0001.jpg, ..."
    assert error_of("UCF-QNRF", tmp_path) == expected


def test_jhu_crowd_has_a_validation_split_and_empty_files(tmp_path):
    write_layout("JHU-CROWD++", tmp_path)
    (tmp_path / "val" / "gt" / "0002.txt").write_text("")
    dataset = open_layout("JHU-CROWD++", tmp_path, "val")
    assert dataset.names == ("0002",) and dataset.points[0].shape == (0, 2)


def test_nwpu_crowd_is_read_from_unpacked_zips(tmp_path):
    write_nwpu_crowd(tmp_path, "images_part1")
    write_mat(tmp_path / "mats" / "0002.mat", annPoints=np.zeros((0, 0)))
    assert open_layout("NWPU-Crowd", tmp_path).names == ("0001", "0003")
    for split in ("val", "test"):
        dataset = open_layout("NWPU-Crowd", tmp_path, split)
        assert dataset.names == ("0002",) and dataset.points[0].shape == (0, 2)


@pytest.mark.parametrize("text", [None, "0001 1 2\n \n"])
def test_damaged_list_is_named(text, tmp_path):
    write_layout("NWPU-Crowd", tmp_path)
    path = tmp_path / "val.txt"
    path.write_text(text) if text else path.unlink()
    expected = f"{path} is not a list of images: expected lines '0001 0 1'"
    assert error_of("NWPU-Crowd", tmp_path).startswith(expected)


def test_missing_listed_image_is_named(tmp_path):
    write_layout("NWPU-Crowd", tmp_path)
    (tmp_path / "train.txt").write_text("0009 1 2\n")
    expected = f"{tmp_path / 'images' / '0009.jpg'} is missing."
    assert error_of("NWPU-Crowd", tmp_path) == expected


def test_frame_has_scene_region_and_perspective(tmp_path):
    write_layout("WorldExpo'10", tmp_path)
    dataset = open_layout("WorldExpo'10", tmp_path, "test")
    assert [record["scene"] for record in dataset] == [*SCENES]
    record = dataset[0]
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[5:51, 10:61] = 1
    np.testing.assert_array_equal(record["roi"], mask)
    assert record["roi"].dtype == np.uint8
    assert record["perspective"].shape == SIZE[::-1]
    assert record["perspective"].dtype == np.float32
    rows = np.linspace(5, 40, SIZE[1], dtype=np.float32)
    np.testing.assert_allclose(record["perspective"][:, 7], rows)


def test_heads_outside_the_region_do_not_count(tmp_path):
    write_layout("WorldExpo'10", tmp_path)
    path = tmp_path / LAYOUTS["WorldExpo'10"].annotation
    points = [[10, 5], [60.9, 50.9], [9.9, 5], [61, 20], [70, 60]]
    write_mat(path, point_position=points)
    dataset = open_layout("WorldExpo'10", tmp_path)
    counted = dataset.points[dataset.names.index(FRAME)]
    np.testing.assert_allclose(counted, points[:2])


def test_triangular_region_equals_pillow_polygon(tmp_path):
    write_layout("WorldExpo'10", tmp_path)
    corners = [(3.4, 60.2), (30.5, 2.1), (65.0, 44.4)]
    x, y = np.array(corners).T
    path = tmp_path / "train_label" / "100156" / "roi.mat"
    write_mat(path, maskVerticesXCoordinates=x, maskVerticesYCoordinates=y)
    dataset = open_layout("WorldExpo'10", tmp_path)
    expected = Image.new("L", SIZE)
    ImageDraw.Draw(expected).polygon(corners, fill=1)
    roi = dataset[dataset.names.index(FRAME)]["roi"]
    np.testing.assert_array_equal(roi, np.asarray(expected))
    assert 0.4 * 62 * 58 < roi.sum() < 0.6 * 62 * 58  # half the box around a triangle


def test_perspective_maps_may_be_missing(tmp_path):
    write_layout("WorldExpo'10", tmp_path)
    (tmp_path / "train_perspective" / "100156.mat").unlink()
    dataset = open_layout("WorldExpo'10", tmp_path)
    shapes = {record["name"]: record["perspective"].shape for record in dataset}
    assert shapes == {FRAME: (0, 0), "104242-C09": SIZE[::-1]}


def test_perspective_map_of_another_size_is_named(tmp_path):
    write_layout("WorldExpo'10", tmp_path)
    path = tmp_path / "train_perspective" / "100156.mat"
    write_mat(path, pMap=np.ones(SIZE))
    expected = f"{path} holds a pMap of {SIZE}, not of {SIZE[::-1]}."
    assert error_of("WorldExpo'10", tmp_path) == expected


@pytest.mark.parametrize(
    "x, reason", [([1, 2], "is not a polygon"), ([1, np.nan, 3], "is not a polygon")]
)
def test_invalid_region_is_named(x, reason, tmp_path):
    write_layout("WorldExpo'10", tmp_path)
    path = tmp_path / "train_label" / "100156" / "roi.mat"
    write_mat(path, maskVerticesXCoordinates=x, maskVerticesYCoordinates=x)
    text = error_of("WorldExpo'10", tmp_path)
    assert text.startswith(f"{path} holds no region of interest") and reason in text


def test_hdf5_map_raises_value_error(tmp_path):
    write_layout("WorldExpo'10", tmp_path)
    path = tmp_path / "train_perspective" / "100156.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(512))
    text = error_of("WorldExpo'10", tmp_path)
    assert text.startswith(f"{path} holds no perspective map: expected a MATLAB file")
    assert "v7.3" in text


def test_missing_test_scene_is_named(tmp_path):
    write_layout("WorldExpo'10", tmp_path)
    folder = tmp_path / "test_frame" / "200702"
    next(folder.glob("*.jpg")).unlink()
    assert error_of("WorldExpo'10", tmp_path) == f"{folder} holds no frames *.jpg."


def test_two_images_of_one_name_raise_value_error(tmp_path):
    write_layout("NWPU-Crowd", tmp_path)
    (first,) = tmp_path.rglob("0001.jpg")
    second = first.parents[1] / "images_part9" / "0001.jpg"
    write_image(second)
    expected = f"{second} has the name of {first}: remove one."
    assert error_of("NWPU-Crowd", tmp_path) == expected


def test_two_suffixes_of_one_name_raise_value_error(tmp_path):
    write_layout("JHU-CROWD++", tmp_path)
    first = min(tmp_path.rglob("train/images/*.jpg"))
    second = first.with_suffix(".jpeg")
    second.write_bytes(first.read_bytes())
    text = error_of("JHU-CROWD++", tmp_path)
    assert text == f"{first} has the name of {second}: rename one."
