"""Six data sets from small folders in their exact layouts; UCF_CC_50 for real, too."""

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
from image_bombs import declared
from PIL import Image, ImageDraw

from cpcnn_jax import config, data
from cpcnn_jax.data.datasets import ucf_cc_50


@pytest.fixture(autouse=True)
def prepared_here(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))


class Layout(NamedTuple):
    """A data set as its test writes it, and one of its training photographs."""

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


def written(name, root):
    LAYOUTS[name].write(root)
    return LAYOUTS[name]


def opened(name, root, split="train", **fields):
    return data.open_dataset(LAYOUTS[name].config(root=str(root), **fields), split)


def refused(name, root, **fields):
    with pytest.raises(ValueError) as error:
        opened(name, root, **fields)
    return str(error.value)


@every_layout
def test_records_hold_what_the_files_hold(name, tmp_path):
    layout = written(name, tmp_path)
    for split in ("train", "test"):
        source = opened(name, tmp_path, split)
        assert source.names == getattr(layout, split)
        assert source.shapes == (SIZE[::-1],) * len(source)
        for stem, points in zip(source.names, source.points, strict=True):
            np.testing.assert_allclose(points, heads(stem), rtol=1e-6)
    with Image.open(tmp_path / layout.image) as file:
        expected = np.asarray(file.convert("RGB"))
    np.testing.assert_array_equal(source[0]["image"], expected)


@every_layout
def test_a_folder_above_does_as_well(name, tmp_path):
    below = os.path.basename(LAYOUTS[name].config().root)
    written(name, tmp_path / below)
    assert opened(name, tmp_path).names == LAYOUTS[name].train


@every_layout
@pytest.mark.parametrize("there", [True, False])
def test_a_wrong_folder_says_what_to_do(name, there, tmp_path):
    folder = tmp_path / "folder"
    if there:
        folder.mkdir()
    text = refused(name, folder)
    state = "holds no" if there else "is not a folder, so it holds no"
    assert text.startswith(f"--config.data.root={folder} {state} {name}. Download it")
    assert "http" in text and "layout:\n  " in text
    assert os.path.basename(LAYOUTS[name].config().root) + "/\n" in text


@every_layout
def test_a_missing_annotation_is_named(name, tmp_path):
    layout = written(name, tmp_path)
    image, annotation = tmp_path / layout.image, tmp_path / layout.annotation
    if name == "Mall":  # one file for all of its frames
        image = tmp_path / "frames" / "seq_000802.jpg"
        write_image(image)
        annotation = f"{annotation} frame 802"
    else:
        annotation.unlink()
    assert refused(name, tmp_path) == (
        f"{image} has no annotation: {annotation} is missing."
    )


@every_layout
def test_a_damaged_photograph_is_named(name, tmp_path):
    path = tmp_path / written(name, tmp_path).image
    path.write_bytes(path.read_bytes()[:400])
    assert f"{path} is not a whole JPEG or PNG photograph" in refused(name, tmp_path)


@every_layout
@pytest.mark.parametrize("content", [b"not a MATLAB file" * 20, "half"])
def test_a_damaged_annotation_is_named(name, content, tmp_path):
    path = tmp_path / written(name, tmp_path).annotation
    half = path.read_bytes()[: 35 if path.suffix == ".txt" else 150]
    path.write_bytes(half if content == "half" else content)
    if path.suffix == ".txt" and content == "half":
        path.write_bytes(half + b"\n12")
    assert f"{path} holds no head points: expected" in refused(name, tmp_path)


@every_layout
def test_another_number_of_photographs_is_said(name, tmp_path, caplog):
    written(name, tmp_path)
    with caplog.at_level(logging.WARNING, logger="absl"):
        source = opened(name, tmp_path)
    count = sum(len(points) for points in source.points)
    (line,) = [m for m in caplog.messages if "may not compare" in m]
    assert line.startswith(name) and f" in {tmp_path} holds " in line
    assert f" holds {len(source)} photographs with {count} heads; expected " in line


