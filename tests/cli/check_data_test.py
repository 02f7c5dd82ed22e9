"""The command check-data on small folders with known faults and on real data."""

import collections
import json
import os
import shutil

import numpy as np
import pytest
from PIL import ExifTags, Image
from scipy.io import savemat

from cpcnn_jax import __main__ as command
from cpcnn_jax import config, data
from cpcnn_jax.data.checks import faults, report

SIZE = (90, 70)  # (width, height)


@pytest.fixture(autouse=True)
def prepare_in_tmp_path(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))


def write_image(path, size=SIZE, mode="RGB", orientation=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([*path.as_posix().encode()])
    pixels = rng.integers(0, 256, (*size[::-1], 3), np.uint8)
    exif = Image.Exif()
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(pixels).convert(mode).save(path, exif=exif)
    return path


def write_heads(path, *points):
    path.write_text("\n".join(["x,y", *(f"{x},{y}" for x, y in points)]))


@pytest.fixture
def root(tmp_path):
    """Three images without a fault."""
    root = tmp_path / "photographs"
    for name in ("train/IMG_1", "train/IMG_2", "test/IMG_3"):
        write_image(root / f"{name}.jpg")
        write_heads(root / f"{name}.csv", (1, 2), (3.5, 4))
    return root


def run(capsys, *args):
    """Runs the command and returns (status, stdout, stderr)."""
    status = command.main(["check-data", *map(str, args)])
    return status, *capsys.readouterr()


def find_faults(capsys, root, status):
    """Runs the command and returns [(kind, text without the folder)] of all faults."""
    path = root.parent / "report.json"
    assert run(capsys, root, "--json", path)[::2] == (status, "")
    listed = json.loads(path.read_text())["faults"]
    assert status == any(fault["must_be_mended"] for fault in listed)
    for fault in listed:
        assert fault["file"].startswith(str(root)) and str(root) in fault["text"]
    return [(fault["kind"], fault["text"].replace(f"{root}/", "")) for fault in listed]


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_folder_without_faults(root, capsys):
    original = contents(root)
    status, out, err = run(capsys, root)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "",
        "Your own images",
        "  train: 2 photographs, 4 heads",
        "  test: 1 photographs, 2 heads",
        "",
        " heads          photographs",
        " 1 to 9              3  ########################################",
        "",
        " No fault was found.",
    ]
    assert contents(root) == original


def write_fault(root, what):
    """Gives IMG_1 of train one fault; returns the beginning of the fault's text."""
    image, heads = root / "train" / "IMG_1.jpg", root / "train" / "IMG_1.csv"
    match what:
        case "truncated":
            image.write_bytes(image.read_bytes()[:700])
            return "train/IMG_1.jpg is not a complete JPEG or PNG image: "
        case "outside":
            write_heads(heads, (89.9, 69.9), (90, 5), (5, -0.1), (1, 1))
            return "train/IMG_1.jpg: 2 of 4 heads lie outside its 90x70 pixels"
        case "marked twice":
            write_heads(heads, (1, 1), (2, 2), (1, 1), (1, 1), (2, 1))
            return "train/IMG_1.jpg: 2 of 5 heads lie exactly on another"
        case "not finite":
            write_heads(heads, (1, 1), ("nan", 1), (1, "inf"))
            return "train/IMG_1.jpg: 2 of 3 heads are not finite numbers"
        case "small":
            write_image(image, size=(64, 63))
            return "train/IMG_1.jpg has 64x63 pixels, under 64x64"
        case "no annotation":
            heads.unlink()
            return "train/IMG_1.jpg has no annotation: train/IMG_1.csv (or .json"
        case "in two splits":
            shutil.copy(root / "test" / "IMG_3.jpg", image)
            return "train/IMG_1.jpg is the same file as test/IMG_3.jpg"
        case "turned":
            write_image(image, orientation=6)
            write_heads(heads, (60, 80))
            return "train/IMG_1.jpg: the head points are on the upright image of EXIF"
        case "gone":
            (root / "SHA256SUMS").write_text(f"{'0' * 64}  train/IMG_9.jpg\n")
            return "train/IMG_9.jpg is missing, and SHA256SUMS names it"
        case "exif":
            write_image(image, orientation=6)
            return "train/IMG_1.jpg has EXIF orientation 6; its head points are"
        case "grey":
            write_image(image, mode="L")
            return "train/IMG_1.jpg is grayscale"
        case "empty":
            write_heads(heads)
            return "train/IMG_1.jpg has no heads"
        case "copy":
            shutil.copy(root / "train" / "IMG_2.jpg", image)
            return "train/IMG_1.jpg is the same file as train/IMG_2.jpg"
        case "stray":
            write_heads(root / "train" / "IMG_9.csv", (1, 1))
            return "train/IMG_9.csv marks heads on IMG_9, which is no image there"


