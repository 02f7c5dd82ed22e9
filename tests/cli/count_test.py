"""The command as a user types it: what is counted, written and refused."""

import csv
import io
import json
import os
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import tiny_experiment
from PIL import Image

import cpcnn_jax as cp
from cpcnn_jax.cli import count
from cpcnn_jax.inference import count_files, counter, tiling
from cpcnn_jax.models.mcnn import MCNN
from cpcnn_jax.models.params import param_shapes
from cpcnn_jax.weights import serialization


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
    """Loaded once, so that its programs are compiled once for all tests."""
    return cp.load(trained)


@pytest.fixture
def run(trained, ready, monkeypatch, capsys):
    """(status, stdout, stderr) of the command with these words."""
    load = counter.load

    def once(path, *, tile):
        ours = path in (str(trained), counter.DEMO) and Path(path).exists()
        return ready if ours and tile == tiling.TILE else load(path, tile_size=tile)

    monkeypatch.setattr(counter, "load", once)

    def run(*words, weights=trained):
        chosen = ["--weights", str(weights)] if weights else []
        status = count.main([*map(str, words), *chosen])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def photographs(tmp_path):
    """Two of one name, in two folders, and one larger."""
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


def test_a_folder(run, photographs, ready, tmp_path):
    out = tmp_path / "out"
    status, said, complaints = run(
        *(photographs, "--json", out / "deep" / "a.json", "--csv", out / "a.csv"),
        *("--density", out / "maps", "--overlay", out / "pictures"),
        *("--region", "top left=0,0;32,0;32,32;0,32"),
    )
    assert (status, complaints) == (0, "")
    files = [str(photographs / name) for name in ("2.jpg", "a/1.png", "b/1.png")]
    expected = [ready.count(file) for file in files]
    rows = json.loads((out / "deep" / "a.json").read_text())
    assert [row["file"] for row in rows] == files
    assert [row["count"] for row in rows] == [found.count for found in expected]
    assert [row["error"] for row in rows] == [None] * 3
    corners = [float(found.density[:32, :32].sum(dtype=float)) for found in expected]
    inside = [row["regions"]["top left"] for row in rows]
    np.testing.assert_allclose(inside, corners, rtol=1e-5)
    table = list(csv.DictReader((out / "a.csv").read_text().splitlines()))
    assert [float(row["count"]) for row in table] == [row["count"] for row in rows]
    assert all(float(row["seconds"]) > 0 for row in table)
    np.testing.assert_allclose([float(row["top left"]) for row in table], inside)
    for place, found in zip(("2.jpg", "a/1.png", "b/1.png"), expected, strict=True):
        np.testing.assert_array_equal(
            np.load(out / "maps" / f"{place}.npy"), found.density
        )
        with Image.open(out / "pictures" / f"{place}.png") as picture:
            assert min(picture.size) > 64
    lines = said.splitlines()
    assert lines[0].split() == ["file", "count", "seconds", "top", "left"]
    assert [line.split()[0] for line in lines[1:4]] == files
    assert lines[1].split()[1] == f"{expected[0].count:.1f}"
    total = sum(found.count for found in expected)
    assert lines[4] == f"3 of 3 counted, {total:,.1f} people in all"


def test_bad_files_are_named_and_the_others_counted(run, photographs, tmp_path):
    text = photographs / "words.jpg"
    text.write_text("these are words")
    (photographs / "empty.png").touch()
    Image.new("L", (1, 1)).save(photographs / "dot.png")
    (tmp_path / "none").mkdir()
    words = [photographs, photographs / "gone.jpg", tmp_path / "none", "x*y"]
    status, said, complaints = run(*words, "--json", tmp_path / "a.json")
    assert status == 1
    rows = json.loads((tmp_path / "a.json").read_text())
    failed = {row["file"]: row["error"] for row in rows if row["count"] is None}
    assert [set(row) for row in rows] == [{"file", "count", "error"}] * 9
    assert failed == {
        str(photographs / "dot.png"): f"{photographs}/dot.png has 1x1 pixels; the "
        "networks need at least 64x64",
        str(photographs / "empty.png"): f"{photographs}/empty.png is not a JPEG, PNG, "
        "WEBP, BMP or TIFF image",
        str(text): f"{text} is not a JPEG, PNG, WEBP, BMP or TIFF image",
        str(photographs / "gone.jpg"): f"{photographs}/gone.jpg cannot be opened: No "
        "such file or directory",
        str(tmp_path / "none"): f"{tmp_path}/none holds no photographs (.jpg, .jpeg, "
        ".png, .webp, .bmp, .tif, .tiff)",
        "x*y": "x*y matches no file",
    }
    assert sorted(complaints.splitlines()) == sorted(
        f"count: {error}" for error in failed.values()
    )
    assert "3 of 9 counted" in said