def write_bad(layout, root, how):
    """Makes one training photograph bad; returns the sentence's beginning."""
    image, annotation = root / layout.image, root / layout.annotation
    match how:
        case "truncated":
            image.write_bytes(image.read_bytes()[:400])
            return f"{image} is not a whole JPEG or PNG photograph: "
        case "a bomb":
            image.write_bytes(declared(10_000, 10_000))
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


OF_IMAGES = ("truncated", "a bomb", "a link", "checksum")
OF_ANNOTATIONS = ("gone", "another struct", "no numbers")


@pytest.mark.parametrize(
    "name, how",
    [
        *((name, how) for name in LAYOUTS for how in OF_IMAGES),
        *(
            (name, how)
            for name, layout in LAYOUTS.items()
            for how in OF_ANNOTATIONS
            if name != "Mall"  # one file for all of its frames, which no flag can skip
            and (how != "another struct" or layout.annotation.endswith(".mat"))
        ),
    ],
)
def test_a_bad_file_is_refused_or_skipped_and_counted(name, how, tmp_path, caplog):
    layout, root = LAYOUTS[name], tmp_path / "root"
    layout.write(root)
    begins = write_bad(layout, root, how)
    assert refused(name, root).startswith(begins)
    with caplog.at_level(logging.WARNING, logger="absl"):
        source = opened(name, root, on_invalid="skip")
    (sentence,) = source.skipped
    assert sentence.startswith(begins)
    good = [n for n in layout.train if n != os.path.basename(layout.image[:-4])]
    assert [*source.names] == good and len(good) == len(layout.train) - 1
    for stem, points in zip(source.names, source.points, strict=True):
        np.testing.assert_allclose(points, heads(stem), rtol=1e-6)
    total = len(layout.train)
    summary = f"1 of {total} photographs were skipped; the first: {sentence}"
    assert any(summary in line for line in caplog.messages)
    assert opened(name, root, "test", on_invalid="skip").names == layout.test


@pytest.mark.parametrize(
    "name, file",
    [
        ("Mall", "mall_gt.mat"),
        ("NWPU-Crowd", "val.txt"),
        ("WorldExpo'10", "train_label/100156/roi.mat"),
        ("WorldExpo'10", "train_perspective/100156.mat"),
    ],
)
def test_no_link_out_of_the_folder_is_followed(name, file, tmp_path):
    written(name, tmp_path / "root")
    path = tmp_path / "root" / file
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    assert refused(name, tmp_path / "root").startswith(f"{path} is a link that leads")


def test_a_frame_without_its_annotation_is_skipped_as_said(tmp_path):
    written("Mall", tmp_path)
    image = tmp_path / "frames" / "seq_000802.jpg"
    write_image(image)
    source = opened("Mall", tmp_path, "test", on_invalid="skip")
    assert source.names == ("seq_000801",)
    truth = f"{tmp_path}/mall_gt.mat frame 802"
    assert source.skipped == (f"{image} has no annotation: {truth} is missing.",)


def test_what_is_skipped_is_counted_over_all_folds(tmp_path):
    written("UCF_CC_50", tmp_path)
    for number in (3, 12, 13, 50):
        (tmp_path / f"{number}.jpg").write_bytes(b"")
    opened("UCF_CC_50", tmp_path, on_invalid="skip")
    train, test = (
        opened("UCF_CC_50", tmp_path, split, fold=2, on_invalid="skip")
        for split in ("train", "test")
    )
    assert (len(train), len(train.skipped)) == (38, 2)
    assert (len(test), len(test.skipped)) == (8, 2)


def test_no_tensorflow_to_build_or_to_read(tmp_path):
    lines = ["import sys; from cpcnn_jax import config, data"]
    for name, layout in LAYOUTS.items():
        root = str(tmp_path / layout.config.__name__)
        layout.write(tmp_path / layout.config.__name__)
        opening = f"config.{layout.config.__name__}(root={root!r})"
        lines.append(f"data.open_source({opening}, 'train')[0]  # {name}")
    lines.append("assert 'tensorflow' not in sys.modules")
    code = "\n".join(lines)
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))


def test_the_folds_are_the_list_that_is_printed():
    text = "".join(
        f"fold {fold}: {' '.join(map(str, numbers))}\n"
        for fold, numbers in ucf_cc_50.FOLDS.items()
    )
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest.startswith("58ba928eb0fc0f11") and digest in ucf_cc_50.__doc__
    for line in text.splitlines():
        assert f"    {line}\n" in ucf_cc_50.__doc__


