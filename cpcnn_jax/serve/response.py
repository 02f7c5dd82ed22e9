"""JSON answer: the count, the counts in regions, and the map on request."""

import base64
import io
import json
import time
from collections.abc import Callable

import jax
import numpy as np

from cpcnn_jax.inference.counter import Counter
from cpcnn_jax.inference.regions import count_regions
from cpcnn_jax.io import density_file
from cpcnn_jax.serve.request import Upload


class Rejected(ValueError):
    """Error of an image that cannot be counted, with a sentence that names it."""


def count_upload(
    counter: Counter,
    upload: Upload,
    *,
    max_size: int | None = None,
    progress: Callable = iter,
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
      Rejected: the image cannot be counted, or a region lies outside.
    """
    start = time.monotonic()
    file = io.BytesIO(upload.file.read())
    file.name = upload.name
    try:
        result = counter.count(file, max_size=max_size, progress=progress)
        inside = _count_regions(result, upload)
    except ValueError as error:
        raise Rejected(str(error)) from None
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        text = str(error).partition("\n")[0] or "out of memory"
        raise Rejected(f"{upload.name}: {text}; try a smaller image") from None
    height, width = result.image.size
    answer = {
        "file": upload.name,
        "count": result.count,
        "regions": inside,
        "width": width,
        "height": height,
        "seconds": time.monotonic() - start,
        "notes": result.image.notes,
    }
    if upload.density:
        answer["density"] = _encode_density(result.density, upload.density)
    return json.dumps(answer).encode()


def _count_regions(result, upload):
    """Counts the people in each region, by its name."""
    try:
        size = result.image.size
        return count_regions(result.density, upload.regions, size=size)
    except ValueError as error:
        raise Rejected(f"{upload.name}: {error}") from None


def _encode_density(density, formats):
    """Encodes the files of `count --density` in base64."""
    answer = {"width": density.shape[1], "height": density.shape[0]}
    if "npy" in formats:
        file = io.BytesIO()
        np.save(file, density)
        answer["npy"] = base64.b64encode(file.getbuffer()).decode()
    if "png" in formats:
        file = io.BytesIO()
        answer["offset"], answer["scale"] = density_file.write_png(file, density)
        answer["png"] = base64.b64encode(file.getbuffer()).decode()
    return answer