KIND = {"truncated": "unusable", "no annotation": "unusable", "gone": "unusable"}
NOTES = ("exif", "grey", "empty", "copy", "stray")
FAULTS = (
    *("truncated", "outside", "marked twice", "not finite", "small"),
    *("no annotation", "in two splits", "turned", "gone"),
)


@pytest.mark.parametrize("what", FAULTS + NOTES)
def test_each_fault_is_reported(root, what, capsys):
    begins = write_fault(root, what)
    ((kind, text),) = find_faults(capsys, root, status=int(what in FAULTS))
    assert kind == KIND.get(what, what) and text.startswith(begins)
    _, out, _ = run(capsys, root)
    level = "fault" if what in FAULTS else "note "
    assert out.replace(f"{root}/", "").startswith(f"{level}  {begins}")
    assert out.splitlines()[-2] == " files  of"
    assert out.splitlines()[-1] == f"     1  {(faults.ERRORS | faults.NOTES)[kind]}"


def test_exchanged_columns_are_presumed(root, capsys):
    write_heads(root / "train" / "IMG_1.csv", (69, 89), (5, 80))
    ((kind, text),) = find_faults(capsys, root, status=1)
    expected = "2 of 2 heads lie outside its 90x70 pixels, and all inside as (y, x)"
    assert kind == "outside" and text == f"train/IMG_1.jpg: {expected}"


def test_all_faults_are_reported_at_once(root, capsys):
    image = root / "train" / "IMG_1.jpg"
    write_fault(root, "truncated")
    (root / "train" / "IMG_1.csv").write_text("x,y\n1,b")
    write_image(root / "test" / "IMG_3.jpg", size=(70, 60), mode="L")
    write_heads(root / "test" / "IMG_3.csv", (80, 1), ("nan", 2))
    (root / "train" / "IMG_2.csv").unlink()
    kinds = [kind for kind, _ in find_faults(capsys, root, status=1)]
    assert kinds == ["unusable"] * 3 + ["small", "grey", "not finite", "outside"]
    assert image.is_file()


def test_folder_without_splits_is_checked(root, capsys):
    ((kind, text),) = find_faults(capsys, root / "train", status=0)
    expected = f"{root}/train has no folders train and test: training needs both"
    assert (kind, text) == ("no split", expected)
    _, out, _ = run(capsys, root / "train")
    assert "  (no train or test): 2 photographs, 4 heads" in out
    assert f"note   {expected}\n" in out and "No fault was found" not in out


def test_one_split_that_is_lacking_is_a_note(root, capsys):
    shutil.rmtree(root / "test")
    ((_, text),) = find_faults(capsys, root, status=0)
    assert text == f"{root} has no folder test: training needs both"


def test_annotations_of_matlab_are_named_and_no_empty_copy_is_written(
    root, tmp_path, capsys
):
    for file in [*root.rglob("*.csv")]:
        file.unlink()
        savemat(file.with_suffix(".mat"), {"annPoints": [[1.0, 2.0]]})
    texts = [text for _, text in find_faults(capsys, root, status=1)]
    assert len(texts) == 3 and texts[0].startswith("train/IMG_1.jpg has no annotation:")
    assert all("MATLAB files (.mat) are not read" in text for text in texts)
    assert all(text.endswith("convert them to CSV or JSON.") for text in texts)
    copy = tmp_path / "copy"
    status, out, err = run(capsys, root, "--write", copy)
    expected = f"--write={copy}: no photograph can be used, so no copy is written"
    assert (status, err) == (1, f"check-data: {expected}\n")
    assert "written" not in out and not copy.exists()


def test_damaged_annotation_of_all_images_is_reported(root, capsys):
    (root / "all.json").write_text("{")
    status, out, err = run(capsys, root)
    assert (status, out) == (1, "")
    assert err.startswith(f"check-data: {root}/all.json: it is not valid JSON")


def test_histogram_equals_numpy():
    counts = np.random.default_rng(0).integers(0, 12_000, 500)
    counts[:30] = np.arange(30)
    rows = report.count_histogram(counts)
    edges = [low for low, _, _ in rows] + [10**6]
    assert [number for *_, number in rows] == np.histogram(counts, edges)[0].tolist()
    tops = [top for _, top, _ in rows]
    assert tops == [edge - 1 for edge in edges[1:-1]] + [None]