def test_a_region_outside_is_that_file_s_error(run, photographs, tmp_path):
    words = [
        photographs,
        "--region",
        "door=0,0;0,64;80,64",
        "--json",
        tmp_path / "a.json",
    ]
    status, _, complaints = run(*words)
    assert status == 1
    rows = json.loads((tmp_path / "a.json").read_text())
    assert [row["count"] is None for row in rows] == [False, False, True]
    assert rows[2]["error"] == (
        f"{photographs}/b/1.png: the corner 80,64 of region door lies outside of its "
        "64x64 pixels"
    )
    assert "regions" not in rows[2] and "regions" in rows[1]
    assert rows[2]["error"] in complaints


def test_a_photograph_is_counted_once_however_often_it_is_named(run, photographs):
    word = photographs / "2.jpg"
    status, said, _ = run(word, word, photographs / "*.jpg")
    assert status == 0 and "1 of 1 counted" in said


def test_standard_input(run, photographs, ready, monkeypatch, tmp_path):
    file = photographs / "2.jpg"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    status, _, _ = run("-", "--json", tmp_path / "a.json", "--density", tmp_path)
    (row,) = json.loads((tmp_path / "a.json").read_text())
    assert status == 0
    assert row == {"file": "-", "count": ready.count(file).count, "error": None}
    assert (tmp_path / "standard_input.npy").exists()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"words")))
    status, _, complaints = run("-")
    assert (status, complaints[:40]) == (1, "count: standard input is not a JPEG, PNG")


def test_what_was_done_to_a_photograph_is_said(run, tmp_path):
    file, grey = tmp_path / "two.tif", Image.new("L", (70, 70))
    grey.save(file, save_all=True, append_images=[grey])
    status, _, complaints = run(file)
    assert status == 0
    assert complaints == f"count: {file} has 2 frames: the first is counted\n"


def test_after_ctrl_c_what_was_counted_is_written(
    run, photographs, ready, tmp_path, monkeypatch
):
    counted = []

    def stopped(image, **options):
        if counted:
            raise KeyboardInterrupt
        counted.append(image)
        return real(image, **options)

    real = ready.count
    monkeypatch.setattr(ready, "count", stopped)
    status, said, _ = run(photographs, "--json", tmp_path / "a.json")
    rows = json.loads((tmp_path / "a.json").read_text())
    assert status == 130 and "1 of 3 counted" in said
    assert rows[0]["error"] is None and rows[0]["count"] is not None
    assert [row["error"].split(": ")[1] for row in rows[1:]] == [
        "stopped before it was counted"
    ] * 2


def test_names_that_are_no_text(run, photographs, ready, tmp_path):
    odd = os.fsdecode(b"caf\xe9.png")
    (photographs / "a" / "1.png").rename(photographs / odd)
    words = ["--json", tmp_path / "a.json", "--csv", tmp_path / "a.csv"]
    status, said, _ = run(photographs / odd, *words)
    assert status == 0 and "caf\\udce9.png" in said
    (row,) = json.loads((tmp_path / "a.json").read_text())
    assert row["file"] == str(photographs / odd)
    assert b"caf\xe9.png," in (tmp_path / "a.csv").read_bytes()


