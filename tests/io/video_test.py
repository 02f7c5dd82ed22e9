"""Videos written and read with PyAV, and files that are not videos."""

import contextlib
import gc
import itertools
import os
import struct
import sys
from fractions import Fraction

import numpy as np
import pytest

from cpcnn_jax.io import video as video_io
from cpcnn_jax.io import video_container

av = pytest.importorskip("av")


def gray_frames(number, size=(64, 96)):
    """Frames of increasing gray levels, with a white upper left corner."""
    for i in range(number):
        frame = np.full((*size, 3), 20 * i, np.uint8)
        frame[: size[0] // 2, : size[1] // 2] = 255
        yield frame


def write(path, frames, *, codec="ffv1", rate=10, pixels="bgr0"):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.pix_fmt = pixels
        for number, frame in enumerate(frames):
            if number == 0:
                stream.height, stream.width = frame.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("frame_step", "numbers"), [(1, range(12)), (5, [0, 5, 10]), (None, [0, 10])]
)
def test_every_nth_frame_is_read(tmp_path, frame_step, numbers):
    path = write(tmp_path / "a.mkv", gray_frames(12))
    with video_io.open_video(path, frame_step=frame_step) as video:
        frames = list(video.frames)
    assert [frame.number for frame in frames] == list(numbers)
    assert [frame.seconds for frame in frames] == pytest.approx(
        [number / 10 for number in numbers]
    )
    assert video.rate == Fraction(10, frame_step or 10)
    expected = list(gray_frames(12))
    for frame in frames:
        np.testing.assert_array_equal(frame.pixels, expected[frame.number])