def test_copy_has_no_fault(root, tmp_path, capsys):
    for n, what in enumerate(FAULTS[:-1] + NOTES):
        one = tmp_path / "one"
        for split, name in (("train", "IMG_1"), ("train", "IMG_2"), ("test", "IMG_3")):
            write_image(one / split / f"{name}.jpg")
            write_heads(one / split / f"{name}.csv", (1, 2), (3.5, 4))
        write_fault(one, what)
        for split in ("train", "test"):
            for path in (one / split).iterdir():
                (root / split).mkdir(exist_ok=True)
                path.rename(root / split / f"{path.stem}_{n}{path.suffix}")
        shutil.rmtree(one)
    original, copy = contents(root), tmp_path / "copy"
    status, out, _ = run(capsys, root, "--write", copy)
    assert status == 1 and contents(root) == original
    assert {k for k, _ in find_faults(capsys, copy, status=0)} <= {
        "grey",
        "empty",
        "copy",
    }
    left_out = {  # all others are copied
        *(f"IMG_1_{FAULTS.index(what)}" for what in ("truncated", "no annotation")),
        *(f"IMG_1_{FAULTS.index(what)}" for what in ("small", "in two splits")),
    }
    source = data.open_dataset(config.Folder(root=str(copy)), "train")
    originals = {path.stem for path in (root / "train").glob("*.jpg")}
    assert {*source.names} == originals - left_out and len(left_out) == 4
    number, heads = len(source), sum(map(len, source.points))
    assert f"written: {copy}/train, {number} photographs, {heads} heads\n" in out
    for name in left_out:
        assert f"left out: {root}/train/{name}.jpg\n" in out
    points = dict(zip(source.names, source.points, strict=True))
    expected = {
        "outside": [[89.9, 69.9], [1, 1]],
        "marked twice": [[1, 1], [2, 2], [2, 1]],
        "not finite": [[1, 1]],
        "turned": [[60, 80]],
        "empty": np.zeros((0, 2)),
        "grey": [[1, 2], [3.5, 4]],
    }
    for what, heads in expected.items():
        name = f"IMG_1_{(FAULTS[:-1] + NOTES).index(what)}"
        np.testing.assert_array_equal(points[name], np.float32(heads))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_copy_is_upright_and_heads_stay_on_their_pixel(tmp_path, orientation, capsys):
    image = write_image(tmp_path / "a" / "IMG.png", size=(80, 120))
    pixels = np.zeros((120, 80, 3), np.uint8)
    pixels[100, 7] = 255
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(pixels).save(image, exif=exif)
    write_heads(tmp_path / "a" / "IMG.csv", (7, 100), (7.25, 100.75), (20, 20))
    assert run(capsys, tmp_path / "a", "--write", tmp_path / "b")[0] == 0
    with Image.open(tmp_path / "b" / "IMG.png") as file:
        assert file.getexif().get(ExifTags.Base.Orientation, 1) == 1
        upright = np.asarray(file)
    lines = (tmp_path / "b" / "heads.csv").read_text().splitlines()
    points = np.array([line.split(",")[1:] for line in lines[1:]], float)
    x, y = np.floor(points).astype(int).T
    assert upright[y, x, 0].tolist() == [255, 255, 0] and upright.sum() == 3 * 255


def test_points_of_the_upright_image_are_copied_unchanged(tmp_path, capsys):
    write_image(tmp_path / "a" / "IMG.jpg", size=(80, 120), orientation=6)
    write_heads(tmp_path / "a" / "IMG.csv", (100, 7))
    assert run(capsys, tmp_path / "a", "--write", tmp_path / "b")[0] == 1
    assert (tmp_path / "b" / "heads.csv").read_text() == "image,x,y\nIMG.png,100,7\n"
    with Image.open(tmp_path / "b" / "IMG.png") as file:
        assert file.size == (120, 80)


def test_image_without_orientation_is_copied_unchanged(root, tmp_path, capsys):
    copy = tmp_path / "new" / "copy"
    assert run(capsys, root, "--write", copy)[0] == 0
    for path in root.rglob("*.jpg"):
        assert (copy / path.relative_to(root)).read_bytes() == path.read_bytes()
    assert {path.name for path in copy.parent.iterdir()} == {"copy"}


def usage_error(capsys, *args):
    status, out, err = run(capsys, *args)
    assert (status, out) == (2, "") and err.count("\n") == 1
    return err