def test_every_photograph_is_tested_in_one_fold(tmp_path):
    written("UCF_CC_50", tmp_path)
    tested = []
    for fold in range(1, 6):
        test, train = (
            opened("UCF_CC_50", tmp_path, split, fold=fold).names
            for split in ("test", "train")
        )
        assert len(test) == 10 and len(train) == 40 and not {*test} & {*train}
        tested += test
    assert tested == [str(number) for number in range(1, 51)]


@pytest.mark.parametrize("fold", [0, 6])
def test_another_fold_is_refused(fold, tmp_path):
    expected = f"--config.data.fold={fold}: UCF_CC_50 has folds 1 to 5."
    assert refused("UCF_CC_50", tmp_path, fold=fold) == expected


def test_a_missing_photograph_is_named(tmp_path):
    written("UCF_CC_50", tmp_path)
    (tmp_path / "7.jpg").unlink()
    assert refused("UCF_CC_50", tmp_path) == f"{tmp_path / '7.jpg'} is missing."


def test_totals_of_the_real_ucf_cc_50(real_data, caplog):
    root = real_data / "UCF_CC_50"
    if not root.is_dir():
        pytest.skip(f"no UCF_CC_50 at {root}")
    kept = []
    with caplog.at_level(logging.WARNING, logger="absl"):
        for fold in range(1, 6):
            source = opened("UCF_CC_50", root, "test", fold=fold)
            kept.append((len(source), sum(len(points) for points in source.points)))
    assert [n for n, _ in kept] == [10] * 5
    assert sum(heads for _, heads in kept) == 63_974 - 5
    assert [heads for _, heads in kept] == [*ucf_cc_50.HEADS.values()]
    assert len(caplog.messages) == 4  # of files with heads outside, and none of totals
    found = [line.split(": ")[1].split()[0] for line in caplog.messages]
    assert sum(map(int, found)) == 5


def test_a_split_that_is_not_there_is_refused(tmp_path):
    written("UCF-QNRF", tmp_path)
    with pytest.raises(ValueError, match="splits .'train', 'test'.; got 'val'"):
        opened("UCF-QNRF", tmp_path, "val")


def test_a_split_without_photographs_is_named(tmp_path):
    written("UCF-QNRF", tmp_path)
    for path in (tmp_path / "Test").glob("*.jpg"):
        path.unlink()
    expected = f"{tmp_path / 'Test'} holds no photographs img_0001.jpg, ..."
    assert refused("UCF-QNRF", tmp_path) == expected


def test_jhu_crowd_has_a_validation_split_and_empty_files(tmp_path):
    written("JHU-CROWD++", tmp_path)
    (tmp_path / "val" / "gt" / "0002.txt").write_text("")
    source = opened("JHU-CROWD++", tmp_path, "val")
    assert source.names == ("0002",) and source.points[0].shape == (0, 2)


def test_nwpu_crowd_as_its_zips_unpack(tmp_path):
    write_nwpu_crowd(tmp_path, "images_part1")
    write_mat(tmp_path / "mats" / "0002.mat", annPoints=np.zeros((0, 0)))
    assert opened("NWPU-Crowd", tmp_path).names == ("0001", "0003")
    for split in ("val", "test"):
        source = opened("NWPU-Crowd", tmp_path, split)
        assert source.names == ("0002",) and source.points[0].shape == (0, 2)


@pytest.mark.parametrize("text", [None, "0001 1 2\n \n"])
def test_a_damaged_list_is_named(text, tmp_path):
    written("NWPU-Crowd", tmp_path)
    path = tmp_path / "val.txt"
    path.write_text(text) if text else path.unlink()
    expected = f"{path} is not a list of photographs: expected lines '0001 0 1'"
    assert refused("NWPU-Crowd", tmp_path).startswith(expected)


def test_a_listed_photograph_must_be_there(tmp_path):
    written("NWPU-Crowd", tmp_path)
    (tmp_path / "train.txt").write_text("0009 1 2\n")
    expected = f"{tmp_path / 'images' / '0009.jpg'} is missing."
    assert refused("NWPU-Crowd", tmp_path) == expected


