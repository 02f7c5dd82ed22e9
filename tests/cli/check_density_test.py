"""The command check-density on correct maps and on maps with common faults."""

import csv

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from scipy.ndimage import gaussian_filter, zoom

from cpcnn_jax import __main__ as commands
from cpcnn_jax.data import density_map
from cpcnn_jax.data.checks import density_audit, density_report, external_maps
from cpcnn_jax.inference import density_resize

SHAPE = (96, 128)


def crowd(number=60):
    return np.random.default_rng(number).uniform(0, 1, (number, 2)) * (128, 96)


def correct_map(points):
    return density_map.density_map(points, shape=SHAPE)


def recipe_map(points):
    """The common public recipe: heads set to 1, one filter, loss at the border."""
    heads = np.zeros(SHAPE)
    x, y = np.floor(points).astype(int).T
    heads[y, x] = 1
    return gaussian_filter(heads, 4, mode="constant")


@pytest.fixture
def folder(tmp_path):
    """ShanghaiTech's layout with maps beside the points: one correct."""
    truth = tmp_path / "ground_truth"
    truth.mkdir()
    (tmp_path / "images").mkdir()
    for number, draw in ((2, correct_map), (10, recipe_map)):
        np.save(truth / f"IMG_{number}.npy", draw(crowd()))
        savemat(truth / f"IMG_{number}_ann.mat", {"annPoints": crowd()})
        Image.new("L", SHAPE[::-1]).save(tmp_path / "images" / f"IMG_{number}.jpg")
    return truth


def check(*args):
    return commands.main(["check-density", *map(str, args)])


def test_each_map_has_a_line_and_drift_sets_the_status(folder, capsys):
    assert check(folder) == 1
    header, correct, drifting, _, total = capsys.readouterr().out.splitlines()
    assert header.split() == (
        ["map", "size", "scale", "sum", "heads", "drift", "percent", "negative"]
    )
    expected = ["IMG_2.npy", "128x96", "1/1", "60.00", "60", "+0.00", "+0.00", "0.00"]
    assert correct.split() == expected
    people = recipe_map(crowd()).sum()
    assert drifting.split() == [
        *("IMG_10.npy", "128x96", "1/1", f"{people:.2f}", "60", f"{people - 60:+.2f}"),
        *(f"{100 * (people - 60) / 60:+.2f}", "0.00", "drifts"),
    ]
    assert total == (
        f"2 maps sum to {people + 60:.2f} for 120 heads: {people - 60:+.2f} people "
        f"({100 * (people - 60) / 120:+.2f} %). "
        "1 drift by more than 0.1 % or have other faults."
    )
    assert check(folder / "IMG_2.npy") == 0


def test_tolerance_is_percent_of_the_heads(folder):
    drift = 100 * (1 - recipe_map(crowd()).sum() / 60)
    assert 1 < drift < 20
    assert check(folder, "--tolerance", drift + 0.01) == 0
    assert check(folder, "--tolerance", drift - 0.01) == 1


def test_csv_table(folder, tmp_path):
    check(folder, "--csv", tmp_path / "table.csv")
    with open(tmp_path / "table.csv", newline="") as file:
        correct, drifting = csv.DictReader(file)
    assert tuple(correct) == density_report.COLUMNS
    assert drifting["map"] == str(folder / "IMG_10.npy")
    assert float(drifting["sum"]) == pytest.approx(recipe_map(crowd()).sum())
    values = [drifting[name] for name in ("heads", "scale", "faults")]
    assert values == ["60", "1", "drifts"]
    assert correct["faults"] == "" and abs(float(correct["drift"])) < 1e-4


def test_unwritable_table_has_status_1(folder, tmp_path, capsys):
    assert check(folder / "IMG_2.npy", "--csv", tmp_path / "no" / "table.csv") == 1
    assert capsys.readouterr().err.startswith("check-density: [Errno 2]")


def test_points_and_images_in_other_folders(folder, tmp_path, capsys):
    (tmp_path / "points").mkdir()
    for number in (2, 10):
        (folder / f"IMG_{number}_ann.mat").unlink()
        lines = "".join(f"{x},{y}\n" for x, y in crowd())
        (tmp_path / "points" / f"IMG_{number}.csv").write_text(lines)
    assert check(folder / "IMG_2.npy") == 1
    expected = f"{folder}/IMG_2.npy needs one file of points in {folder} (or --points)"
    assert expected in capsys.readouterr().out
    args = ("--points", tmp_path / "points", "--images", folder)
    assert check(folder / "IMG_2.npy", *args) == 0
    assert " - " in capsys.readouterr().out  # no image there, so no scale


def test_two_files_of_points_raise_value_error(folder):
    savemat(folder / "GT_IMG_2.mat", {"annPoints": crowd()})
    with pytest.raises(ValueError, match="holds GT_IMG_2.mat and IMG_2_ann.mat"):
        external_maps.find_heads(folder / "IMG_2.npy")


def test_name_with_dots_keeps_its_points(folder, capsys):
    for name in ("cam.1", "cam.2"):
        points = crowd(30 + int(name[-1]))
        np.save(folder / f"{name}.npy", correct_map(points))
        savemat(folder / f"{name}.mat", {"annPoints": points})
    assert check(folder / "cam.1.npy", folder / "cam.2.npy") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[4] for line in lines[1:3]] == ["31", "32"]