def write_at(path, times, **options):
    """Writes frames of increasing gray levels with these time stamps, in seconds."""
    with av.open(str(path), "w", **options) as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.pix_fmt, stream.height, stream.width = "yuv420p", 64, 96
        stream.codec_context.time_base = Fraction(1, 1000)
        for time, pixels in zip(times, gray_frames(len(times)), strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
@pytest.mark.parametrize(
    ("times", "numbers"),
    [
        ([0, 0.2, 0.4, 0.6, 0.8, 1, 3], [0, 5, 5, 6]),  # fast, then slow
        ([0, 2.5, 5], [0, 0, 0, 1, 1, 2]),  # slides
        ([7, 7.5, 8.2], [0, 1]),  # does not start at 0
        ([0, 1, 90_000, 90_001], [0, 1, 2, 3]),  # the camera's clock was set
    ],
)
def test_frame_of_each_second_is_read_by_time_stamps(tmp_path, name, times, numbers):
    with video_io.open_video(write_at(tmp_path / name, times)) as video:
        frames = list(video.frames)
    assert video.rate == 1
    assert [frame.number for frame in frames][: len(numbers)] == numbers
    assert [frame.seconds for frame in frames] == list(range(len(frames)))
    assert len(frames) <= len(numbers) + 1  # the end of the last frame may be unknown


@pytest.mark.parametrize(
    ("suffix", "format"), [("ts", "mpegts"), ("MTS", "mpegts"), ("flv", "flv")]
)
def test_videos_of_cameras_are_read(tmp_path, suffix, format):
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w", format=format) as container:
        codec = "flv" if format == "flv" else "mpeg2video"
        stream = container.add_stream(codec, rate=25)
        stream.pix_fmt, stream.height, stream.width = "yuv420p", 64, 96
        for pixels in [*gray_frames(10)] * 5:
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert video_io.is_video(path)
    with video_io.open_video(path) as video:
        assert [frame.number for frame in video.frames] == [0, 25]


def write_streams(path, *streams):
    """Writes streams of (codec, number of frames, side, disposition)."""
    with av.open(str(path), "w") as container:
        for codec, number, side, disposition in streams:
            stream = container.add_stream(codec, rate=10)
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.height = stream.width = side
            stream.disposition = disposition
            stream.metadata["number"] = str(number)
        for stream in container.streams.video:
            for pixels in gray_frames(
                int(stream.metadata["number"]), (stream.width,) * 2
            ):
                frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
@pytest.mark.parametrize("kind", [0, "attached_pic"])
def test_cover_picture_is_not_the_video(tmp_path, name, kind):
    kind = getattr(av.stream.Disposition, kind) if kind else av.stream.Disposition(0)
    film = ("mpeg4", 12, 64, av.stream.Disposition(0))
    path = write_streams(tmp_path / name, ("mjpeg", 1, 128, kind), film)
    with video_io.open_video(path, frame_step=1) as video:
        frames = list(video.frames)
    assert len(frames) == 12 and frames[0].pixels.shape == (64, 64, 3)
    assert video.note is None


def test_choice_among_two_videos_is_noted(tmp_path):
    none = av.stream.Disposition(0)
    films = ("mpeg4", 4, 64, none), ("mpeg4", 4, 96, none)
    path = write_streams(tmp_path / "a.mp4", *films)
    with video_io.open_video(path) as video:
        side = next(video.frames).pixels.shape[0]
    number = [64, 96].index(side) + 1
    expected = f"{path} has 2 videos: number {number}, of {side}x{side} pixels, is"
    assert video.note.startswith(expected)


def test_name_that_is_not_utf_8_is_opened(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.mkv")
    write(tmp_path / "a.mkv", gray_frames(2)).rename(path)
    assert read(path) == [0, 1]


def test_number_of_frames_is_announced(tmp_path):
    path = write(tmp_path / "a.mp4", gray_frames(12), codec="mpeg4", pixels="yuv420p")
    with video_io.open_video(path, frame_step=5) as video:
        assert video.number == 3


# ISO 14496-12: x' = a x + c y and y' = b x + d y. The rotations are 90 degrees
# clockwise, as in videos of an upright telephone, 180 degrees, and 90 degrees back.
@pytest.mark.parametrize(
    ("matrix", "turns"), [((0, 1, -1, 0), 3), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)]
)
def test_rotated_video_is_read_upright(tmp_path, matrix, turns):
    path = write(tmp_path / "a.mp4", gray_frames(2), codec="mpeg4", pixels="yuv420p")
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44
    for offset, value in zip((0, 4, 12, 16), matrix, strict=True):
        number = (value * 65536).to_bytes(4, "big", signed=True)
        data[place + offset : place + offset + 4] = number
    path.write_bytes(data)
    with video_io.open_video(path, frame_step=1) as video:
        first = next(video.frames).pixels
    expected = np.rot90(next(gray_frames(1)), turns)
    assert first.shape == expected.shape
    np.testing.assert_allclose(np.int32(first), expected, atol=40)


def test_written_video_is_read(tmp_path):
    path = tmp_path / "out.mp4"
    with video_io.write_video(path, rate=Fraction(5, 2)) as add:
        for frame in gray_frames(6, size=(65, 97)):  # H.264 requires even sizes
            add(frame)
    with video_io.open_video(path, frame_step=1) as video:
        frames = list(video.frames)
    assert video.rate == Fraction(5, 2) and len(frames) == 6
    for frame, expected in zip(frames, gray_frames(6, size=(65, 97)), strict=True):
        assert frame.pixels.shape == (64, 96, 3)
        assert np.abs(np.int32(frame.pixels) - expected[:64, :96]).mean() < 3
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_the_previous_video(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_text("the previous video")
    with (
        pytest.raises(RuntimeError),
        video_io.write_video(path, rate=Fraction(5)) as add,
    ):
        add(next(gray_frames(1)))
        raise RuntimeError
    assert path.read_text() == "the previous video"


def test_unwritable_path_is_named(tmp_path):
    with pytest.raises(OSError, match=f"No such file .*{tmp_path}/none/out.mp4"):
        with video_io.write_video(tmp_path / "none" / "out.mp4", rate=Fraction(5)):
            pass
    path, large = tmp_path / "out.mp4", np.zeros((2, 40_000, 3), np.uint8)
    with pytest.raises(ValueError, match=f"{path} cannot be written: "):
        with video_io.write_video(path, rate=Fraction(5)) as add:
            add(large)  # the sides of H.264 are limited to 16,384
    assert not path.exists()


def read(path):
    with video_io.open_video(path, frame_step=1) as video:
        return [frame.number for frame in video.frames]


def test_file_that_is_not_a_video_raises_value_error(tmp_path):
    text = tmp_path / "words.mp4"
    with pytest.raises(ValueError, match=f"{text} cannot be read as a video: No such"):
        read(text)
    text.write_text("these are words")
    with pytest.raises(ValueError, match=f"{text} cannot be read as a video: Invalid"):
        read(text)
    text.write_bytes(b"")
    with pytest.raises(ValueError, match=f"{text} cannot be read as a video: "):
        read(text)
    with pytest.raises(ValueError, match=f"{tmp_path} cannot be read as a video: "):
        read(tmp_path)


def test_truncated_video_raises_value_error(tmp_path):
    path = write(tmp_path / "a.mp4", gray_frames(12), codec="mpeg4", pixels="yuv420p")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])  # the table of the frames is at the end
    with pytest.raises(ValueError, match=f"{path} cannot be read as a video: Invalid"):
        read(path)


