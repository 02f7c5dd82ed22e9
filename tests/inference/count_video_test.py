"""Films through the command: crowds that come and go, and a network that sees grey."""

import csv
import json

import jax
import numpy as np
import pytest
from PIL import Image

from cpcnn_jax import config, data
from cpcnn_jax.cli import count
from cpcnn_jax.inference import count_video, counter
from cpcnn_jax.io import video as video_io

av = pytest.importorskip("av")
NUMBER = 7  # frames of the film, two a second


def grey(_, pixels, progress):
    """A network whose density is a thousandth of the grey level."""
    return pixels.mean(axis=2, dtype=np.float32) / 255_000


@pytest.fixture(scope="module")
def ready():
    return counter.Baseline(grey, {})


@pytest.fixture(scope="module")
def scenes():
    crowd = config.SyntheticCrowd(num_test=NUMBER, height=96, width=128, max_heads=60)
    source = data.open_dataset(crowd, "test")
    return [source[i]["image"] for i in range(NUMBER)]


@pytest.fixture(scope="module")
def whole(scenes, tmp_path_factory):
    """A film without loss."""
    path = tmp_path_factory.mktemp("films") / "crowd.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=2)
        stream.pix_fmt, stream.height, stream.width = "rgb24", 96, 128
        for image in scenes:
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def damaged(whole, tmp_path):
    """The film, whose fifth frame is unreadable."""
    written = whole.read_bytes()
    starts = [i for i in range(len(written)) if written.startswith(b"\x89PNG", i)]
    path = tmp_path / "damaged.avi"
    path.write_bytes(written[: starts[4]] + b"\xff" * 12 + written[starts[4] + 12 :])
    return path


@pytest.fixture
def run(ready, monkeypatch, capsys):
    monkeypatch.setattr(counter, "load", lambda path, *, tile: ready)

    def run(*words):
        status = count.main([*map(str, words), "--weights", "any"])
        return status, *capsys.readouterr()

    return run


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def column(path, name):
    return [float(row[name]) for row in table(path)]


def test_a_film(run, whole, scenes, ready, tmp_path):
    out = tmp_path / "out"
    status, said, notes = run(
        *(whole, "--frame-step", 2, "--count-curve", out, "--overlay", out / "deep"),
        *("--json", out / "a.json", "--region", "left=0,0;64,0;64,96;0,96"),
    )
    assert status == 0
    expected = [ready.count(image) for image in scenes[::2]]
    counts = [found.count for found in expected]
    rows = table(out / "crowd.avi.csv")
    assert list(rows[0]) == ["frame", "seconds", "count", "smoothed", "left"]
    assert [row["frame"] for row in rows] == ["0", "2", "4", "6"]
    assert [row["seconds"] for row in rows] == ["0.0", "1.0", "2.0", "3.0"]
    assert column(out / "crowd.avi.csv", "count") == counts
    inside = [float(found.density[:, :64].sum(dtype=float)) for found in expected]
    np.testing.assert_allclose(column(out / "crowd.avi.csv", "left"), inside, rtol=1e-5)
    (row,) = json.loads((out / "a.json").read_text())
    assert (row["file"], row["error"]) == (str(whole), None)
    assert row["count"] == pytest.approx(np.mean(counts))
    assert row["regions"]["left"] == pytest.approx(np.mean(inside))
    assert notes == (
        f"count: {whole}: the mean of 4 frames, one of every 2; they have "
        f"{min(counts):,.1f} to {max(counts):,.1f} people\n"
    )
    assert f"{np.mean(counts):.1f}" in said and "1 of 1 counted" in said
    with Image.open(out / "crowd.avi.png") as picture:
        assert picture.size == (1080, 480)
    with video_io.open_video(out / "deep" / "crowd.avi.mp4", every=1) as drawn:
        frames = list(drawn.frames)
    assert drawn.rate == 1 and len(frames) == 4
    assert frames[0].pixels.shape == (96, 128, 3)


def test_smoothing_keeps_a_constant_and_spreads_a_peak():
    """The Gaussian of a second, written out; its sum is the peak's."""
    flat = count_video.VideoCount(rate=5.0, counts=[3.0] * 40)
    np.testing.assert_allclose(flat.smooth(), 3)
    peak = count_video.VideoCount(rate=2.0, counts=[0.0] * 40 + [10.0] + [0.0] * 40)
    spread = np.exp(-np.square(np.arange(-40, 41) / 2.0) / 2)
    np.testing.assert_allclose(
        peak.smooth(), 10 * spread / spread.sum(), rtol=1e-3, atol=1e-3
    )