@pytest.mark.parametrize(
    "args, error",
    [
        ([], "arguments are required: maps"),
        (["nowhere"], "check-density: no file or folder nowhere"),
        (["."], "holds no .h5, .npy, .csv"),
        ([__file__, "--points", "nowhere"], "check-density: no folder nowhere"),
        ([__file__, "--tolerance", "-1"], "-1 must be a number of at least 0"),
        ([__file__, "--tolerance", "much"], "much must be a number of at least 0"),
    ],
)
def test_wrong_command_line_has_status_2(args, error, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        status = check(*args)
    except SystemExit as exit_info:  # raised by argparse
        status = exit_info.code
    assert status == 2 and error in capsys.readouterr().err


def test_damaged_map_is_named_and_the_others_are_checked(folder, capsys):
    (folder / "IMG_10.npy").write_bytes(b"half")
    assert check(folder) == 1
    out = capsys.readouterr().out
    assert f"{folder}/IMG_10.npy cannot be read as .npy" in out
    assert "1 maps sum to 60.00 for 60 heads" in out and "1 more could not be" in out


def audit(tmp_path, people, points, with_image=True):
    np.save(tmp_path / "a.npy", people)
    np.save(tmp_path / "points.npy", points)
    Image.new("L", SHAPE[::-1]).save(tmp_path / "a.png")
    image = tmp_path / "a.png" if with_image else None
    return density_audit.audit_map(tmp_path / "a.npy", tmp_path / "points.npy", image)


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_reduced_map_has_no_fault(scale, tmp_path):
    small = density_resize.resize_density(
        correct_map(crowd()), (96 // scale, 128 // scale)
    )
    result = audit(tmp_path, small, crowd())
    assert result.scale == scale and result.faults(0.1) == []


def test_cubically_resized_map_drifts(tmp_path):
    points = crowd(200)
    narrow = density_map.density_map(points, shape=SHAPE, sigma=1.0)
    options = {"order": 3, "mode": "grid-constant", "grid_mode": True}
    small = zoom(narrow, 1 / 8, **options) * 64
    result = audit(tmp_path, small, points)
    assert result.scale == 8 and result.faults(0.1) == ["drifts"]
    assert result.people == pytest.approx(small.sum(dtype=np.float64))
    assert result.negative == pytest.approx(small.clip(max=0).sum(dtype=np.float64))
    assert result.negative < 0  # a small value here


def test_negative_sum_beyond_the_tolerance_is_a_fault(tmp_path):
    people = correct_map(crowd())
    people[0, :2] += [-0.3, 0.3]  # 0.5 percent of 60 heads
    result = audit(tmp_path, people, crowd())
    assert result.negative == pytest.approx(people.clip(max=0).sum(dtype=np.float64))
    assert result.faults(0.1) == ["negative"] and result.faults(0.6) == []


def test_cells_that_are_not_finite_are_not_summed(tmp_path):
    people = correct_map(crowd())
    empty = np.argwhere(people == 0)
    people[tuple(empty[0])], people[tuple(empty[1])] = np.nan, np.inf
    result = audit(tmp_path, people, crowd())
    assert result.faults(0.1) == ["2 cells not finite"] and abs(result.drift) < 1e-4


def test_map_of_another_size_is_a_fault(tmp_path):
    result = audit(tmp_path, correct_map(crowd()).T, crowd())
    assert result.faults(0.1) == ["no 1/1, 1/2, 1/4 or 1/8 of 128x96"]
    result = audit(tmp_path, correct_map(crowd()).T, crowd(), with_image=False)
    assert result.faults(0.1) == [] and result.scale is None


def test_heads_outside_the_image_are_not_counted(tmp_path):
    points = np.concatenate([crowd(), [[128, 5], [-1, 5]]])
    result = audit(tmp_path, correct_map(crowd()), points)
    assert (result.heads, result.outside, result.faults(0.1)) == (60, 2, [])
    result = audit(tmp_path, correct_map(crowd()), points, with_image=False)
    assert (result.heads, result.outside, result.faults(0.1)) == (61, 1, ["drifts"])


def test_empty_image_has_a_drift_in_percent_of_one_head(tmp_path):
    result = audit(tmp_path, np.zeros(SHAPE), np.zeros((0, 2)))
    assert result.drift_percent == 0 and result.faults(0) == []
    result = audit(tmp_path, np.full(SHAPE, 0.5 / 96 / 128), np.zeros((0, 2)))
    assert result.drift_percent == pytest.approx(50)
    assert result.faults(0.1) == ["drifts"]


def test_points_that_are_not_finite_raise_value_error(tmp_path):
    with pytest.raises(ValueError, match="points.npy: 1 of 2 head points are not fin"):
        audit(tmp_path, correct_map(crowd()), [[1, 2], [np.nan, 3]])


def test_table_over_a_map_or_points_is_refused(tmp_path, capsys):
    points = crowd()
    for name in ("maps", "points"):
        (tmp_path / name).mkdir()
    np.savetxt(tmp_path / "maps" / "IMG_1.csv", correct_map(points), delimiter=",")
    np.savetxt(tmp_path / "points" / "IMG_1.csv", points, delimiter=",")
    flags = ["check-density", f"{tmp_path}/maps", "--points", f"{tmp_path}/points"]
    for name in ("maps", "points"):
        path = tmp_path / name / "IMG_1.csv"
        before = path.read_bytes()
        assert commands.main([*flags, f"--csv={path}"]) == 1
        expected = f"check-density: {path} is an input: write the results elsewhere\n"
        assert capsys.readouterr() == ("", expected)
        assert path.read_bytes() == before
    assert commands.main([*flags, f"--csv={tmp_path}/table.csv"]) == 0
