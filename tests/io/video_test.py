"""Videos written and read with PyAV, and files that are not videos."""

import sys
from fractions import Fraction

import numpy as np
import pytest

from cpcnn_jax.io import video as video_io

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
