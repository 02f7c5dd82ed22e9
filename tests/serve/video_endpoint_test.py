"""Videos that are counted by the server while it sends the counts."""

import contextlib
import json
import sys
import threading

import jsonschema
import numpy as np
import pytest
import server_process
import small_video
from step_counter import FrameCounter, running, wait_for

import cpcnn_jax as cp
from cpcnn_jax.inference import count_video
from cpcnn_jax.inference.count_options import CountOptions
from cpcnn_jax.inference.regions import parse_region

REGION = "left=0%,0%;50%,0%;50%,100%;0%,100%"


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A video of four seconds, at two frames a second."""
    return small_video.write(tmp_path_factory.mktemp("video") / "square.mp4")


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    return cp.load(server_process.weights_file(tmp_path_factory.mktemp("weights")))


class Networks:
    """Loaded networks in the place of the controlled counter."""

    resume = threading.Event()

    def __init__(self, networks):
        self.count = networks.count


@pytest.fixture(scope="module")
def address(networks):
    with running(Networks(networks), max_video=2**20) as address:
        yield address


def begin(address, data, name="square.mp4", fields=()):
    """Sends a video; returns the connection."""
    body = server_process.form(data, name, fields, field="video")
    connection = server_process.connect(address)
    connection.request("POST", "/count_video", body, server_process.TYPE)
    return connection


def send(address, *args, **more):
    """Returns (status, headers, objects of the lines)."""
    with contextlib.closing(begin(address, *args, **more)) as connection:
        answer = connection.getresponse()
        lines = answer.read().splitlines()
        return answer.status, answer.headers, [json.loads(line) for line in lines]


def check_schema(address, lines):
    document = json.loads(server_process.ask(address, "GET", "/openapi.json")[2])
    for line in lines:
        component = {"$ref": "#/components/schemas/VideoLine", **document}
        jsonschema.Draft202012Validator(component).validate(line)


@pytest.mark.parametrize("step", [None, 3])
def test_answer_equals_the_library(address, networks, video, step):
    options = CountOptions([parse_region(REGION)], frame_step=step)
    expected = count_video.VideoCount(step)
    count_video.count_video(
        video, networks, options, expected, name="a", progress=lambda frames, _: frames
    )
    fields = [("region", REGION), *([("frame_step", str(step))] if step else [])]
    status, headers, lines = send(address, video.read_bytes(), fields=fields)
    assert status == 200 and headers["Content-Type"] == "application/x-ndjson"
    check_schema(address, lines)
    header, *frames, summary = lines
    number = 3 if step else 4
    assert header["file"] == "square.mp4" and header["num_frames"] == number
    assert [frame["frame"] for frame in frames] == expected.numbers
    assert [frame["seconds"] for frame in frames] == expected.seconds
    counts = [frame["count"] for frame in frames]
    np.testing.assert_allclose(counts, expected.counts, rtol=1e-5)
    inside = [frame["regions"]["left"] for frame in frames]
    left = [people["left"] for people in expected.inside]
    np.testing.assert_allclose(inside, left, rtol=1e-4)
    mean, peak = expected.mean(), expected.peak()
    np.testing.assert_allclose(summary["count"], mean[0], rtol=1e-5)
    np.testing.assert_allclose(summary["regions"]["left"], mean[1]["left"], rtol=1e-4)
    ends = [summary["peak"], summary["peak_seconds"]]
    np.testing.assert_allclose(ends, peak, rtol=1e-5)
    np.testing.assert_allclose(summary["smoothed"], expected.smooth(), rtol=1e-4)
    assert summary["num_frames"] == number
    assert summary["notes"] == [expected.describe()]


def test_region_that_does_not_fit_is_refused_before_the_first_count(ready, video):
    with running(ready) as address:
        fields = [("region", "far=0,0;900,0;0,900")]
        status, _, (answer,) = send(address, video.read_bytes(), fields=fields)
    assert status == 400 and not ready.started
    assert answer["error"].startswith("square.mp4: the corner 900,0 of region far lies")


def rejected():
    """Lists (file, name, fields, status, start of the sentence)."""
    return [
        (b"no video", "a.mp4", (), 400, "a.mp4 cannot be read as a video: "),
        (b"", "", (), 400, "the video cannot be read as a video: "),
        (None, "a.mp4", (), 400, "the form has no file in its field video"),
        (b"x", "a.mp4", [("frame_step", "0")], 400, "frame_step: expected a number fr"),
        (b"x", "a.mp4", [("frame_step", "²")], 400, "frame_step: expected a number fr"),
        (b"x", "a.mp4", [("region", "x")], 400, "'x' is not a region: expected name=x"),
        (
            b"x",
            "a.mp4",
            [("points", "true")],
            400,
            "the form has no field 'points': ",
        ),
        (bytes(2**20), "a.mp4", (), 413, "the body has more than 1 MiB: sen"),
    ]


@pytest.mark.parametrize("data, name, fields, code, text", rejected())
def test_rejection_is_one_sentence(address, data, name, fields, code, text):
    status, _, (answer,) = send(address, data, name, fields)
    assert (status, answer["error"][: len(text)]) == (code, text)
    assert "/" not in answer["error"].replace("FFmpeg", "")  # no path of the server


def test_end_of_a_damaged_video_keeps_the_earlier_counts(address, tmp_path):
    path = small_video.write(tmp_path / "a.mp4", seconds=6)
    small_video.damage(path)
    status, _, lines = send(address, path.read_bytes(), "cut.mp4")
    check_schema(address, lines)
    counts = [line for line in lines if "frame" in line]
    assert status == 200 and 0 < len(counts) < 6
    assert lines[-1]["error"].startswith("cut.mp4 is damaged after ")


def test_missing_pyav_is_one_sentence(address, video, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    status, _, (answer,) = send(address, video.read_bytes())
    assert (status, answer["error"]) == (
        400,
        "square.mp4: videos need PyAV: pip install 'cpcnn_jax[video]'",
    )


# --- turns, disconnects and limits ---


@pytest.fixture
def ready():
    return FrameCounter()


def test_lines_arrive_while_the_video_is_counted(ready, video):
    with running(ready) as address:
        ready.allowed.release()
        connection = begin(address, video.read_bytes())
        answer = connection.getresponse()  # after the first frame
        assert json.loads(answer.readline())["num_frames"] == 4
        assert json.loads(answer.readline())["frame"] == 0
        ready.allowed.release()
        assert json.loads(answer.readline())["frame"] == 2
        assert ready.frames == 2 and server_process.health(address)["taken"] == 1
        for _ in range(2):
            ready.allowed.release()
        assert "peak" in json.loads(answer.read().splitlines()[-1])
        connection.close()
        server_process.until(address, taken=0)


def test_images_are_counted_between_the_frames(ready, video):
    with running(ready) as address:
        film = begin(address, video.read_bytes())
        wait_for(lambda: ready.started)
        body = server_process.form(b"x", "a.png")
        image = server_process.connect(address)
        image.request("POST", "/count", body, server_process.TYPE)
        server_process.until(address, taken=2)
        ready.resume.set()
        assert image.getresponse().status == 200
        answer = film.getresponse()
        assert answer.status == 200 and answer.read()  # to its end
        film.close()
        image.close()
    assert ready.started[:3] == ["frame", "a.png", "frame"]


def test_disconnect_stops_at_the_next_frame(ready, video, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with running(ready) as address:
        ready.allowed.release()
        film = begin(address, video.read_bytes())
        answer = film.getresponse()
        answer.readline()
        wait_for(lambda: ready.started.count("frame") == 2)
        assert [*tmp_path.glob("cpcnn_jax-*/video.mp4")]
        answer.close()
        film.close()
        server_process.until(address, taken=0)
        ready.resume.set()
        body = server_process.form(b"x", "a.png")
        answer = server_process.ask(
            address, "POST", "/count", body, server_process.TYPE
        )
        assert answer[0] == 200
        assert ready.frames == 2
        wait_for(lambda: not [*tmp_path.iterdir()])  # the copy for FFmpeg


def test_time_limit_of_a_video_is_its_own(ready, video):
    with running(ready, timeout=0.2, video_timeout=3) as address:
        ready.allowed.release()
        status, _, lines = send(address, video.read_bytes())
    assert status in (200, 504)  # by whether the first frame was counted in time
    assert lines[-1]["error"] == (
        "square.mp4 was not counted within 3 seconds: send a shorter video"
    )


def test_bug_is_reported_in_the_last_line(ready, video, monkeypatch):
    with running(ready) as address:
        ready.allowed.release()
        film = begin(address, video.read_bytes())
        answer = film.getresponse()
        answer.readline()
        wait_for(lambda: ready.started.count("frame") == 2)
        monkeypatch.setattr(ready, "started", None)
        ready.resume.set()
        last = json.loads(answer.read().splitlines()[-1])
        film.close()
        assert last == {"error": "the server failed: its log has the traceback"}
        assert server_process.health(address)["taken"] == 0


@pytest.mark.long
def test_stopped_server_ends_the_answer(tmp_path):
    video = small_video.write(tmp_path / "a.mp4", seconds=4000, rate=1)
    file = server_process.weights_file(tmp_path)
    with server_process.running(file) as address:
        film = begin(address, video.read_bytes())
        answer = film.getresponse()
        assert "num_frames" in json.loads(answer.readline())
    last = json.loads(answer.read().splitlines()[-1])
    film.close()
    assert last == {"error": "the server was stopped: try again"}