def test_of_a_damaged_film_the_frames_before_are_kept(run, whole, damaged, tmp_path):
    out, none = tmp_path / "out", tmp_path / "none.mp4"
    none.write_text("these are words")
    words = [
        damaged,
        none,
        whole,
        "--frame-step",
        1,
        "--count-curve",
        out,
        "--overlay",
        out,
    ]
    status, said, complaints = run(*words, "--json", out / "a.json")
    rows = json.loads((out / "a.json").read_text())
    assert status == 1 and "1 of 3 counted" in said
    assert rows[0]["error"].startswith(f"{damaged} is damaged after 4 frames: ")
    assert rows[1]["error"].startswith(f"{none} cannot be read as a film: Invalid")
    assert rows[0]["error"] in complaints and rows[1]["error"] in complaints
    assert rows[2]["error"] is None
    kept = column(out / "damaged.avi.csv", "count")
    assert len(kept) == 4 and kept == column(out / "crowd.avi.csv", "count")[:4]
    with video_io.open_video(out / "damaged.avi.mp4", every=1) as drawn:
        assert len(list(drawn.frames)) == 4
    assert not list(out.glob("none*"))


def test_after_ctrl_c_the_frames_before_are_kept(
    run, whole, ready, tmp_path, monkeypatch
):
    real, counted = ready.count, []

    def stopped(image, **options):
        if len(counted) == 3:
            raise KeyboardInterrupt
        counted.append(image)
        return real(image, **options)

    monkeypatch.setattr(ready, "count", stopped)
    words = ["--frame-step", 1, "--count-curve", tmp_path, "--overlay", tmp_path]
    status, said, _ = run(whole, *words, "--json", tmp_path / "a.json")
    (row,) = json.loads((tmp_path / "a.json").read_text())
    assert status == 130 and "0 of 1 counted" in said
    assert row["error"] == f"{whole}: stopped before it was counted"
    assert len(table(tmp_path / "crowd.avi.csv")) == 3
    with video_io.open_video(tmp_path / "crowd.avi.mp4", every=1) as drawn:
        assert len(list(drawn.frames)) == 3


def test_frames_that_are_too_small_and_regions_outside_name_the_frame(
    run, whole, tmp_path
):
    words = ["--region", "door=0,0;0,96;500,96", "--json", tmp_path / "a.json"]
    assert run(whole, *words)[0] == 1
    (row,) = json.loads((tmp_path / "a.json").read_text())
    assert row["error"].startswith(
        f"{whole}, frame 0: the corner 500,96 of region door"
    )
    status, _, complaints = run(whole, "--max-size", 70)
    assert status == 1
    assert f"count: {whole}, frame 0: the image has 70x52 pixels; the" in complaints


def test_a_shrunk_film_keeps_its_regions(run, whole, scenes, ready, tmp_path):
    words = ["--frame-step", 7, "--max-size", 100, "--count-curve", tmp_path]
    region = ["--region", "all=0,0;128,0;128,96;0,96", "--overlay", tmp_path]
    assert run(whole, *words, *region)[0] == 0
    expected = ready.count(scenes[0], max_size=100).count
    assert column(tmp_path / "crowd.avi.csv", "all") == pytest.approx([expected])
    with video_io.open_video(tmp_path / "crowd.avi.mp4", every=1) as drawn:
        assert next(drawn.frames).pixels.shape == (74, 100, 3)  # of 75 rows


def test_a_film_that_ends_too_soon_is_counted_and_said_to(run, whole, tmp_path):
    """An AVI's header says how many frames follow."""
    path, written = tmp_path / "short.avi", whole.read_bytes()
    starts = [i for i in range(len(written)) if written.startswith(b"\x89PNG", i)]
    path.write_bytes(written[: starts[4] - 8])  # the frame's name and length
    status, _, notes = run(path, "--frame-step", 1)
    assert status == 0
    assert notes.startswith(f"count: {path}: the mean of 4 frames, one of every 1")
    assert notes.endswith(f"; {NUMBER} were announced: is the film whole?\n")


def test_every_is_checked(whole, capsys):
    with pytest.raises(SystemExit) as stopped:
        count.main([str(whole), "--weights", "any", "--frame-step", "0"])
    assert stopped.value.code == 2
    assert "--frame-step: expected at least 1, got 0" in capsys.readouterr().err


def test_an_accelerator_without_memory_is_the_film_s_error(
    run, whole, ready, monkeypatch
):
    def full(*_, **__):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    monkeypatch.setattr(ready, "count", full)
    status, _, complaints = run(whole)
    assert status == 1 and f"{whole}: RESOURCE_EXHAUSTED" in complaints
