"""Count of an uploaded video as records: its header, each counted frame, its summary.

Each record is computed when it is requested, so that images are counted in between.
"""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from cpcnn_jax.inference.count_options import CountOptions
from cpcnn_jax.inference.count_video import VideoCount, count_frame
from cpcnn_jax.inference.counter import Counter
from cpcnn_jax.io import video as video_io
from cpcnn_jax.serve.request import VideoUpload
from cpcnn_jax.serve.response import check_regions, refuse_errors

Record = dict[str, Any]


def count_frames(
    counter: Counter, upload: VideoUpload, *, max_size: int | None
) -> Generator[Record, None, None]:
    """Counts the people in the frames of an uploaded video.

    Args:
      counter: loaded networks.
      upload: the form.
      max_size: pixels; a frame with a longer side is first reduced to this.

    Yields:
      Objects for JSON; docs/serve.md describes their keys.

    Raises:
      HTTPException: the video or a frame cannot be counted, or a region lies outside
        the first frame; status 400.
    """
    start, result = time.monotonic(), VideoCount(upload.frame_step)
    with (
        refuse_errors(upload.name),
        _copy_to_file(upload) as path,
        video_io.open_video(path, frame_step=upload.frame_step) as video,
    ):
        result.rate, result.declared, result.note = video.rate, video.number, video.note
        yield {
            "file": upload.name,
            "num_frames": video.number,
            "rate": float(video.rate),
        }
        for frame in video.frames:
            if not result.counts:
                check_regions(upload.name, upload.regions, frame.pixels.shape[:2])
            yield _count_frame(counter, upload, frame, result, max_size)
        yield _summarize(upload, path, result, time.monotonic() - start)


@contextlib.contextmanager
def _copy_to_file(upload):
    """Copies an upload to a file of its own, for FFmpeg; errors get the upload's name.

    The file of an upload has no path.
    """
    suffix = Path(upload.name).suffix if video_io.is_video(upload.name) else ""
    with tempfile.TemporaryDirectory(prefix="cpcnn_jax-") as folder:
        path = Path(folder, f"video{suffix}")
        with open(path, "wb") as file:
            shutil.copyfileobj(upload.file, file, 2**20)
        try:
            yield path
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), upload.name)) from None


def _count_frame(counter, upload, frame, result, max_size) -> Record:
    options = CountOptions(upload.regions, max_size)
    counted, people = count_frame(upload.name, counter, options, frame, result)
    record = {"frame": frame.number, "seconds": frame.seconds, "count": counted.count}
    return record | {"low": counted.low, "high": counted.high, "regions": people}


def _summarize(upload, path, result, elapsed) -> Record:
    mean, inside = result.mean()
    (peak, when), (height, width) = result.peak(), result.last[0].image.size
    notes = [result.describe(), *filter(None, [result.note]), *sorted(result.misfits)]
    return {
        "file": upload.name,
        "count": mean,
        "peak": peak,
        "peak_seconds": when,
        "num_frames": len(result.counts),
        "regions": inside,
        "smoothed": result.smooth().tolist(),
        "width": width,
        "height": height,
        "seconds": elapsed,
        "notes": [note.replace(str(path), upload.name) for note in notes],
    }
