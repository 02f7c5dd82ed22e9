"""Videos of synthetic crowds, counted by the command with a network of gray levels."""

import csv
import json
from fractions import Fraction
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from cpcnn_jax import config, data
from cpcnn_jax.cli import count
from cpcnn_jax.inference import count_video, counter, video_overlay
from cpcnn_jax.inference.people import format_people
from cpcnn_jax.io import video as video_io
from cpcnn_jax.weights import pretrained

av = pytest.importorskip("av")
NUMBER = 7  # frames of the video, two a second


def gray_density(_, pixels, progress):
    """Estimates a thousandth of the gray level as density."""
    return pixels.mean(axis=2, dtype=np.float32) / 255_000


@pytest.fixture(scope="module")
def ready():
    return counter.BaselineCounter(gray_density, {})


@pytest.fixture(scope="module")
def scenes():
    crowd = config.SyntheticCrowd(num_test=NUMBER, height=96, width=128, max_heads=60)
    source = data.open_dataset(crowd, "test")
    return [source[i]["image"] for i in range(NUMBER)]


@pytest.fixture(scope="module")
def video(scenes, tmp_path_factory):
    """A video with lossless frames."""
    path = tmp_path_factory.mktemp("videos") / "crowd.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=2)
        stream.pix_fmt, stream.height, stream.width = "rgb24", 96, 128
        for image in scenes:
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def damaged(video, tmp_path):
    """The video with an unreadable fifth frame."""
    written = video.read_bytes()
    starts = [i for i in range(len(written)) if written.startswith(b"\x89PNG", i)]
    path = tmp_path / "damaged.avi"
    path.write_bytes(written[: starts[4]] + b"\xff" * 12 + written[starts[4] + 12 :])
    return path


@pytest.fixture
def run(ready, monkeypatch, capsys):
    monkeypatch.setattr(counter, "load", lambda path, *, tile_size: ready)
    monkeypatch.setattr(pretrained, "find_weights", Path)

    def run(*arguments):
        status = count.main([*map(str, arguments), "--weights", "any"])
        return status, *capsys.readouterr()

    return run


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def column(path, name):
    return [float(row[name]) for row in table(path)]


def test_results_of_a_video(run, video, scenes, ready, tmp_path):
    out = tmp_path / "out"
    status, output, notes = run(
        *(video, "--frame-step", 2, "--count-curve", out, "--overlay", out / "deep"),
        *("--json", out / "a.json", "--region", "left=0,0;64,0;64,96;0,96"),
    )
    assert status == 0
    expected = [ready.count(image) for image in scenes[::2]]
    counts = [result.count for result in expected]
    rows = table(out / "crowd.avi.csv")
    assert list(rows[0]) == ["frame", "seconds", "count", "smoothed", "left"]
    assert [row["frame"] for row in rows] == ["0", "2", "4", "6"]
    assert [row["seconds"] for row in rows] == ["0.0", "1.0", "2.0", "3.0"]
    assert column(out / "crowd.avi.csv", "count") == counts
    inside = [float(r.density[:, :64].sum(dtype=float)) for r in expected]
    np.testing.assert_allclose(column(out / "crowd.avi.csv", "left"), inside, rtol=1e-5)
    (row,) = json.loads((out / "a.json").read_text())
    assert (row["file"], row["error"]) == (str(video), None)
    assert row["count"] == pytest.approx(np.mean(counts))
    assert row["regions"]["left"] == pytest.approx(np.mean(inside))
    assert notes == (
        f"count: {video}: the mean of 4 frames, one of every 2; they have "
        f"{format_people(min(counts))} to {format_people(max(counts))} people\n"
    )
    people = format_people(np.mean(counts))
    assert output.splitlines()[1].split()[1] == people and "1 of 1 counted" in output
    with Image.open(out / "crowd.avi.png") as picture:
        assert picture.size == (1200, 480)
    with video_io.open_video(out / "deep" / "crowd.avi.mp4", frame_step=1) as drawn:
        frames = list(drawn.frames)
    assert drawn.rate == 1 and len(frames) == 4
    assert frames[0].pixels.shape == (96, 128, 3)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 40])
