"""The command `count`: results, errors and wrong command lines."""

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import tiny_experiment
from PIL import Image

import cpcnn_jax as cp
from cpcnn_jax.cli import count
from cpcnn_jax.inference import count_files, count_tables, counter, overlay
from cpcnn_jax.inference.count_options import CountOptions
from cpcnn_jax.inference.people import format_people
from cpcnn_jax.io import image as image_io
from cpcnn_jax.io import user_cache
from cpcnn_jax.models.mcnn import MCNN
from cpcnn_jax.models.params import param_shapes
from cpcnn_jax.weights import pretrained, serialization


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A workdir with weights."""
    folder = tmp_path_factory.mktemp("trained")
    drawn = tiny_experiment.networks()[1]
    serialization.save(
        folder / "weights.safetensors", drawn, tiny_experiment.get_config().model
    )
    return folder


@pytest.fixture(scope="module")
def ready(trained):
    """The networks, loaded and compiled once for all tests."""
    return cp.load(trained)


@pytest.fixture
def run(trained, ready, monkeypatch, capsys):
    """Runs the command; returns (status, stdout, stderr)."""
    load = counter.load

    def load_once(path, *, tile_size):
        same = Path(path).resolve() in (trained, trained / "weights.safetensors")
        same &= tile_size is None
        return ready if same else load(path, tile_size=tile_size)

    monkeypatch.setattr(counter, "load", load_once)

    def run(*arguments, weights=trained):
        flags = ["--weights", str(weights)] if weights else []
        status = count.main([*map(str, arguments), *flags])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def images(tmp_path):
    """A folder with two images of one name, in subfolders, and a larger one."""
    rng = np.random.default_rng(0)
    for name, size in {
        "a/1.png": (70, 90),
        "b/1.png": (64, 64),
        "2.jpg": (90, 120),
    }.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return tmp_path / "in"


SIZES = [(120, 90), (90, 70), (64, 64)]  # of the images, in the order of the list


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--frame-step=5"], "--frame-step has no effect: no file is a video"),
        (["--count-curve=curves"], "--count-curve has no effect: no file is a video"),
        (["--period=2"], "--period has no effect: it is for live streams"),
    ],
)
def test_flag_without_effect_is_reported(
    run, images, flags, reason, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(images / "2.jpg", *flags)
    assert status == 0 and err == f"count: {reason}\n" and "1 of 1 counted" in out


def test_results_of_a_folder(run, images, ready, trained, tmp_path):
    out = tmp_path / "out"
    status, output, errors = run(
        *(images, "--json", out / "deep" / "a.json", "--csv", out / "a.csv"),
        *("--density", out / "maps", "--overlay", out / "overlays"),
        *("--region", "top left=0,0;32,0;32,32;0,32"),
    )
    assert (status, errors) == (0, "")
    files = [str(images / name) for name in ("2.jpg", "a/1.png", "b/1.png")]
    expected = [ready.count(file) for file in files]
    rows = json.loads((out / "deep" / "a.json").read_text())
    assert [row["file"] for row in rows] == files
    assert [row["count"] for row in rows] == [result.count for result in expected]
    assert [row["error"] for row in rows] == [None] * 3
    corners = [float(r.density[:32, :32].sum(dtype=float)) for r in expected]
    inside = [row["regions"]["top left"] for row in rows]
    np.testing.assert_allclose(inside, corners, rtol=1e-5)
    table = list(csv.DictReader((out / "a.csv").read_text().splitlines()))
    assert [float(row["count"]) for row in table] == [row["count"] for row in rows]
    assert all(float(row["seconds"]) > 0 for row in table)
    np.testing.assert_allclose([float(row["top left"]) for row in table], inside)
    for name, result in zip(("2.jpg", "a/1.png", "b/1.png"), expected, strict=True):
        density = np.load(out / "maps" / f"{name}.npy")
        np.testing.assert_array_equal(density, result.density)
        with Image.open(out / "overlays" / f"{name}.png") as overlay:
            assert min(overlay.size) > 64
    lines = output.splitlines()
    assert lines[0].split() == ["file", "people", "seconds", "top", "left"]
    assert [line.split()[0] for line in lines[1:4]] == files
    assert lines[1].split()[1] == format_people(expected[0].count)
    total = format_people(sum(result.count for result in expected))
    assert lines[4] == f"3 of 3 counted, {total} people in total"
    assert lines[5] == f"weights: {trained}" and len(lines) == 6
    assert {row["weights"] for row in rows} == {str(trained)}
    assert [(row["width"], row["height"]) for row in rows] == SIZES


def test_bad_files_are_named_and_the_others_counted(run, images, tmp_path):
    text = images / "words.jpg"
    text.write_text("these are words")
    (images / "empty.png").touch()
    Image.new("L", (1, 1)).save(images / "dot.png")
    (tmp_path / "none").mkdir()
    arguments = [images, images / "gone.jpg", tmp_path / "none", "x*y"]
    status, output, errors = run(*arguments, "--json", tmp_path / "a.json")
    assert status == 1
    rows = json.loads((tmp_path / "a.json").read_text())
    failed = {row["file"]: row["error"] for row in rows if row["count"] is None}
    assert [set(row) for row in rows] == [{*count_tables.COLUMNS}] * 9
    assert failed == {
        str(images / "dot.png"): f"{images}/dot.png has 1x1 pixels; the "
        "networks need at least 64x64",
        str(images / "empty.png"): f"{images}/empty.png is not a JPEG, PNG, "
        "WEBP, BMP or TIFF image",
        str(text): f"{text} is not a JPEG, PNG, WEBP, BMP or TIFF image",
        str(images / "gone.jpg"): f"{images}/gone.jpg cannot be opened: No such file "
        "or directory",
        str(tmp_path / "none"): f"{tmp_path}/none contains no images (.jpg, .jpeg, "
        + ", ".join(image_io.readable_suffixes()[2:])
        + ")",
        "x*y": "x*y matches no file",
    }
    assert sorted(errors.splitlines()) == sorted(
        f"count: {error}" for error in failed.values()
    )
    assert "3 of 9 counted" in output


def test_what_a_folder_has_beside_images_is_listed(run, images, monkeypatch):
    for name in ("1.GIF", "2.gif", "a/3.dng", "a/4.MOV", "._2.jpg"):
        (images / name).touch()
    (images / "round").symlink_to(images)
    status, output, errors = run(images)
    assert (status, errors) == (0, "")
    assert output.splitlines()[-1] == (
        "left out: 2 .gif, 1 hidden file, 1 .dng, 1 .mov, 1 link to a folder above"
    )


def test_same_file_by_two_paths_is_counted_once(run, images, monkeypatch):
    monkeypatch.chdir(images)
    status, output, _ = run("2.jpg", "./2.jpg", images / "2.jpg")
    assert status == 0 and "1 of 1 counted" in output


def test_image_behind_a_linked_folder_is_counted_once(run, images, tmp_path):
    (tmp_path / "linked").symlink_to(images / "a")
    (images / "a" / "same.png").symlink_to("1.png")  # a linked file is another one
    status, output, _ = run(images / "a", tmp_path / "linked", tmp_path / "linked/*")
    assert status == 0 and "2 of 2 counted" in output


def test_unreadable_folder_is_an_error_and_the_others_are_counted(
    run, images, monkeypatch
):
    def scandir(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    real = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    status, output, errors = run(images)
    assert status == 1 and "2 of 3 counted" in output
    assert errors == f"count: {images}/b cannot be read: Permission denied\n"


def test_unknown_suffix_names_those_of_videos(run, images, tmp_path):
    for name in ("film.rm", "film"):
        (tmp_path / name).write_text("these are words")
        status, _, errors = run(tmp_path / name)
        assert status == 1 and "its suffix is none of a video (.3g2, " in errors


def test_count_stands_without_its_overlay(run, images, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no font")

    monkeypatch.setattr(overlay, "draw_overlay", fail)
    flags = ["--overlay", tmp_path / "o", "--json", tmp_path / "a.json"]
    status, output, errors = run(images, *flags)
    rows = json.loads((tmp_path / "a.json").read_text())
    assert status == 1 and "3 of 3 counted" in output
    assert all(row["count"] is not None for row in rows)
    assert rows[0]["error"] == f"{images}/2.jpg: RuntimeError: no font"
    assert rows[0]["error"] in errors


def test_unexpected_error_is_an_error_of_the_file(run, images, ready, monkeypatch):
    def count(image, **options):
        if str(image).endswith("a/1.png"):
            raise KeyError("layer")
        return real(image, **options)

    real = ready.count
    monkeypatch.setattr(ready, "count", count)
    status, output, errors = run(images)
    assert status == 1 and "2 of 3 counted" in output
    assert errors == f"count: {images}/a/1.png: KeyError: 'layer'\n"


def test_tables_are_written_after_an_error_of_the_output(run, images, tmp_path):
    def fail(*_):
        raise OSError(28, "No space left on device")

    table = tmp_path / "a.csv"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(OSError):
        patch.setattr(count, "_print", fail)
        run(images, "--csv", table)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [bool(row["count"]) for row in rows] == [True, False, False]
    assert "stopped before it was counted" in rows[1]["error"]


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ("--json out --csv out", "two results would be out: write them"),
        ("--json - --csv -", "two results would be -: write them"),
        ("--json out --csv ./deep/../out", "two results would be ./deep/../out"),
        ("--density out --overlay out", "two results would be out/2.jpg.png"),
        ("--json out/2.jpg.json --density out", "results would be out/2.jpg.json"),
        ("--csv in/2.jpg", "in/2.jpg is an input: write the results elsewhere"),
        ("--csv link", "link is an input"),
        ("--csv trained/weights.safetensors", "weights.safetensors is an input"),
        ("--json locked", "The file is read-only: 'locked'"),
        ("--json in", "--json=in is a folder: name a file in it"),
        ("--points in", "--points=in is a folder: name a file in it"),
    ],
)
def test_results_over_other_files_are_refused(
    flags, text, trained, images, capsys, monkeypatch
):
    monkeypatch.chdir(images.parent)
    os.symlink("in/2.jpg", "link")
    os.symlink(trained, "trained")
    os.mkdir("deep")
    with open("locked", "w") as file:
        os.chmod(file.fileno(), 0o400)
    before = (images / "2.jpg").read_bytes()
    with pytest.raises(SystemExit) as stopped:
        count.main(["in", "--weights", str(trained), *flags.split()])
    assert stopped.value.code == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert text in error
    assert (images / "2.jpg").read_bytes() == before


def test_overlay_over_an_input_is_refused(images, trained, capsys):
    (images / "2.jpg").rename(images / "a.png")
    Image.new("L", (64, 64)).save(images / "a.png.png")
    with pytest.raises(SystemExit):
        count.main([str(images), "--weights", str(trained), "--overlay", str(images)])
    assert f"{images}/a.png.png is an input" in capsys.readouterr().err


def test_region_outside_leaves_an_empty_cell(run, images, tmp_path):
    flags = ["--region", "door=0,0;0,64;80,64", "--json", tmp_path / "a.json"]
    flags += ["--csv", tmp_path / "a.csv", "--overlay", tmp_path / "o"]
    status, output, errors = run(images, *flags)
    assert status == 1
    rows = json.loads((tmp_path / "a.json").read_text())
    assert all(row["count"] is not None for row in rows)
    assert rows[2]["error"] == (
        f"{images}/b/1.png: the corner 80,64 of region door lies outside the 64x64 "
        "pixels of the image"
    )
    assert rows[0]["error"] is None and rows[1]["regions"]["door"] is not None
    assert rows[2]["regions"] == {"door": None}
    first, second = errors.splitlines()
    assert first == (
        f"count: region door does not fit {images}/b/1.png: empty cells; the images "
        "are counted"
    )
    assert second == f"count: {rows[2]['error']}"
    assert output.splitlines()[3].split()[-1] == "-"
    table = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert [row["door"] != "" for row in table] == [True, True, False]
    with Image.open(tmp_path / "o" / "b" / "1.png.png") as drawn:
        assert drawn.height > 64


def test_regions_of_an_image_that_is_not_counted_are_null(run, images, tmp_path):
    (images / "text.jpg").write_text("no image")
    flags = ["--region", "door=0,0;0,64;64,64", "--json", tmp_path / "a.json"]
    assert run(images / "text.jpg", images / "2.jpg", *flags)[0] == 1
    bad, good = json.loads((tmp_path / "a.json").read_text())
    assert bad["regions"] == {"door": None} and bad.keys() == good.keys()
    assert good["regions"]["door"] is not None


def test_region_that_fits_no_image_is_refused_before_counting(trained, images, capsys):
    flags = ["--weights", str(trained), "--region", "door=0,0;0,64;500,64"]
    with pytest.raises(SystemExit) as stopped:
        count.main([str(images), *flags])
    assert stopped.value.code == 2
    output, errors = capsys.readouterr()
    assert not output and errors.startswith(
        f"count: region door does not fit {images}/2.jpg of "
    )


def test_region_in_percent_fits_every_image(run, images, ready, tmp_path):
    flags = ["--region", "right=50%,0%;100%,0%;100%,100%;50%,100%"]
    assert run(images, *flags, "--json", tmp_path / "a.json")[0] == 0
    rows = json.loads((tmp_path / "a.json").read_text())
    for row in rows:
        density = ready.count(row["file"]).density
        right = density[:, density.shape[1] // 2 :].sum(dtype=float)
        np.testing.assert_allclose(row["regions"]["right"], right, rtol=1e-5)


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_table_on_standard_output_stands_alone(trained, images, kind, capfd):
    file, flags = images / "2.jpg", ["--weights", str(trained), f"--{kind}", "-"]
    assert count.main([str(file), *flags]) == 0
    output, errors = capfd.readouterr()
    if kind == "json":
        (row,) = json.loads(output)
    else:
        (row,) = csv.DictReader(output.splitlines())
    assert row["file"] == str(file) and float(row["seconds"]) > 0
    assert f"1 of 1 counted, {format_people(float(row['count']))} people" in errors


def test_image_named_several_times_is_counted_once(run, images):
    file = images / "2.jpg"
    status, output, _ = run(file, file, images / "*.jpg")
    assert status == 0 and "1 of 1 counted" in output


def test_standard_input_is_counted(run, images, ready, monkeypatch, tmp_path):
    file = images / "2.jpg"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    status, _, _ = run("-", "--json", tmp_path / "a.json", "--density", tmp_path)
    (row,) = json.loads((tmp_path / "a.json").read_text())
    assert status == 0
    assert (row["file"], row["error"]) == ("-", None)
    assert row["count"] == ready.count(file).count
    assert (tmp_path / "standard_input.npy").exists()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"words")))
    status, _, errors = run("-")
    assert (status, errors[:40]) == (1, "count: standard input is not a JPEG, PNG")


def test_notes_on_an_image_are_printed(run, tmp_path):
    file, gray = tmp_path / "two.tif", Image.new("L", (70, 70))
    gray.save(file, save_all=True, append_images=[gray])
    status, _, errors = run(file)
    assert status == 0
    assert errors == f"count: {file} has 2 frames: the first is counted\n"


def test_counts_before_ctrl_c_are_written(run, images, ready, tmp_path, monkeypatch):
    counted = []

    def interrupted_count(image, **options):
        if counted:
            raise KeyboardInterrupt
        counted.append(image)
        return real(image, **options)

    real = ready.count
    monkeypatch.setattr(ready, "count", interrupted_count)
    status, output, _ = run(images, "--json", tmp_path / "a.json")
    rows = json.loads((tmp_path / "a.json").read_text())
    assert status == 130 and "1 of 3 counted" in output
    assert rows[0]["error"] is None and rows[0]["count"] is not None
    assert [row["error"].split(": ")[1] for row in rows[1:]] == [
        "stopped before it was counted"
    ] * 2


def test_sigterm_writes_the_counts_so_far(trained, images, tmp_path):
    """A real process, whose lines arrive while it counts."""
    for n in range(300):
        shutil.copy(images / "2.jpg", images / f"{n:03}.jpg")
    table, weights = tmp_path / "a.csv", f"--weights={trained}"
    words = ("-m", "cpcnn_jax", "count", images, "--csv", table, weights)
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=tiny_experiment.ROOT,
        env=tiny_experiment.environment(1),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        read = [process.stdout.readline() for _ in range(3)]
        process.terminate()
        output, errors = process.communicate(timeout=300)
    assert process.returncode == 130 and "Traceback" not in errors
    assert "count: stopped; the results so far are written" in errors
    rows = list(csv.DictReader(table.read_text().splitlines()))
    counted = [row for row in rows if row["count"]]
    assert 2 <= len(counted) < len(rows) == 303 and counted == rows[: len(counted)]
    assert f"{len(counted)} of 303 counted" in output and "000.jpg" in read[1]


def test_results_of_an_earlier_run_are_left_out(run, images, tmp_path):
    flags = ("--overlay", images / "overlays", "--csv", tmp_path / "a.csv")
    first = run(images, *flags)
    table = (tmp_path / "a.csv").read_text()
    again = run(images, *flags)
    assert first[0] == again[0] == 0 and "left out" not in first[1]
    assert "left out: 3 results of an earlier run" in again[1]
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 4
    assert len(table.splitlines()) == 4


def test_credentials_of_a_misspelled_url_are_hidden(run, tmp_path):
    table = tmp_path / "a.csv"
    status, output, errors = run("rstp://me:secret@door.local/1", "--csv", table)
    assert status == 1 and "did you mean rtsp?" in errors
    assert "secret" not in output + errors + table.read_text()


def test_file_name_that_is_not_utf_8_is_written(run, images, ready, tmp_path):
    odd = os.fsdecode(b"caf\xe9.png")
    (images / "a" / "1.png").rename(images / odd)
    flags = ["--json", tmp_path / "a.json", "--csv", tmp_path / "a.csv"]
    status, output, _ = run(images / odd, *flags)
    assert status == 0 and "caf\\udce9.png" in output
    (row,) = json.loads((tmp_path / "a.json").read_text())
    assert row["file"] == str(images / odd)
    assert b"caf\xe9.png," in (tmp_path / "a.csv").read_bytes()


def test_failure_to_write_is_an_error_of_the_file(run, images, tmp_path):
    (tmp_path / "maps" / "2.jpg.npy").mkdir(parents=True)
    status, _, errors = run(images, "--density", tmp_path / "maps")
    assert status == 1
    assert f"Is a directory: '{tmp_path}/maps/2.jpg.npy'" in errors
    assert (tmp_path / "maps" / "a" / "1.png.npy").exists()


def test_default_is_pretrained(
    run, images, trained, ready, tmp_path, monkeypatch, capsys
):
    weights = trained / "weights.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    card = f"{pretrained.DEFAULT}.md"
    shutil.copy(pretrained.FOLDER / card, tmp_path / card)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    monkeypatch.setattr(pretrained, "PRETRAINED", {pretrained.DEFAULT: digest})
    with pytest.raises(SystemExit) as stopped:
        run(images, weights=None)
    assert stopped.value.code == 2
    (text,) = capsys.readouterr().err.splitlines()
    assert text.startswith(f"count: the weights {pretrained.DEFAULT} are not part")
    (tmp_path / f"{pretrained.DEFAULT}.safetensors").symlink_to(weights)
    status, output, errors = run(images / "2.jpg", weights=None)
    assert (status, errors) == (0, "")
    assert f" {format_people(ready.count(images / '2.jpg').count)}  " in output
    terms = pretrained.license_line(pretrained.DEFAULT)
    assert output.splitlines()[-1] == f"weights: {pretrained.DEFAULT}, {terms}"
    assert output.count("for research only") == 1


def test_imported_weights_are_found_by_name(images, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CPCNN_CACHE", str(tmp_path / "cache"))
    with pytest.raises(SystemExit):
        count.main([str(images), "--weights=mcnn"])
    assert capsys.readouterr().err == (
        f"count: no weights mcnn in {tmp_path}/cache/weights: `cpcnn_jax "
        "import-weights mcnn` writes them (--help lists the flags)\n"
    )
    shapes = param_shapes(MCNN(), channels=1)
    ones = {name: np.full(shape, 1e-3, np.float32) for name, shape in shapes.items()}
    file = user_cache.weights_file("mcnn")
    serialization.save_baseline(file, ones, "mcnn")
    assert count.main([str(images / "2.jpg"), "--weights=mcnn"]) == 0
    expected = cp.load(file).count(images / "2.jpg").count
    output = capsys.readouterr().out
    assert f" {format_people(expected)}  " in output and "weights: mcnn\n" in output


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--region", "a=1,2;3,4"], "'a=1,2;3,4' is not a region"),
        (["--region", "a=0,0;9,0;9,9"] * 2, "two regions have the same name, 'a'"),
        (["--region", "low=0,0;9,0;9,9"], "--region: 'low' is a column of the tables"),
        (["--overlay", "setup.cfg"], "--overlay=setup.cfg is a file: name a folder"),
        (["--region", "a=0%,0%;101%,0%;9%,9%"], "not from 0% to 100%"),
        (["--region", "a=0%,0%;9,0;9%,9%"], "has pixels and percent"),
        (["--max-size", "63"], "--max-size: expected at least 64, got 63"),
        (["--tile-size", "100"], "tiles of at least 132 pixels"),
        (["--tile-size", "many"], "invalid int value: 'many'"),
        (["--density", "setup.cfg/maps"], "setup.cfg"),
        (["--weights", "nowhere"], "no weights at nowhere"),
        (["--weights", "shanghaitec_a"], "_a, did you mean shanghaitech_a?"),
        (["--weights", "setup.cfg"], "setup.cfg is not a safetensors file"),
        (["--counts"], "unrecognized arguments: --counts"),
    ],
)
def test_wrong_command_line_is_one_sentence(
    flags, text, trained, images, capsys, monkeypatch
):
    monkeypatch.chdir(tiny_experiment.ROOT)
    with pytest.raises(SystemExit) as stopped:
        count.main([str(images), "--weights", str(trained), *flags])
    output, errors = capsys.readouterr()
    assert stopped.value.code == 2 and not output
    assert errors.startswith("count: ") and text in errors
    assert len(errors.splitlines()) == 1


def test_command_line_without_images_is_rejected(capsys):
    with pytest.raises(SystemExit) as stopped:
        count.main([])
    assert stopped.value.code == 2
    assert "required: PATH" in capsys.readouterr().err


def test_lack_of_memory_is_an_error_of_the_file(images, ready, monkeypatch):
    def fail(*_, **__):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory\nmore")

    monkeypatch.setattr(ready, "count", fail)
    rows, _ = count_files.list_files([str(images / "2.jpg")])
    (row,) = count_files.count_files(rows, ready, CountOptions())
    assert row.error == (
        f"{images}/2.jpg: RESOURCE_EXHAUSTED: Out of memory; try a smaller --tile-size"
    )


def test_real_images_are_counted(run, real_data, tmp_path):
    files = [real_data / "UCF_CC_50" / f"{number}.jpg" for number in (1, 2)]
    status, output, _ = run(*files, "--max-size", "256")
    assert status == 0 and "2 of 2 counted" in output


def test_ranges_and_heads(run, images, trained, tmp_path):
    """Intervals of the weights and heads of images, in the table and the files."""
    file, out = trained / "weights.safetensors", tmp_path / "out"
    ranges = {"thresholds": [], "log_ratios": [0.5], "num_images": 12}
    weights = tmp_path / "ranges.safetensors"
    model = serialization.load_model(file)
    serialization.save(weights, serialization.load(file), model, intervals=ranges)
    flags = ("--json", out / "a.json", "--points", out / "heads.csv")
    status, output, errors = run(images, *flags, weights=weights)
    assert (status, errors) == (0, "")
    networks, lines = cp.load(weights), output.splitlines()
    heads = list(csv.DictReader((out / "heads.csv").read_text().splitlines()))
    assert lines[0].split() == ["file", "people", "range", "(90%)", "seconds"]
    for row, line in zip(
        json.loads((out / "a.json").read_text()), lines[1:], strict=False
    ):
        result = networks.count(row["file"])
        assert (row["low"], row["high"]) == (result.low, result.high)
        ends = f"{format_people(result.low)} to {format_people(result.high)}"
        assert ends in " ".join(line.split())
        found = [
            [float(h["x"]), float(h["y"])] for h in heads if h["file"] == row["file"]
        ]
        assert found == result.points.round(1).tolist()


def test_heads_can_go_to_standard_output(trained, images, capfd):
    flags = ["--weights", str(trained), "--points", "-"]
    assert count.main([str(images / "b"), *flags]) == 0
    output, errors = capfd.readouterr()
    assert {*csv.DictReader(output.splitlines()).fieldnames} == {"file", "x", "y"}
    assert "1 of 1 counted" in errors


def test_heads_and_counts_in_one_file_are_refused(run, images, tmp_path):
    file = tmp_path / "a.csv"
    with pytest.raises(SystemExit):
        run(images, "--csv", file, "--points", file)
    assert not file.exists()
