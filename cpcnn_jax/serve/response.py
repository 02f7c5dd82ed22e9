"""JSON answer: the count, the counts in regions, and the map on request."""

import base64
import contextlib
import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import jax
import numpy as np
from starlette.exceptions import HTTPException

from cpcnn_jax.inference.counter import Counter
from cpcnn_jax.inference.regions import Region, count_region
from cpcnn_jax.io import density_file
from cpcnn_jax.io import image as image_io
from cpcnn_jax.serve.request import Upload


def count_upload(
    counter: Counter, upload: Upload, *, max_size: int | None, progress: Callable
) -> bytes:
    """Counts the people in an uploaded image.

    Args:
      counter: loaded networks.
      upload: the form.
      max_size: pixels; an image with a longer side is first reduced to this.
      progress: function that wraps each list of work.

    Returns:
      JSON; docs/serve.md describes its keys.

    Raises:
      HTTPException: the image cannot be counted, or a region lies outside; status 400.
    """
    start = time.monotonic()
    file = io.BytesIO(upload.file.read())
    file.name = upload.name
    with refuse_errors(upload.name):
        _check_regions(file, upload)
        result = counter.count(file, max_size=max_size, progress=progress)
        size = result.image.size
        inside = {
            r.name: count_region(result.density, r, size=size) for r in upload.regions
        }
    answer = {
        "file": upload.name,
        "count": result.count,
        "low": result.low,
        "high": result.high,
        "regions": inside,
        "width": size[1],
        "height": size[0],
        "seconds": time.monotonic() - start,
        "notes": result.image.notes,
    }
    if upload.points:
        answer["points"] = result.points.round(1).tolist()
    if upload.density:
        answer["density"] = _encode_density(result.density, upload.density)
    return json.dumps(answer).encode()


@contextlib.contextmanager
def refuse_errors(name: str) -> Iterator[None]:
    """Turns errors of an upload's content into HTTPException with status 400."""
    try:
        yield
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        reason = str(error).partition("\n")[0] or "out of memory"
        raise HTTPException(400, f"{name}: {reason}; try a smaller image") from None


def _check_regions(file, upload):
    """Refuses a region outside the image before the people are counted."""
    size = image_io.read_size(file)
    file.seek(0)
    if size:  # None: no image, which is refused when it is read
        check_regions(upload.name, upload.regions, size)


def check_regions(name: str, regions: Iterable[Region], size: Sequence[int]) -> None:
    """Raises ValueError, with the upload's name, for a region outside of (H, W)."""
    for region in regions:
        try:
            region.in_pixels(size)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None


def _encode_density(density, formats):
    """Encodes the files of `count --density` in base64."""
    answer = {"width": density.shape[1], "height": density.shape[0]}
    for name in formats:
        file = io.BytesIO()
        if name == "npy":
            np.save(file, density)
        else:
            answer["offset"], answer["scale"] = density_file.write_png(file, density)
        answer[name] = base64.b64encode(file.getbuffer()).decode()
    return answer
