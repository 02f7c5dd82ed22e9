"""The user's own images: layout, pairing with annotations, and invalid files."""

import errno
import json
import logging
import os

import numpy as np
import pytest
from PIL import ExifTags, Image

from cpcnn_jax import config, data
from cpcnn_jax.data.datasets import folder_index

SIZE = (90, 70)  # (width, height) of every image


@pytest.fixture(autouse=True)
def prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))


def write_image(path, seed=0, orientation=None, size=SIZE):
    """Writes random pixels that depend on the path and the seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, *path.as_posix().encode()])
    image = Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8))
    exif = Image.Exif()
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    image.save(path, exif=exif)
    return path


def write_csv(path, *points):
    path.write_text("\n".join(["x,y", *(f"{x},{y}" for x, y in points)]))


@pytest.fixture
def root(tmp_path):
    """Two training images and one test image, each with its own CSV."""
    root = tmp_path / "images"
    for n, name in enumerate(("train/IMG_1", "train/IMG_2", "test/IMG_3"), 1):
        write_image(root / f"{name}.jpg")
        write_csv(root / f"{name}.csv", *[(n, 10 * n)] * n)
    return root


def open_folder(root, split="train", on_invalid="raise"):
    return data.open_dataset(
        config.Folder(root=str(root), on_invalid=on_invalid), split
    )


def error_of(root, split="train", on_invalid="raise"):
    with pytest.raises(ValueError) as error:
        open_folder(root, split, on_invalid)
    return str(error.value)


def test_records_equal_the_files(root):
    write_image(root / "train" / "IMG_10.png")
    write_csv(root / "train" / "IMG_10.csv")
    dataset = open_folder(root)
    assert dataset.names == ("IMG_1", "IMG_2", "IMG_10") and dataset.skipped == ()
    assert [p.tolist() for p in dataset.points] == [[[1, 10]], [[2, 20], [2, 20]], []]
    for record in dataset:
        suffix = "png" if record["name"] == "IMG_10" else "jpg"
        with Image.open(root / "train" / f"{record['name']}.{suffix}") as file:
            np.testing.assert_array_equal(record["image"], np.asarray(file))
        assert record["points"].dtype == np.float32
    assert open_folder(root, "test").names == ("IMG_3",)


def labelme(image, point):
    shape = {"shape_type": "point", "label": "head", "points": [point]}
    width, height = SIZE
    text = {"shapes": [shape], "imagePath": image, "flags": {}, "version": "5.5.0"}
    return json.dumps(text | {"imageWidth": width, "imageHeight": height})


def test_every_format_and_place_of_annotations_is_read(root):
    for path in root.rglob("*.csv"):
        path.unlink()
    train = root / "train"
    (train / "IMG_1.json").write_text(labelme("IMG_1.jpg", [5, 6]))
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[7, 8] = 255
    Image.fromarray(mask).save(train / "IMG_2_dots.png")
    for name in ("images/a/IMG_4.JPG", "images/IMG_5.jpeg", "images/IMG_6.jpg"):
        write_image(train / name)
    (train / "labels").mkdir()
    via = {"filename": "IMG_4.JPG", "regions": []}
    (train / "labels" / "via.json").write_text(json.dumps({"x": via}))
    (train / "cvat.xml").write_text(
        '<annotations><image name="IMG_5.jpeg" width="90" height="70">'
        '<points points="1,2;3,4"/></image></annotations>'
    )
    (root / "heads.csv").write_text("image,x,y\ntrain/IMG_6.jpg,9,9\nIMG_3.jpg,4,4\n")
    expected = {
        "IMG_1": [[5, 6]],
        "IMG_2": [[8, 7]],
        "IMG_4": [],
        "IMG_5": [[1, 2], [3, 4]],
        "IMG_6": [[9, 9]],
    }
    dataset = open_folder(root)
    points = {n: p.tolist() for n, p in zip(dataset.names, dataset.points, strict=True)}
    assert points == expected
    assert open_folder(root, "test").points[0].tolist() == [[4, 4]]


def test_hidden_files_are_ignored(root):
    (root / "train" / "._IMG_1.jpg").write_bytes(b"written by macOS")
    (root / "train" / ".cache").mkdir()
    (root / "train" / ".cache" / "IMG_1.jpg").write_bytes(b"thumbnail")
    assert open_folder(root).names == ("IMG_1", "IMG_2")


@pytest.mark.parametrize("split", ["train", "test"])
def test_missing_split_raises_value_error(root, split):
    (root / split).rename(root / "other")
    text = error_of(root, split)
    expected = f"--config.data.root={root} has no folder {split}: put your images"
    assert text.startswith(expected) and "ROOT/\n    train/IMG_1.jpg" in text


def test_split_without_images_is_named(root):
    (root / "test" / "IMG_3.jpg").unlink()
    expected = "Your own images: no image of test can be used: it holds none."
    assert error_of(root) == expected


def damage(root, kind):
    """Makes train/IMG_1 invalid; returns the beginning of its error."""
    train = root / "train"
    image, heads = train / "IMG_1.jpg", train / "IMG_1.csv"
    match kind:
        case "no annotation":
            heads.unlink()
            return f"{image} has no annotation: {heads} (or .json, or a file that names"
        case "damaged annotation":
            heads.write_text("x,y\n1,b")
            return f"{heads}: line 2: x='1', y='b' are not two numbers."
        case "unknown annotation":
            heads.unlink()
            (train / "IMG_1.json").write_text('{"heads": []}')
            return f"{train}/IMG_1.json: this JSON is of no supported tool; supported"
        case "two annotations":
            (train / "IMG_1.json").write_text(labelme("IMG_1.jpg", [5, 6]))
            return f"{image} has two annotations, in {heads} and {train}/IMG_1.json."
        case "no numbers":
            write_csv(heads, (1, 2), ("nan", 3))
            return f"{heads}: 1 of 2 head points are not finite numbers."
        case "fractions":
            write_csv(heads, (0.5, 0.25), (0.75, 1))
            return f"{heads}: all head points are from 0 to 1. They must be pixels, not"
        case "another size":
            heads.unlink()
            (train / "IMG_1.json").write_text(labelme("IMG_1.jpg", [5, 6]))
            write_image(image, size=(70, 71))
            return f"{image}: the annotation is of an image of 90x70 pixels, not of"
        case "another mask":
            heads.unlink()
            Image.new("1", (45, 35)).save(train / "IMG_1_dots.png")
            return f"{image}: the annotation is of an image of 45x35 pixels, not of"
        case "turned":
            write_image(image, orientation=6)
            write_csv(heads, (60, 80))
            return f"{image}: the head points are on the upright image of EXIF orient"
        case "turned by its annotation":
            write_image(image, orientation=8, size=SIZE[::-1])
            heads.unlink()
            (train / "IMG_1.json").write_text(labelme("IMG_1.jpg", [5, 6]))
            return f"{image}: the head points are on the upright image of EXIF orient"
        case "a test image":
            image.write_bytes((root / "test" / "IMG_3.jpg").read_bytes())
            return f"{image} is {root}/test/IMG_3.jpg, a test image."
        case "16 bits":
            image.unlink()
            Image.new("I;16", SIZE).save(train / "IMG_1.png")
            return f"{train}/IMG_1.png has more than 8 bits a channel: save it with 8."


INVALID = (
    *("no annotation", "damaged annotation", "unknown annotation", "two annotations"),
    *("no numbers", "fractions", "another size", "another mask", "turned"),
    *("turned by its annotation", "a test image", "16 bits"),
)


@pytest.mark.parametrize("kind", INVALID)
def test_invalid_image_raises_or_is_skipped(root, kind, caplog):
    begins = damage(root, kind)
    for split in ("train", "test"):
        assert error_of(root, split).startswith(begins)
    with caplog.at_level(logging.WARNING, logger="absl"):
        dataset = open_folder(root, on_invalid="skip")
    assert dataset.names == ("IMG_2",) and dataset.points[0].tolist() == [[2, 20]] * 2
    (sentence,) = dataset.skipped
    assert sentence.startswith(begins)
    summary = f"{root}, train: 1 of 2 images were skipped; the first: {sentence}"
    assert caplog.messages == [f"Skipped: {sentence}", summary]
    assert open_folder(root, "test", on_invalid="skip").skipped == ()


def test_copy_with_skipped_images_is_not_used_without_skip(root):
    begins = damage(root, "damaged annotation")
    for _ in range(2):
        assert len(open_folder(root, on_invalid="skip").skipped) == 1
        assert error_of(root).startswith(begins)
    write_csv(root / "train" / "IMG_1.csv", (3, 3))
    assert open_folder(root).points[0].tolist() == [[3, 3]]


def test_split_with_all_images_skipped_raises_value_error(root):
    (root / "test" / "IMG_3.csv").unlink()
    text = error_of(root, on_invalid="skip")
    assert text.startswith("Your own images: no image of test can be used: ")
    assert f"{root}/test/IMG_3.jpg has no annotation" in text


def test_two_images_of_one_name_have_their_own_heads(root):
    second = write_image(root / "train" / "more" / "IMG_1.png")
    assert error_of(root).startswith(f"{second} has no annotation: ")
    write_csv(second.with_suffix(".csv"), (7, 8))
    dataset = open_folder(root)
    points = {n: p.tolist() for n, p in zip(dataset.names, dataset.points, strict=True)}
    assert points["IMG_1.jpg"] == [[1, 10]]
    assert points["more/IMG_1"] == [[7, 8]]


def test_annotation_of_an_image_in_both_splits_is_ambiguous(root):
    write_image(root / "test" / "IMG_1.jpg")
    (root / "train" / "IMG_1.csv").unlink()
    (root / "heads.csv").write_text("image,x,y\nIMG_1.jpg,1,2\n")
    expected = (
        f"{root}/heads.csv annotates IMG_1.jpg, which may be {root}/test/IMG_1.jpg or "
        f"{root}/train/IMG_1.jpg: write its folder and suffix, or rename one."
    )
    assert error_of(root) == expected


@pytest.mark.parametrize("place", ["", "train"])
def test_damaged_file_for_many_images_raises_even_with_skip(root, place):
    path = root / place / "all.json"
    path.write_text("{")
    for on_invalid in config.ON_INVALID:
        text = error_of(root, on_invalid=on_invalid)
        assert text.startswith(f"{path}: it is not valid JSON")


def test_linked_folder_outside_raises_value_error(root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (root / "train" / "more").symlink_to(tmp_path / "elsewhere")
    expected = f"{root}/train/more is a link that leads out of {root} to {tmp_path}"
    assert error_of(root).startswith(expected)
    (root / "train" / "more").unlink()
    (root / "train" / "again").symlink_to(root / "train")
    assert open_folder(root).names == ("IMG_1", "IMG_2")


def test_error_names_the_image_in_a_file_for_many(root):
    (root / "train" / "IMG_1.csv").unlink()
    path = root / "train" / "heads.csv"
    path.write_text("image,x,y\nIMG_1.jpg,1,nan\n")
    expected = f"{path}, IMG_1.jpg: 1 of 1 head points are not finite numbers."
    assert error_of(root) == expected


def test_heads_on_the_stored_pixels_are_unchanged(root):
    image = write_image(root / "train" / "IMG_1.jpg", orientation=6)
    write_csv(root / "train" / "IMG_1.csv", (80, 60))
    record = open_folder(root)[0]
    with Image.open(image) as file:
        np.testing.assert_array_equal(record["image"], np.asarray(file))
    assert record["points"].tolist() == [[80, 60]]


def test_index_of_a_folder_without_splits(root):
    index = folder_index.index_folder(root / "train")
    assert [item.image.name for item in index.splits[""]] == ["IMG_1.jpg", "IMG_2.jpg"]
    (root / "train" / "IMG_2.jpg").unlink()
    assert folder_index.index_folder(root).strays == [
        (root / "train" / "IMG_2.csv", "IMG_2")
    ]


def heads_by_name(root):
    dataset = open_folder(root)
    points = zip(dataset.names, dataset.points, strict=True)
    return {name: heads.tolist() for name, heads in points}


@pytest.fixture
def cameras(tmp_path):
    """cam1/0001.jpg and cam2/0001.jpg in train, without annotations."""
    root = tmp_path / "cameras"
    write_csv(write_image(root / "test" / "a.jpg").with_suffix(".csv"))
    for camera in ("cam1", "cam2"):
        write_image(root / "train" / camera / "0001.jpg")
    return root


COCO = json.dumps(
    {
        "images": [
            {"id": n, "file_name": f"cam{n}/0001.jpg", "width": 90, "height": 70}
            for n in (1, 2)
        ],
        "annotations": [{"id": n, "image_id": n, "bbox": [n, n, 0, 0]} for n in (1, 2)],
    }
)
NAMESAKES = {
    "tables beside": {"cam1/0001.csv": "x,y\n1,1", "cam2/0001.csv": "x,y\n2,2"},
    "tables elsewhere": {"l/cam1/0001.csv": "x,y\n1,1", "l/cam2/0001.csv": "x,y\n2,2"},
    "a table in each": {
        f"cam{n}/heads.csv": f"image,x,y\n0001.jpg,{n},{n}" for n in (1, 2)
    },
    "one table": {"all.csv": "image,x,y\ncam1/0001,1,1\nD:\\x\\cam2\\0001.tif,2,2"},
    "LabelMe": {
        f"cam{n}/0001.json": labelme(f"..\\cam{n}\\0001.jpg", [n, n]) for n in (1, 2)
    },
    "COCO": {"heads.json": COCO},
    "CVAT": {
        "heads.xml": "".join(
            f'<image name="cam{n}/0001.jpg" width="90" height="70">'
            f'<points points="{n},{n}"/></image>'
            for n in (1, 2)
        ).join(["<annotations>", "</annotations>"])
    },
}


@pytest.mark.parametrize("what", NAMESAKES)
def test_images_of_one_name_in_two_folders(cameras, what):
    for name, text in NAMESAKES[what].items():
        path = cameras / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    expected = {"cam1/0001": [[1, 1]], "cam2/0001": [[2, 2]]}
    assert heads_by_name(cameras) == expected


def label_studio(address, x):
    shape = {"original_width": 90, "original_height": 70, "type": "keypointlabels"}
    shape["value"] = {"x": 100 * x / 90, "y": 100 * x / 70}
    return {"data": {"image": address}, "annotations": [{"result": [shape]}]}


def test_uploads_to_label_studio_are_matched(root):
    for path in root.rglob("*.csv"):
        path.unlink()
    write_image(root / "train" / "5e6f7a8b-IMG_4.jpg")
    tasks = [
        label_studio("/data/upload/1/abcd1234-IMG_1.jpg", 9),
        label_studio("abcd1235-IMG_2.jpg", 18),
        label_studio("/data/upload/1/abcd1236-IMG_3.jpg", 27),
        label_studio("/data/upload/1/5e6f7a8b-IMG_4.jpg", 36),
    ]
    (root / "heads.json").write_text(json.dumps(tasks))
    expected = {"IMG_1": [[9, 9]], "IMG_2": [[18, 18]], "5e6f7a8b-IMG_4": [[36, 36]]}
    assert heads_by_name(root) == expected
    (root / "heads.json").write_text(
        json.dumps([*tasks, label_studio("/data/upload/2/00000000-IMG_1.jpg", 45)])
    )
    assert error_of(root).startswith(
        f"{root}/train/IMG_1.jpg has two annotations, in {root}/heads.json (abcd1234-"
    )


def test_name_of_two_images_is_refused_naming_both(cameras):
    path = cameras / "train" / "all.csv"
    path.write_text("image,x,y\n0001.jpg,1,2\n")
    expected = f"{path} annotates 0001.jpg, which may be {cameras}/train/cam1/0001.jpg"
    text = error_of(cameras)
    assert text.startswith(expected) and f"or {cameras}/train/cam2/0001.jpg: " in text


def test_table_beside_other_images_is_of_none_of_another_folder(cameras):
    train = cameras / "train"
    (train / "cam1" / "0001.jpg").rename(train / "cam1" / "0002.jpg")
    write_csv(train / "cam1" / "0001.csv", (1, 1))
    write_csv(train / "cam1" / "0002.csv", (2, 2))
    assert error_of(cameras).startswith(f"{train}/cam2/0001.jpg has no annotation: ")
    assert folder_index.index_folder(cameras).strays == [
        (train / "cam1" / "0001.csv", "0001")
    ]


def test_entry_of_a_missing_image_is_not_taken_for_a_namesake(cameras):
    (cameras / "train" / "cam1" / "0001.jpg").unlink()
    (cameras / "heads.json").write_text(COCO.replace("cam", "train/cam"))
    assert heads_by_name(cameras) == {"0001": [[2, 2]]}
    index = folder_index.index_folder(cameras)
    assert index.strays == [(cameras / "heads.json", "train/cam1/0001.jpg")]


def test_splits_in_upper_case(root):
    (root / "train").rename(root / "Train")
    (root / "test").rename(root / "TEST")
    assert open_folder(root).names == ("IMG_1", "IMG_2")
    (root / "train").mkdir()
    expected = f"{root}/Train and {root}/train are both train: rename one."
    assert error_of(root) == expected


def test_unused_images_and_folders_are_named(root, caplog):
    write_image(root / "valid" / "IMG_4.jpg")
    write_image(root / "IMG_5.jpg")
    write_image(root / "train" / "IMG_6.tif")
    write_image(root / "train" / "IMG_2.webp")
    for name in ("more/heads.csv", "train/a.MOV", "test/b.mp4", "train/.c.jpg"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("image,x,y\n")
    (root / "train" / "again").symlink_to(root / "train")
    (root / "notes").mkdir()
    read = "is not used: images are read from test and train only"
    expected = [
        f"{root}/train/IMG_2.webp is not used: convert it to .jpg or .png",
        f"{root}/train/IMG_6.tif is not used: convert it to .jpg or .png",
        f"{root}/IMG_5.jpg {read}",
        f"{root}/more {read}",
        f"{root}/valid {read}, and the validation images are a part of train",
    ]
    index = folder_index.index_folder(root)
    assert [text for _, text in index.unused] == expected
    beside = "outside of test and train"
    assert index.left_out == {
        **{".webp": 1, ".tif": 1, ".mov": 1, ".mp4": 1, "hidden file": 1},
        **{f".jpg {beside}": 2, f".csv {beside}": 1, "folder listed already": 1},
    }
    summary = f"{root}: left out: 2 .jpg {beside}, 1 "
    for _ in range(2):  # the second time from the prepared copy
        with caplog.at_level(logging.WARNING, logger="absl"):
            caplog.clear()
            assert open_folder(root).names == ("IMG_1", "IMG_2")
        *folders, last = caplog.messages
        assert folders == [f"{sentence}." for sentence in expected[3:]]
        assert last.startswith(summary) and "1 .mov" in last and "1 .webp" in last


def test_linked_folder_inside_is_used(root):
    write_csv(write_image(root / "more" / "IMG_4.jpg").with_suffix(".csv"), (7, 8))
    (root / "train" / "linked").symlink_to(root / "more")
    assert heads_by_name(root)["IMG_4"] == [[7, 8]]
    assert not folder_index.index_folder(root).unused
    write_csv(root / "more" / "IMG_4.csv", (8, 9))
    assert heads_by_name(root)["IMG_4"] == [[8, 9]]


def test_heads_of_an_unused_image_are_not_given_to_a_namesake(root):
    write_image(root / "valid" / "IMG_1.jpg")
    (root / "train" / "IMG_1.csv").unlink()
    (root / "heads.csv").write_text("image,x,y\nvalid/IMG_1.jpg,1,2\n")
    assert error_of(root).startswith(f"{root}/train/IMG_1.jpg has no annotation: ")


def test_name_that_is_not_utf_8_is_read_and_skipped(root, caplog):
    caplog.set_level(logging.ERROR, "absl")  # xdist cannot transfer the warning
    odd = os.fsdecode(b"caf\xe9")
    (root / "train" / "IMG_1.jpg").rename(root / "train" / f"{odd}.jpg")
    (root / "train" / "IMG_1.csv").rename(root / "train" / f"{odd}.csv")
    assert heads_by_name(root) == {"caf%E9": [[1, 10]], "IMG_2": [[2, 20]] * 2}
    (root / "train" / f"{odd}.csv").unlink()
    (sentence,) = open_folder(root, on_invalid="skip").skipped
    assert sentence.startswith(f"{root}/train/{odd}.jpg has no annotation")


def test_renamed_file_of_labelme_belongs_to_the_image_of_its_name(root):
    train = root / "train"
    (train / "IMG_1.csv").unlink()
    (train / "IMG_1.json").write_text(labelme("DSC_0001.jpg", [5, 6]))
    assert heads_by_name(root)["IMG_1"] == [[5, 6]]
    write_image(train / "DSC_0001.jpg")  # now the file may mean two images
    expected = f"{train}/IMG_1.json annotates DSC_0001.jpg, which may be {train}/DSC_00"
    text = error_of(root)
    assert text.startswith(expected) and f"or {train}/IMG_1.jpg: " in text


@pytest.mark.parametrize("name", ["../test/IMG_1.jpg", "C:\\data\\test\\IMG_1.jpg"])
def test_path_to_a_test_image_is_not_taken_for_a_namesake(root, name):
    write_csv(write_image(root / "test" / "IMG_1.jpg").with_suffix(".csv"), (1, 1))
    (root / "train" / "IMG_1.csv").unlink()
    (root / "train" / "heads.csv").write_text(f"image,x,y\n{name},1,2\n")
    assert error_of(root).startswith(f"{root}/train/IMG_1.jpg has no annotation: ")
    name = name.replace("\\", "/")
    assert folder_index.index_folder(root).strays == [
        (root / "train" / "heads.csv", name)
    ]


def test_unreadable_folder_raises_or_is_skipped(root, monkeypatch):
    place = root / "train" / "closed"
    place.mkdir()
    scandir = os.scandir

    def scan(path):
        if path in (place, str(place)):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    expected = f"{place} is a folder that cannot be read."
    assert error_of(root) == expected
    assert open_folder(root, on_invalid="skip").skipped == (expected,)


@pytest.mark.parametrize("orientation, size", [(3, SIZE), (6, (80, 80)), (2, SIZE)])
def test_pixels_that_the_annotation_does_not_state_raise(root, orientation, size):
    image = write_image(
        root / "train" / "IMG_1.jpg", orientation=orientation, size=size
    )
    (root / "train" / "IMG_1.csv").unlink()
    via = {"filename": "IMG_1.jpg", "regions": []}
    point = {"shape_attributes": {"name": "point", "cx": 1, "cy": 2}}
    path = root / "train" / "via.json"
    path.write_text(json.dumps({"a": via | {"regions": [point]}}))
    text = error_of(root)
    assert text.startswith(f"{image}: its annotation does not state whether the head")
    assert f"EXIF orientation {orientation}; " in text and "--points-on" in text
    path.write_text(json.dumps({"a": via}))
    assert heads_by_name(root)["IMG_1"] == []