def test_smoothing_keeps_parabolas(number):
    time = np.arange(number) / 5
    counts = (3 + 4 * time - time**2).tolist()
    smooth = count_video.VideoCount(rate=5.0, counts=counts).smooth()
    np.testing.assert_allclose(smooth, counts, atol=1e-9)


def test_smoothing_keeps_a_peak_and_reduces_noise():
    time = np.arange(120.0)
    crowd = 20 + 80 * np.exp(-np.square((time - 60) / 6) / 2)
    noise = np.random.default_rng(0).normal(0, 5, 120)
    video = count_video.VideoCount(counts=[*(crowd + noise)], seconds=[*time])
    assert abs(video.smooth()[60] - 100) < 10
    quiet = video.smooth()[:40] - 20
    assert quiet.std() < 0.8 * noise[:40].std()
    assert video.peak() == (max(video.counts), time[np.argmax(video.counts)])


def test_frames_before_the_damage_are_written(run, video, damaged, tmp_path):
    out, none = tmp_path / "out", tmp_path / "none.mp4"
    none.write_text("these are words")
    flags = ["--frame-step", 1, "--count-curve", out, "--overlay", out]
    status, output, errors = run(damaged, none, video, *flags, "--json", out / "a.json")
    rows = json.loads((out / "a.json").read_text())
    assert status == 1 and "2 of 3 counted" in output
    assert rows[0]["error"].startswith(f"{damaged} is damaged after 4 frames: ")
    assert rows[1]["error"].startswith(f"{none} cannot be read as a video: Invalid")
    assert rows[0]["error"] in errors and rows[1]["error"] in errors
    assert rows[2]["error"] is None
    counts = column(out / "damaged.avi.csv", "count")
    assert len(counts) == 4
    assert counts == column(out / "crowd.avi.csv", "count")[:4]
    assert rows[0]["count"] == pytest.approx(np.mean(counts))
    with video_io.open_video(out / "damaged.avi.mp4", frame_step=1) as drawn:
        assert len(list(drawn.frames)) == 4
    assert not list(out.glob("none*"))


def test_frames_before_ctrl_c_are_written(run, video, ready, tmp_path, monkeypatch):
    real, counted = ready.count, []

    def interrupted_count(image, **options):
        if len(counted) == 3:
            raise KeyboardInterrupt
        counted.append(image)
        return real(image, **options)

    monkeypatch.setattr(ready, "count", interrupted_count)
    flags = ["--frame-step", 1, "--count-curve", tmp_path, "--overlay", tmp_path]
    status, output, _ = run(video, *flags, "--json", tmp_path / "a.json")
    (row,) = json.loads((tmp_path / "a.json").read_text())
    assert status == 130 and "1 of 1 counted" in output
    assert row["error"] == f"{video}: stopped before its end"
    counts = column(tmp_path / "crowd.avi.csv", "count")
    assert len(counts) == 3 and row["count"] == pytest.approx(np.mean(counts))
    with video_io.open_video(tmp_path / "crowd.avi.mp4", frame_step=1) as drawn:
        assert len(list(drawn.frames)) == 3


def test_mean_is_over_the_time(run, scenes, ready, tmp_path, monkeypatch):
    """Frames at 0, 0.5 and 1 s, of which the last is shown until 4 s."""
    path = tmp_path / "slow.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.pix_fmt, stream.height, stream.width = "bgr0", 96, 128
        stream.codec_context.time_base = Fraction(1, 1000)
        for milliseconds, image in zip((0, 500, 1000, 4000), scenes[:4], strict=True):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = milliseconds, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    counted, real = [], ready.count

    def count_once(image, **options):
        counted.append(image)
        return real(image, **options)

    monkeypatch.setattr(ready, "count", count_once)
    status, _, notes = run(path, "--count-curve", tmp_path, "--overlay", tmp_path)
    assert status == 0 and "the mean of 5 frames, one per second; they" in notes
    expected = [real(scenes[i]).count for i in (0, 2, 2, 2, 3)]
    np.testing.assert_allclose(column(tmp_path / "slow.mkv.csv", "count"), expected)
    assert column(tmp_path / "slow.mkv.csv", "seconds") == [0, 1, 2, 3, 4]
    assert len(counted) == 3  # a frame that is shown longer is counted once
    with video_io.open_video(tmp_path / "slow.mkv.mp4", frame_step=1) as drawn:
        assert drawn.rate == 1 and len(list(drawn.frames)) == 5