def test_a_full_disk_is_the_file_s_error(run, photographs, tmp_path):
    (tmp_path / "maps" / "2.jpg.npy.tmp").mkdir(parents=True)  # in the way
    status, _, complaints = run(photographs, "--density", tmp_path / "maps")
    assert status == 1
    assert f"Is a directory: '{tmp_path}/maps/2.jpg.npy'" in complaints
    assert (tmp_path / "maps" / "a" / "1.png.npy").exists()


def test_weights_of_the_demo_are_found_or_asked_for(
    run, photographs, trained, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        run(photographs, weights=None)
    assert stopped.value.code == 2
    (text,) = capsys.readouterr().err.splitlines()
    assert text.startswith(f"count: no --weights, and {counter.DEMO} is not there")
    assert "`make demo`" in text
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "demo").symlink_to(trained)
    status, _, complaints = run(photographs, weights=None)
    assert status == 0
    assert complaints.startswith("count: with runs/demo/weights.safetensors, a small")


def test_the_usual_weights_of_a_model(photographs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        count.main([str(photographs), "--model=mcnn"])
    assert capsys.readouterr().err == (
        "count: no --weights, and weights/mcnn.safetensors is not there: `python -m "
        "cpcnn_jax mcnn` writes it (--help lists the flags)\n"
    )
    shapes = param_shapes(MCNN(), channels=1)
    ones = {name: np.full(shape, 1e-3, np.float32) for name, shape in shapes.items()}
    serialization.save_baseline("weights/mcnn.safetensors", ones, "mcnn")
    assert count.main([str(photographs / "2.jpg"), "--model=mcnn"]) == 0
    expected = cp.load("weights/mcnn.safetensors").count(photographs / "2.jpg").count
    assert f"  {expected:.1f}  " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--region", "a=1,2;3,4"], "'a=1,2;3,4' is no region"),
        (
            ["--region", "a=0,0;9,0;9,9", "--region", "a=0,0;9,0;9,9"],
            "a name of its own",
        ),
        (["--max-size", "63"], "--max-size: expected at least 64, got 63"),
        (["--tile-size", "100"], "tiles of at least 144 pixels"),
        (["--tile-size", "many"], "invalid int value: 'many'"),
        (["--density", "setup.cfg/maps"], "setup.cfg"),
        (["--weights", "nowhere"], "no weights at nowhere"),
        (["--model", "vgg"], "invalid choice: 'vgg'"),
        (["--model", "mcnn"], "--model=mcnn, but "),
        (["--weights", "setup.cfg"], "setup.cfg does not say which networks it holds"),
        (["--count"], "unrecognized arguments: --count"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(
    words, text, trained, photographs, capsys, monkeypatch
):
    monkeypatch.chdir(tiny_experiment.ROOT)
    with pytest.raises(SystemExit) as stopped:
        count.main([str(photographs), "--weights", str(trained), *words])
    said = capsys.readouterr()
    assert stopped.value.code == 2 and not said.out
    assert said.err.startswith("count: ") and text in said.err
    assert len(said.err.splitlines()) == 1


def test_no_photographs_on_the_command_line(capsys):
    with pytest.raises(SystemExit) as stopped:
        count.main([])
    assert stopped.value.code == 2
    assert "required: PATH" in capsys.readouterr().err


def test_an_accelerator_without_memory_is_the_file_s_error(
    photographs, ready, monkeypatch
):
    def full(*_, **__):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory\nmore")

    monkeypatch.setattr(ready, "count", full)
    rows = count_files.list_files([str(photographs / "2.jpg")])
    (row,) = count_files.count_files(rows, ready, count_files.CountOptions())
    assert row.error == (
        f"{photographs}/2.jpg: RESOURCE_EXHAUSTED: Out of memory; try a smaller "
        "--tile-size"
    )


def test_real_photographs_are_counted(run, real_data, tmp_path):
    words = [real_data / "UCF_CC_50" / "1.jpg", real_data / "UCF_CC_50" / "2.jpg"]
    status, said, _ = run(*words, "--max-size", "256")
    assert status == 0 and "2 of 2 counted" in said
