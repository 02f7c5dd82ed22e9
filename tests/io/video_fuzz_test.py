"""Damaged videos of several formats are read, or refused in a sentence."""

import fuzzing
import numpy as np
import pytest

from cpcnn_jax.io import video as video_io

av = pytest.importorskip("av")
FULL = 2000  # files of the nightly test
FILMS = {  # {name: (codec, pixel format, container)}
    "a.mp4": ("mpeg4", "yuv420p", None),
    "b.mkv": ("ffv1", "bgr0", None),
    "c.avi": ("mjpeg", "yuvj420p", None),
    "d.webm": ("libvpx", "yuv420p", None),
    "e.ts": ("mpeg2video", "yuv420p", "mpegts"),
    "f.mov": ("libx264", "yuv420p", None),
    "g.flv": ("flv", "yuv420p", None),
}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """{name: content} of films of five frames in 2.5 seconds."""
    folder = tmp_path_factory.mktemp("films")
    for name, (codec, pixels, container) in FILMS.items():
        with av.open(str(folder / name), "w", format=container) as file:
            stream = file.add_stream(codec, rate=2)
            stream.pix_fmt, stream.height, stream.width = pixels, 64, 64
            for level in range(5):
                frame = np.full((64, 64, 3), 40 * level, np.uint8)
                frame[:20, :30] = 255
                file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
            file.mux(stream.encode())
    return {name: (folder / name).read_bytes() for name in FILMS}


def damaged(folder, seeds, number, seed):
    """Yields (path, content) of damage in the header or in any packet."""
    rng, names = np.random.default_rng(seed), sorted(seeds)
    for _ in range(number):
        name, other = (names[rng.integers(len(names))] for _ in range(2))
        head = rng.choice([64, len(seeds[name])])
        content = fuzzing.mutate(rng, seeds[name], seeds[other], head)
        yield folder / name, content


def read(path):
    for frame_step in (None, 1):
        with video_io.open_video(path, frame_step=frame_step) as video:
            for frame in video.frames:
                assert frame.pixels.dtype == np.uint8 and frame.pixels.shape[2] == 3


def test_undamaged_files_are_read(tmp_path, seeds):
    files = ((tmp_path / name, content) for name, content in seeds.items())
    assert fuzzing.fuzz(files, read) == (len(FILMS), [])


@pytest.mark.parametrize("number", [200, pytest.param(FULL, marks=pytest.mark.nightly)])
def test_damaged_files_are_read_or_refused(tmp_path, seeds, number):
    result, growth = fuzzing.fuzz_new_process(damaged, tmp_path, seeds, number, read)
    print(f"{result.read} read, {len(result.refused)} refused")
    assert result.read > number / 20 and len(result.refused) > number / 20
    assert growth is None or growth < fuzzing.MAX_GROWTH