def test_wrong_usage_has_status_2(root, tmp_path, capsys):
    none = tmp_path / "none"
    assert usage_error(capsys, none) == f"check-data: {none} is not a folder\n"
    (tmp_path / "empty").mkdir()
    error = f"check-data: {tmp_path}/empty holds no images .jpg, .jpeg or .png\n"
    assert usage_error(capsys, tmp_path / "empty") == error
    original = contents(root)
    error = f"check-data: --write={root} exists and is not empty: name a new folder\n"
    assert usage_error(capsys, root, "--write", root) == error
    file = root / "train" / "IMG_1.csv"
    assert "exists and is not empty" in usage_error(capsys, root, "--write", file)
    error = f"check-data: --write={root}/new lies in {root}, which the command never "
    assert usage_error(capsys, root, "--write", root / "new") == error + "changes\n"
    error = f"check-data: --json={file} lies in {root}, which the command never changes"
    assert usage_error(capsys, root, "--json", file) == f"{error}\n"
    assert contents(root) == original
    with pytest.raises(SystemExit) as exit_info:
        run(capsys)
    assert exit_info.value.code == 2 and "folder" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--json", "--write"])
def test_unwritable_file_is_named_in_the_error(root, tmp_path, option, capsys):
    (tmp_path / "file").write_text("in the way")
    status, _, err = run(capsys, root, option, tmp_path / "file" / "new")
    assert status == 1 and err.startswith("check-data: ") and err.count("\n") == 1
    assert f"{tmp_path}/file" in err


def test_distributed_data_set(tmp_path, capsys):
    root = tmp_path / "UCF_CC_50"
    for number in range(1, 51):
        write_image(root / f"{number}.jpg")
        savemat(root / f"{number}_ann.mat", {"annPoints": [[number, 5.0]]})
    (root / "7.jpg").unlink()
    savemat(root / "8_ann.mat", {"other": 1})
    texts = find_faults(capsys, root, status=1)
    assert texts[0] == ("unusable", "7.jpg is missing.")
    assert texts[1][1].startswith("8_ann.mat holds no head points: expected a MATLAB")
    assert len(texts) == 2
    _, out, _ = run(capsys, tmp_path)
    assert "\nUCF_CC_50\n  UCF_CC_50/fold1: 10 photographs, 8 heads\n" in out


@pytest.mark.parametrize("part", ["part_A", "part_B_final"])
def test_part_of_shanghaitech_is_detected_from_each_folder(tmp_path, part, capsys):
    images = tmp_path / "ShanghaiTech" / part / "train_data" / "images"
    write_image(images / "IMG_1.jpg")
    for folder in (images.parents[1], images.parents[2], images.parents[3]):
        ((kind, text),) = find_faults(capsys, folder, status=1)
        place = images.relative_to(folder).parent
        truth = f"{place}/ground-truth/GT_IMG_1.mat"
        expected = f"{place}/images/IMG_1.jpg has no annotation: {truth} is missing."
        assert (kind, text) == ("unusable", expected)


def write_via(root, image, *points):
    """Marks heads of train/IMG_1 in a file that does not state its pixels."""
    (root / "train" / "IMG_1.csv").unlink()
    regions = [
        {"shape_attributes": {"name": "point", "cx": x, "cy": y}} for x, y in points
    ]
    via = {"a": {"filename": image, "regions": regions}}
    (root / "train" / "via.json").write_text(json.dumps(via))


@pytest.mark.parametrize(
    "flag, expected", [("stored", (89 - 1, 69 - 2)), ("upright", (1, 2))]
)
def test_flag_states_the_pixels_where_the_annotation_does_not(
    root, tmp_path, capsys, flag, expected
):
    write_image(root / "train" / "IMG_1.jpg", orientation=3)
    write_via(root, "IMG_1.jpg", (1, 2))
    ((kind, text),) = find_faults(capsys, root, status=1)
    assert kind == "unusable" and text.startswith(
        "train/IMG_1.jpg: its annotation does not state whether the head points are on"
    )
    copy = tmp_path / "copy"
    run(capsys, root, "--points-on", flag, "--write", copy)
    rows = (copy / "train" / "heads.csv").read_text().splitlines()
    assert "IMG_1.png,{},{}".format(*expected) in rows


def test_heads_of_labelme_are_on_the_upright_image(root, tmp_path, capsys):
    write_image(root / "train" / "IMG_1.jpg", size=(80, 80), orientation=8)
    (root / "train" / "IMG_1.csv").unlink()
    shape = {"label": "head", "shape_type": "point", "points": [[1, 2]]}
    tree = {"imagePath": "IMG_1.jpg", "imageWidth": 80, "imageHeight": 80}
    (root / "train" / "a.json").write_text(json.dumps(tree | {"shapes": [shape]}))
    ((kind, _),) = find_faults(capsys, root, status=1)
    assert kind == "turned"
    run(capsys, root, "--write", tmp_path / "copy")
    rows = (tmp_path / "copy" / "train" / "heads.csv").read_text().splitlines()
    assert "IMG_1.png,1,2" in rows


