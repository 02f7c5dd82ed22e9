"""What is answered: a count, the counts in regions, and the map if it is wanted."""

import base64
import io
import json
import time

import jax
import numpy as np

from cpcnn_jax.inference import regions
from cpcnn_jax.io import density_file


class Rejected(ValueError):
    """The photograph cannot be counted; a sentence that names it."""


def respond(ready, upload, *, max_size=None, progress=iter):
    """Count a photograph and write down what was found.

    Args:
      ready: `counter.Counter`.
      upload: `request.Upload`.
      max_size: pixels; a longer photograph is shrunk to this first.
      progress: function through which the lists of work are passed.

    Returns:
      JSON, bytes; docs/serve.md has its schema.

    Raises:
      Refused: it is no photograph that can be counted, or a region lies outside.
    """
    began = time.monotonic()
    data = io.BytesIO(upload.file.read())
    data.name = upload.name
    try:
        found = ready.count(data, max_size=max_size, progress=progress)
        inside = _inside(found, upload)
    except ValueError as error:
        raise Rejected(str(error)) from None
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        text = str(error).partition("\n")[0] or "out of memory"
        raise Rejected(f"{upload.name}: {text}; try a smaller photograph") from None
    height, width = found.photograph.size
    told = {
        "file": upload.name,
        "count": found.count,
        "regions": inside,
        "width": width,
        "height": height,
        "seconds": time.monotonic() - began,
        "notes": found.photograph.notes,
    }
    if upload.density:
        told["density"] = _map(found.density, upload.density)
    return json.dumps(told).encode()


def _inside(found, upload):
    """Dict of region name to people."""
    size = found.photograph.size
    try:
        return {
            r.name: regions.count_region(found.density, r, size=size)
            for r in upload.regions
        }
    except ValueError as error:
        raise Rejected(f"{upload.name}: {error}") from None


def _map(density, formats):
    """The files of `count --density`, as text that JSON can hold."""
    told = {"width": density.shape[1], "height": density.shape[0]}
    if "npy" in formats:
        file = io.BytesIO()
        np.save(file, density)
        told["npy"] = base64.b64encode(file.getbuffer()).decode()
    if "png" in formats:
        file = io.BytesIO()
        told["offset"], told["scale"] = density_file.write_png(file, density)
        told["png"] = base64.b64encode(file.getbuffer()).decode()
    return told