def test_damaged_video_yields_the_frames_before_the_damage(tmp_path):
    path = write(tmp_path / "a.avi", gray_frames(12), codec="png", pixels="rgb24")
    data = path.read_bytes()
    place = [i for i in range(len(data)) if data.startswith(b"\x89PNG", i)][8]
    path.write_bytes(data[:place] + b"\xff" * 12 + data[place + 12 :])
    numbers = []
    with video_io.open_video(path, frame_step=1) as video:
        with pytest.raises(ValueError, match=f"{path} is damaged after . frames: Inv"):
            numbers.extend(frame.number for frame in video.frames)
    assert numbers == list(range(8))


@pytest.mark.parametrize("frame_step", [None, 1])
def test_error_of_a_damaged_video_holds_no_images(tmp_path, frame_step):
    """Else many damaged videos fill the memory until a garbage collection."""
    path = write(tmp_path / "a.avi", gray_frames(12), codec="png", pixels="rgb24")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\x89PNG", b"\x89PNX"))
    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            with video_io.open_video(path, frame_step=frame_step) as video:
                list(video.frames)
        errors = [e for e in gc.get_objects() if issubclass(type(e), ValueError)]
        assert not [error for error in errors if str(path) in str(error)]
    finally:
        gc.enable()


def test_logs_do_not_call_python_in_threads(tmp_path):
    """The lock of the interpreter may be held by a thread that waits for that one."""
    av.logging.set_level(av.logging.PANIC)
    read(write(tmp_path / "a.mkv", gray_frames(2)))
    assert av.logging.get_level() is None


def test_video_of_an_unknown_codec_raises_value_error(tmp_path):
    path = write(tmp_path / "a.mkv", gray_frames(2), codec="mjpeg", pixels="yuvj420p")
    path.write_bytes(path.read_bytes().replace(b"V_MJPEG", b"V_OTHER"))
    with pytest.raises(ValueError, match=f"{path} has a video that FFmpeg cannot dec"):
        read(path)


def test_large_frames_are_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "a.mkv", gray_frames(2))
    monkeypatch.setattr(video_container, "MAX_PIXELS", 64 * 96)
    assert read(path) == [0, 1]
    monkeypatch.setattr(video_container, "MAX_PIXELS", 64 * 96 - 1)
    with pytest.raises(ValueError, match=f"{path} has more than 6,143 pixels in a fra"):
        read(path)


def test_impossible_rate_of_a_header_is_ignored(tmp_path):
    """It would show each frame for 65 days, which is 5.6 million counts."""
    path = write(tmp_path / "a.avi", gray_frames(12), codec="png", pixels="rgb24")
    data = bytearray(path.read_bytes())
    place = data.index(b"strh") + 28
    data[place : place + 8] = struct.pack("<II", 631_866_452, 113)  # seconds, frames
    path.write_bytes(data)
    with video_io.open_video(path) as video:
        assert [frame.number for frame in itertools.islice(video.frames, 99)] == [0]


def test_sound_file_raises_value_error(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(
        ValueError, match=f"{path} has no video, only sound, text or still pictures"
    ):
        read(path)


def test_video_without_frames_raises_value_error(tmp_path):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.pix_fmt, stream.width, stream.height = "yuvj420p", 64, 64
        container.start_encoding()
    with pytest.raises(ValueError, match=f"{path} has no frames"):
        read(path)


def test_missing_pyav_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ValueError, match=r"a.mp4: videos need PyAV: pip install"):
        read(tmp_path / "a.mp4")