def test_no_density_maps_of_a_video_are_noted(run, video, tmp_path):
    status, _, notes = run(video, "--density", tmp_path / "maps")
    assert status == 0 and not list((tmp_path / "maps").iterdir())
    assert f"count: {video}: --density writes no maps of a video\n" in notes
    assert "--density" not in run(video)[2]


@pytest.mark.parametrize("part", ["annotate_frame", "plot_curve"])
def test_count_stands_without_a_drawing(run, video, tmp_path, monkeypatch, part):
    def fail(*_, **__):
        raise RuntimeError("no font")

    monkeypatch.setattr(video_overlay, part, fail)
    flags = ["--count-curve", tmp_path / "c", "--overlay", tmp_path / "o"]
    status, output, errors = run(video, *flags, "--json", tmp_path / "a.json")
    (row,) = json.loads((tmp_path / "a.json").read_text())
    assert status == 1 and "1 of 1 counted" in output and row["count"] is not None
    what = "overlay" if part == "annotate_frame" else "curve"
    assert row["error"] == f"{video}: the {what} cannot be written: no font"
    assert len(table(tmp_path / "c" / "crowd.avi.csv")) == 4


def test_error_of_a_frame_names_the_frame(run, video, tmp_path):
    flags = ["--region", "door=0,0;0,96;500,96", "--json", tmp_path / "a.json"]
    assert run(video, *flags)[0] == 1
    (row,) = json.loads((tmp_path / "a.json").read_text())
    assert row["error"].startswith(f"{video}: the corner 500,96 of region door")
    assert row["count"] is not None and row["regions"] == {"door": None}
    status, _, errors = run(video, "--max-size", 70)
    assert status == 1
    assert f"count: {video}, frame 0: the image has 70x52 pixels after its" in errors


def test_regions_of_a_reduced_video_are_in_original_pixels(
    run, video, scenes, ready, tmp_path
):
    flags = ["--frame-step", 7, "--max-size", 100, "--count-curve", tmp_path]
    region = ["--region", "all=0,0;128,0;128,96;0,96", "--overlay", tmp_path]
    assert run(video, *flags, *region)[0] == 0
    expected = ready.count(scenes[0], max_size=100).count
    assert column(tmp_path / "crowd.avi.csv", "all") == pytest.approx([expected])
    with video_io.open_video(tmp_path / "crowd.avi.mp4", frame_step=1) as drawn:
        assert next(drawn.frames).pixels.shape == (74, 100, 3)  # of 75 rows


def test_truncated_video_is_counted_with_a_note(run, video, tmp_path):
    """The header of an AVI file declares the number of frames."""
    path, written = tmp_path / "short.avi", video.read_bytes()
    starts = [i for i in range(len(written)) if written.startswith(b"\x89PNG", i)]
    path.write_bytes(written[: starts[4] - 8])  # the frame's name and length
    status, _, notes = run(path, "--frame-step", 1)
    assert status == 0
    assert notes.startswith(f"count: {path}: the mean of 4 frames, one of every 1")
    assert notes.endswith(f"; the header declares {NUMBER}: is the video complete?\n")


def test_frame_step_below_1_is_rejected(video, capsys):
    with pytest.raises(SystemExit) as stopped:
        count.main([str(video), "--weights", "any", "--frame-step", "0"])
    assert stopped.value.code == 2
    assert "--frame-step: expected at least 1, got 0" in capsys.readouterr().err


def test_lack_of_memory_is_an_error_of_the_video(run, video, ready, monkeypatch):
    def fail(*_, **__):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    monkeypatch.setattr(ready, "count", fail)
    status, _, errors = run(video)
    assert status == 1 and f"{video}: RESOURCE_EXHAUSTED" in errors


def test_one_frame_is_described_in_the_singular():
    result = count_video.VideoCount(counts=[66.2])
    text = "the mean of 1 frame, one per second; it has 66 people"
    assert result.describe() == text
