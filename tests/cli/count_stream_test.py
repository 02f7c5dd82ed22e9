"""Streams of a real server, counted by the command."""

import csv
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import jax
import numpy as np
import pytest
import server_process
import stream_server
import tiny_experiment

from cpcnn_jax.cli import count
from cpcnn_jax.inference import counter
from cpcnn_jax.inference.count_stream import COLUMNS
from cpcnn_jax.io import live_video, video_container
from cpcnn_jax.weights import pretrained

av = pytest.importorskip("av")


def gray_density(_, pixels, progress):
    """Estimates a thousandth of the gray level as density."""
    return pixels.mean(axis=2, dtype=np.float32) / 255_000


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command; its output never has the password."""
    ready = counter.BaselineCounter(gray_density, {})
    monkeypatch.setattr(counter, "load", lambda path, *, tile_size: ready)
    monkeypatch.setattr(pretrained, "find_weights", Path)
    monkeypatch.setattr(live_video, "PAUSES", (0.01, 0.02))

    def run(*arguments):
        flags = ["--weights", "any", "--period", "0.01"]
        try:
            status = count.main([*map(str, arguments), *flags])
        except SystemExit as exit:
            status = exit.code
        output, errors = capsys.readouterr()
        assert stream_server.PASSWORD not in output + errors
        return status, output, errors

    return run


def table(path):
    assert path.read_text().endswith("\n")
    assert stream_server.PASSWORD not in path.read_text()
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """An MP4 file of three seconds, two frames a second, of falling brightness."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=2)
        stream.pix_fmt, stream.height, stream.width = "yuv420p", *stream_server.SIZE
        for level in (250, 210, 170, 130, 90, 50):
            pixels = np.full((*stream_server.SIZE, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode())
    return path


def test_a_video_of_a_server_is_counted_as_its_file(run, film, tmp_path):
    tables = tmp_path / "here.csv", tmp_path / "there.csv"
    curves = "--count-curve", tmp_path
    assert run(film, "--csv", tables[0], *curves)[0] == 0
    with stream_server.running({"/a/film.mp4": film.read_bytes()}) as address:
        url = f"{address}/a/film.mp4?key={stream_server.PASSWORD}"
        status, output, notes = run(url, "--csv", tables[1], *curves)
    assert status == 0 and "1 of 1 counted" in output
    assert "the mean of 3 frames, one per second" in notes
    (here,), (there,) = map(table, tables)
    shown = there["file"]
    assert shown.startswith("http://***@127.0.0.1:") and shown.endswith("film.mp4?***")
    assert (there["count"], there["error"]) == (here["count"], "")
    assert {path.name for path in tmp_path.glob("*.mp4.csv")} == {"film.mp4.csv"}


@pytest.fixture(scope="module")
def playlist(tmp_path_factory):
    """The files of an HLS stream of four seconds, by their paths on a server."""
    folder = tmp_path_factory.mktemp("hls")
    options = {"hls_time": "1", "hls_list_size": "0"}
    path = folder / "list.m3u8"
    with av.open(str(path), "w", format="hls", options=options) as container:
        stream = container.add_stream("libx264", rate=5)
        stream.pix_fmt, stream.height, stream.width = "yuv420p", *stream_server.SIZE
        stream.codec_context.gop_size = 5
        for level in range(200, 100, -5):
            pixels = np.full((*stream_server.SIZE, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode())
    return {f"/{file.name}": file.read_bytes() for file in folder.iterdir()}


def test_a_playlist_with_an_end_is_a_video(run, playlist):
    with stream_server.running(playlist) as address:
        status, output, notes = run(f"{address}/list.m3u8")
    assert status == 0 and "1 of 1 counted" in output
    assert "the mean of 4 frames, one per second" in notes


def test_lost_stream_is_opened_again_and_its_rows_stay(run, tmp_path):
    """Three connections give frames, and no later one."""
    file = tmp_path / "new" / "counts.csv"
    region = "--region", "left=0%,0%;50%,0%;50%,100%;0%,100%"
    with stream_server.running(numbers=[6, 6, 6]) as address:
        status, output, errors = run(f"{address}/live", "--csv", file, *region)
    shown = address.replace(f"me:{stream_server.PASSWORD}", "***") + "/live"
    assert status == 1
    lines = [line for line in errors.splitlines() if "--period is" not in line]
    assert len(lines) == 5  # three losses, one more attempt, the end
    for line in lines[:-1]:
        assert line.startswith(f"count: {shown} ")
        assert line.endswith("; it is opened again in 0 s")
    assert lines[-1].startswith(f"count: {shown} cannot be opened: ")
    rows = table(file)
    assert list(rows[0]) == [*COLUMNS, "left"]
    counts = [float(row["count"]) for row in rows]
    assert 2 <= len(counts) <= 18 and sorted(counts, reverse=True) == counts
    levels = np.array(counts) * 255_000 / (96 * 128)
    assert levels.max() <= 251 and levels.min() == pytest.approx(233, abs=1)
    half = [float(row["left"]) for row in rows]
    np.testing.assert_allclose(half, np.array(counts) / 2, rtol=1e-5)
    times = [datetime.fromisoformat(row["time"]) for row in rows]
    assert sorted(times) == times and times[0].utcoffset().total_seconds() == 0
    assert {(row["width"], row["height"]) for row in rows} == {("128", "96")}
    assert f"{len(rows)} frames counted: " in output
    assert len(output.splitlines()) == len(rows) + 3


def test_counts_slower_than_the_period_are_noted_once(run, monkeypatch):
    def slow_density(*arguments, **options):
        time.sleep(0.3)
        return gray_density(*arguments, **options)

    ready = counter.BaselineCounter(slow_density, {})
    monkeypatch.setattr(counter, "load", lambda path, *, tile_size: ready)
    with stream_server.running(numbers=[40]) as address:
        _, output, errors = run(f"{address}/live")
    assert len(output.splitlines()) > 4
    (note,) = (line for line in errors.splitlines() if "--period is" in line)
    assert note.startswith("count: a count takes 0.") and "smaller --max-size" in note


def test_csv_is_continued_if_it_has_the_same_columns(run, tmp_path):
    file, header = tmp_path / "counts.csv", ",".join(COLUMNS)
    file.write_text(f"{header}\n2026-01-01T00:00:00.000+00:00,7,,")  # a cut row
    with stream_server.running(numbers=[6]) as address:
        assert run(f"{address}/live", "--csv", file)[0] == 1
        rows = table(file)
        assert rows[0]["count"] == "7" and len(rows) > 1
        assert not any(row["count"] == "count" for row in rows)
    file.write_text("file,count\na.jpg,7\n")
    with stream_server.running() as address:
        status, _, errors = run(f"{address}/live", "--csv", file)
    assert status == 2 and errors.startswith(f"count: {file} has other columns than")
    assert file.read_text() == "file,count\na.jpg,7\n"


def test_a_stream_that_cannot_be_opened_is_a_sentence(run, tmp_path, monkeypatch):
    port, file = stream_server.free_port(), tmp_path / "counts.csv"
    with stream_server.running() as address:
        for url, reason in {
            f"http://me:hunter2@127.0.0.1:{port}/live": "Connection refused",
            f"rtsp://me:hunter2@127.0.0.1:{port}/live": "Connection refused",
            f"{address}/wrong.m3u8": "Server returned 404 Not Found",
        }.items():
            shown = url.replace("me:hunter2", "***")
            expected = f"count: {shown} cannot be opened: {reason}\n"
            assert run(url, "--csv", file) == (1, "", expected)
        monkeypatch.setattr(video_container, "TIMEOUT", 1.0)
        status, _, errors = run(f"{address}/silent")
        assert status == 1 and errors.endswith(" cannot be opened: no answer in 1 s\n")
    assert not file.exists()


def test_camera_that_is_missing_is_a_sentence(run):
    status, _, errors = run("camera:987")
    assert status == 1 and errors.startswith("count: camera:987 ")
    assert len(errors.splitlines()) == 1


def test_images_of_a_server_are_not_counted(run, tmp_path):
    with stream_server.running({"/a.jpg": stream_server.jpeg(0)}) as address:
        status, _, errors = run(f"{address}/a.jpg")
    assert status == 1 and "/a.jpg is an image: save it first" in errors


@pytest.mark.parametrize(
    "flags, text",
    [
        (["--json", "a.json"], "--json: http://"),
        (["--overlay", "over"], "is live, and only its lines and --csv are written"),
        (["--region", "door=0,0;0,96;500,96"], "region door does not fit http://"),
        (["--max-size", "3"], "--max-size: expected at least"),
    ],
)
def test_wrong_flags_of_a_live_stream(run, tmp_path, monkeypatch, flags, text):
    monkeypatch.chdir(tmp_path)
    with stream_server.running() as address:
        status, output, errors = run(f"{address}/live", *flags)
    assert (status, output) == (2, "") and text in errors
    assert not list(tmp_path.iterdir())


def test_files_beside_a_live_stream_are_counted(run, film):
    with stream_server.running() as address:
        status, output, errors = run(f"{address}/live", film)
    assert status == 1 and "1 of 2 counted" in output
    assert "/live has no end: give it as the only PATH" in errors


@pytest.mark.parametrize("period", ["0", "-1", "nan", "inf"])
def test_wrong_period(capsys, period):
    with pytest.raises(SystemExit, match="2"):
        count.main(["a.jpg", f"--period={period}"])
    assert "--period: expected more than 0 seconds, got" in capsys.readouterr().err


def start(folder, *flags, **options):
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
    }
    weights = server_process.weights_file(folder)
    return subprocess.Popen(
        [sys.executable, "-m", "cpcnn_jax", "count", *flags, "--weights", str(weights)],
        cwd=tiny_experiment.ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_with_everything_written(tmp_path, number):
    file = tmp_path / "counts.csv"
    flags = "--csv", str(file), "--period", "0.1"
    with stream_server.running() as address:
        with start(tmp_path, f"{address}/live", *flags) as process:
            try:
                lines = [process.stdout.readline() for _ in range(4)]
                assert len(table(file)) >= 3  # written before it is printed
                process.send_signal(number)
                output, errors = process.communicate(timeout=120)
            finally:
                process.kill()
    assert process.returncode == 0 and "Traceback" not in errors, errors
    rows, printed = table(file), [*lines, *output.splitlines()]
    assert lines[0].split() == ["time", "people", "range", "(90%)"]
    assert all(float(row["low"]) <= float(row["high"]) for row in rows)
    assert printed[-2].startswith(f"{len(rows)} frames counted: ")
    assert len(printed) == len(rows) + 3 and stream_server.PASSWORD not in output


def test_csv_on_stdout_ends_with_its_reader(tmp_path):
    flags = "--csv", "-", "--period", "0.1"
    with stream_server.running() as address:
        with start(tmp_path, f"{address}/live", *flags) as process:
            try:
                lines = [process.stdout.readline() for _ in range(3)]
                process.stdout.close()
                errors = process.stderr.read()
                assert process.wait(timeout=120) == 0, errors
            finally:
                process.kill()
    assert lines[0].strip() == ",".join(COLUMNS)
    assert all(len(line.split(",")) == len(COLUMNS) for line in lines)
    assert " frames counted: " in errors and "Traceback" not in errors