def test_copy_keeps_images_of_one_name_apart(root, tmp_path, capsys):
    for n, name in enumerate(("cam1/0001.jpg", "cam2/0001.jpg", "cam2/0001.png"), 3):
        image = write_image(root / "train" / name)
        rows = "".join(f"{image.name},{i},{i}\n" for i in range(n))
        with open(image.with_name("heads.csv"), "a") as file:
            file.write(("" if file.tell() else "image,x,y\n") + rows)
    copy = tmp_path / "copy"
    assert run(capsys, root, "--write", copy)[0] == 0
    assert find_faults(capsys, copy, status=0) == []
    dataset = data.open_dataset(config.Folder(root=str(copy)), "train")
    assert sorted(map(len, dataset.points)) == [2, 2, 3, 4, 5]


def test_copy_behind_a_link_leaves_the_link(root, tmp_path, capsys):
    (tmp_path / "disk").mkdir()
    (tmp_path / "copy").symlink_to("disk")
    assert run(capsys, root, "--write", tmp_path / "copy")[0] == 0
    assert (tmp_path / "copy").is_symlink()
    assert (tmp_path / "disk" / "train" / "IMG_1.jpg").is_file()


def test_copy_of_a_name_that_is_not_utf_8(root, tmp_path, capsys):
    for suffix in (".jpg", ".csv"):
        path = root / "train" / f"IMG_1{suffix}"
        path.rename(path.with_name(os.fsdecode(b"caf\xe9") + suffix))
    assert run(capsys, root, "--write", tmp_path / "copy")[0] == 0
    dataset = data.open_dataset(config.Folder(root=str(tmp_path / "copy")), "train")
    assert {*dataset.names} == {"caf%E9", "IMG_2"}


def test_unused_images_are_notes(root, capsys):
    write_image(root / "valid" / "IMG_4.jpg")
    write_image(root / "train" / "IMG_5.webp")
    write_image(root / "train" / "IMG_6.tiff")
    (root / "train" / "IMG_7.MOV").touch()
    texts = find_faults(capsys, root, status=0)
    convert = "is not used: convert it to .jpg or .png"
    assert texts == [
        ("unused", f"train/IMG_5.webp {convert}"),
        ("unused", f"train/IMG_6.tiff {convert}"),
        (
            "unused",
            "valid is not used: images are read from test and train only, and the "
            "validation images are a part of train",
        ),
    ]
    last = run(capsys, root)[1].splitlines()[-1]
    expected = "1 .mov, 1 .webp, 1 .tiff, 1 .jpg outside of test and train"
    assert last == f" left out: {expected}"
    empty = root / "empty"
    write_image(empty / "IMG_5.webp")
    error = usage_error(capsys, empty)
    assert error.endswith(f"; {empty}/IMG_5.webp {convert}; left out: 1 .webp\n")
    (empty / "IMG_5.webp").rename(empty / "IMG_5.mov")
    error = usage_error(capsys, empty)
    assert error.endswith("holds no images .jpg, .jpeg or .png; left out: 1 .mov\n")


def test_labels_are_counted(root, capsys):
    (root / "train" / "IMG_1.csv").write_text("x,y,label\n1,2,head\n3,4,car\n5,6,car\n")
    _, out, _ = run(capsys, root)
    assert "\n heads  of label\n     2  car\n     1  head\n" in out


@pytest.mark.parametrize(
    "name, kinds, sentences",
    [
        (
            "ShanghaiTech/part_A",
            {"grey": 20, "marked twice": 54, "in two splits": 1},
            (
                "train_data/images/IMG_121.jpg is the same file as",
                "test_data/images/IMG_97.jpg: 44 of 521 heads lie exactly on another",
            ),
        ),
        (
            "UCF_CC_50",
            {"grey": 50, "outside": 4},
            ("1.jpg: 2 of 4633 heads lie outside its 984x648 pixels",),
        ),
    ],
)
def test_faults_of_real_data(real_data, tmp_path, name, kinds, sentences, capsys):
    path = tmp_path / "report.json"
    assert run(capsys, real_data / name, "--json", path)[0] == 1
    listed = json.loads(path.read_text())["faults"]
    assert collections.Counter(fault["kind"] for fault in listed) == kinds
    for sentence in sentences:
        assert any(f"{name}/{sentence}" in fault["text"] for fault in listed)
