"""What a client sends: one photograph and what is wanted of it, read within limits."""

import contextlib
from typing import NamedTuple

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from cpcnn_jax.inference import regions

FILE = "photograph"  # the form's fields
REGION = "region"
DENSITY = "density"
FORMATS = ("npy", "png")
FIELDS, LENGTH = 64, 8192  # fields beside the file, and bytes of each, at most
NAME = 100  # characters of a file's name that are repeated to the client, at most


class Upload(NamedTuple):
    """A photograph and what is wanted of it."""

    file: object  # open, binary; closed when the request ends
    name: str  # for sentences about it
    regions: list  # of `regions.Region`
    density: tuple  # formats in which the map is wanted


@contextlib.asynccontextmanager
async def reading(request, *, most):
    """Receive the form of a request; large files wait on disk, not in memory.

    Args:
      request: Starlette's.
      most: bytes that its body may have.

    Yields:
      The `Upload`.

    Raises:
      HTTPException: 400, 413 or 415, with a sentence.
      ClientDisconnect: the client hung up before it had sent everything.
    """
    kind = request.headers.get("content-type", "nothing")
    if not kind.lower().startswith("multipart/form-data"):
        raise HTTPException(
            415, f"expected a form as multipart/form-data, got {kind[:NAME]!r}"
        )
    if int(request.headers.get("content-length", 0)) > most:
        raise _too_large(most)
    bounded = Request(request.scope, _bounded(request.receive, most))
    async with bounded.form(
        max_files=1, max_fields=FIELDS, max_part_size=LENGTH
    ) as form:
        yield _understood(form)


def _too_large(most):
    return HTTPException(413, f"the body has more than {most:,} bytes: shrink it")


def _bounded(receive, most):
    """The same messages, until their bodies are too long together."""
    received = 0

    async def bounded():
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise _too_large(most)
        return message

    return bounded


def _understood(form):
    unknown = set(form) - {FILE, REGION, DENSITY}
    if unknown:
        raise HTTPException(
            400,
            f"the form has no field {min(unknown)[:NAME]!r}: use {FILE}, {REGION} or "
            f"{DENSITY}",
        )
    file = form.get(FILE)
    if not isinstance(file, UploadFile):
        raise HTTPException(400, f"the form has no file in its field {FILE}")
    formats = tuple(dict.fromkeys(form.getlist(DENSITY)))
    if not set(formats) <= set(FORMATS):
        raise HTTPException(
            400, f"{DENSITY}: expected {' or '.join(FORMATS)}, got {formats[0]!r}"
        )
    name = " ".join((file.filename or "").split())[-NAME:] or f"the {FILE}"
    return Upload(file.file, name, _regions(form.getlist(REGION)), formats)


def _regions(texts):
    try:
        found = [regions.parse_region(text) for text in texts]
    except (ValueError, TypeError) as error:  # TypeError: the field holds a file
        raise HTTPException(400, str(error)) from None
    if len({region.name for region in found}) < len(found):
        raise HTTPException(400, f"{REGION}: each region needs a name of its own")
    return found
