"""Films written with PyAV come back, upright; files that are none are named."""

import sys
from fractions import Fraction

import numpy as np
import pytest

from cpcnn_jax.io import video as video_io

av = pytest.importorskip("av")


def levels(number, size=(64, 96)):
    """Frames that are told apart by their grey, with a white upper left corner."""
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
    ("every", "numbers"), [(1, range(12)), (5, [0, 5, 10]), (None, [0, 10])]
)
def test_every_nth_frame_comes_back(tmp_path, every, numbers):
    path = write(tmp_path / "a.mkv", levels(12))
    with video_io.open_video(path, every=every) as found:
        frames = list(found.frames)
    assert [frame.number for frame in frames] == list(numbers)
    assert [frame.seconds for frame in frames] == pytest.approx(
        [number / 10 for number in numbers]
    )
    assert found.rate == Fraction(10, found.every)
    drawn = list(levels(12))
    for frame in frames:
        np.testing.assert_array_equal(frame.pixels, drawn[frame.number])


def test_how_many_frames_there_will_be(tmp_path):
    path = write(tmp_path / "a.mp4", levels(12), codec="mpeg4", pixels="yuv420p")
    with video_io.open_video(path, every=5) as found:
        assert found.number == 3


# ISO 14496-12: x' = a x + c y and y' = b x + d y; 90 degrees clockwise, as a phone that
# is held upright writes, half a turn, and 90 degrees the other way.
@pytest.mark.parametrize(
    ("matrix", "turns"), [((0, 1, -1, 0), 3), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)]
)
def test_a_turned_film_is_upright(tmp_path, matrix, turns):
    path = write(tmp_path / "a.mp4", levels(2), codec="mpeg4", pixels="yuv420p")
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44
    for offset, value in zip((0, 4, 12, 16), matrix, strict=True):
        number = (value * 65536).to_bytes(4, "big", signed=True)
        data[place + offset : place + offset + 4] = number
    path.write_bytes(data)
    with video_io.open_video(path, every=1) as found:
        first = next(found.frames).pixels
    expected = np.rot90(next(levels(1)), turns)
    assert first.shape == expected.shape
    np.testing.assert_allclose(np.int32(first), expected, atol=40)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "out.mp4"
    with video_io.write_video(path, rate=Fraction(5, 2)) as add:
        for frame in levels(6, size=(65, 97)):  # of which H.264 cannot have the last
            add(frame)
    with video_io.open_video(path, every=1) as found:
        frames = list(found.frames)
    assert found.rate == Fraction(5, 2) and len(frames) == 6
    for frame, drawn in zip(frames, levels(6, size=(65, 97)), strict=True):
        assert frame.pixels.shape == (64, 96, 3)
        assert np.abs(np.int32(frame.pixels) - drawn[:64, :96]).mean() < 3
    assert list(tmp_path.iterdir()) == [path]


def test_a_film_that_is_not_finished_replaces_none(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_text("the film before")
    with (
        pytest.raises(RuntimeError),
        video_io.write_video(path, rate=Fraction(5)) as add,
    ):
        add(next(levels(1)))
        raise RuntimeError
    assert path.read_text() == "the film before"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OSError, match=f"No such file .*{tmp_path}/none/out.mp4"):
        with video_io.write_video(tmp_path / "none" / "out.mp4", rate=Fraction(5)):
            pass
    path, large = tmp_path / "out.mp4", np.zeros((2, 40_000, 3), np.uint8)
    with pytest.raises(ValueError, match=f"{path} cannot be written: "):
        with video_io.write_video(path, rate=Fraction(5)) as add:
            add(large)  # H.264 has sides up to 16,384
    assert not path.exists()


def read(path):
    with video_io.open_video(path, every=1) as found:
        return [frame.number for frame in found.frames]


def test_files_that_are_no_films_are_named(tmp_path):
    text = tmp_path / "words.mp4"
    with pytest.raises(ValueError, match=f"{text} cannot be read as a film: No such"):
        read(text)
    text.write_text("these are words")
    with pytest.raises(ValueError, match=f"{text} cannot be read as a film: Invalid"):
        read(text)
    text.write_bytes(b"")
    with pytest.raises(ValueError, match=f"{text} cannot be read as a film: "):
        read(text)
    with pytest.raises(ValueError, match=f"{tmp_path} cannot be read as a film: "):
        read(tmp_path)


def test_a_film_cut_short_is_named(tmp_path):
    path = write(tmp_path / "a.mp4", levels(12), codec="mpeg4", pixels="yuv420p")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])  # the table of the frames is at the end
    with pytest.raises(ValueError, match=f"{path} cannot be read as a film: Invalid"):
        read(path)


def test_a_film_damaged_in_its_middle_gives_the_frames_before(tmp_path):
    path = write(tmp_path / "a.avi", levels(12), codec="png", pixels="rgb24")
    data = path.read_bytes()
    place = [i for i in range(len(data)) if data.startswith(b"\x89PNG", i)][8]
    path.write_bytes(data[:place] + b"\xff" * 12 + data[place + 12 :])
    seen = []
    with video_io.open_video(path, every=1) as found:
        with pytest.raises(ValueError, match=f"{path} is damaged after . frames: Inv"):
            seen.extend(frame.number for frame in found.frames)
    assert seen == list(range(8))


def test_sound_is_no_film(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(ValueError, match=f"{path} has no pictures, only sound or text"):
        read(path)


def test_a_film_without_frames(tmp_path):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.pix_fmt, stream.width, stream.height = "yuvj420p", 64, 64
        container.start_encoding()
    with pytest.raises(ValueError, match=f"{path} has no frames"):
        read(path)


def test_without_pyav_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ValueError, match=r"a.mp4: films need PyAV: pip install"):
        read(tmp_path / "a.mp4")