def test_a_frame_knows_its_scene_its_region_and_its_perspective(tmp_path):
    written("WorldExpo'10", tmp_path)
    source = opened("WorldExpo'10", tmp_path, "test")
    assert [record["scene"] for record in source] == [*SCENES]
    record = source[0]
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[5:51, 10:61] = 1
    np.testing.assert_array_equal(record["roi"], mask)
    assert record["roi"].dtype == np.uint8
    assert record["perspective"].shape == SIZE[::-1]
    assert record["perspective"].dtype == np.float32
    rows = np.linspace(5, 40, SIZE[1], dtype=np.float32)
    np.testing.assert_allclose(record["perspective"][:, 7], rows)


def test_heads_outside_the_region_do_not_count(tmp_path):
    written("WorldExpo'10", tmp_path)
    path = tmp_path / LAYOUTS["WorldExpo'10"].annotation
    points = [[10, 5], [60.9, 50.9], [9.9, 5], [61, 20], [70, 60]]
    write_mat(path, point_position=points)
    source = opened("WorldExpo'10", tmp_path)
    kept = source.points[source.names.index(FRAME)]
    np.testing.assert_allclose(kept, points[:2])


def test_a_slanted_region_is_drawn_as_pillow_draws_it(tmp_path):
    written("WorldExpo'10", tmp_path)
    corners = [(3.4, 60.2), (30.5, 2.1), (65.0, 44.4)]
    x, y = np.array(corners).T
    path = tmp_path / "train_label" / "100156" / "roi.mat"
    write_mat(path, maskVerticesXCoordinates=x, maskVerticesYCoordinates=y)
    source = opened("WorldExpo'10", tmp_path)
    expected = Image.new("L", SIZE)
    ImageDraw.Draw(expected).polygon(corners, fill=1)
    roi = source[source.names.index(FRAME)]["roi"]
    np.testing.assert_array_equal(roi, np.asarray(expected))
    assert 0.4 * 62 * 58 < roi.sum() < 0.6 * 62 * 58  # half the box around a triangle


def test_perspective_maps_may_be_missing(tmp_path):
    written("WorldExpo'10", tmp_path)
    (tmp_path / "train_perspective" / "100156.mat").unlink()
    source = opened("WorldExpo'10", tmp_path)
    shapes = {record["name"]: record["perspective"].shape for record in source}
    assert shapes == {FRAME: (0, 0), "104242-C09": SIZE[::-1]}


def test_a_perspective_map_of_another_size_is_named(tmp_path):
    written("WorldExpo'10", tmp_path)
    path = tmp_path / "train_perspective" / "100156.mat"
    write_mat(path, pMap=np.ones(SIZE))
    expected = f"{path} holds a pMap of {SIZE}, not of {SIZE[::-1]}."
    assert refused("WorldExpo'10", tmp_path) == expected


@pytest.mark.parametrize(
    "x, reason", [([1, 2], "is not a polygon"), ([1, np.nan, 3], "is not a polygon")]
)
def test_a_region_that_is_none_is_named(x, reason, tmp_path):
    written("WorldExpo'10", tmp_path)
    path = tmp_path / "train_label" / "100156" / "roi.mat"
    write_mat(path, maskVerticesXCoordinates=x, maskVerticesYCoordinates=x)
    text = refused("WorldExpo'10", tmp_path)
    assert text.startswith(f"{path} holds no region of interest") and reason in text


def test_an_hdf5_map_is_refused(tmp_path):
    written("WorldExpo'10", tmp_path)
    path = tmp_path / "train_perspective" / "100156.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(512))
    text = refused("WorldExpo'10", tmp_path)
    assert text.startswith(f"{path} holds no perspective map: expected a MATLAB file")
    assert "v7.3" in text


def test_a_missing_test_scene_is_named(tmp_path):
    written("WorldExpo'10", tmp_path)
    folder = tmp_path / "test_frame" / "200702"
    next(folder.glob("*.jpg")).unlink()
    assert refused("WorldExpo'10", tmp_path) == f"{folder} holds no frames *.jpg."
