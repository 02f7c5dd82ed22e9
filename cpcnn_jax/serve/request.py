"""Form of a request: one image, regions and density formats, read within limits."""

import contextlib
from collections.abc import AsyncIterator
from typing import BinaryIO, NamedTuple

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from cpcnn_jax.inference.regions import Region, parse_region

FILE = "photograph"  # fields of the form
REGION = "region"
DENSITY = "density"
FORMATS = ("npy", "png")
POINTS = "points"
MAX_FIELDS, MAX_FIELD_BYTES = 64, 8192  # of fields other than the file
MAX_NAME = 100  # characters of a file name in answers


class Upload(NamedTuple):
    """Content of a form."""

    file: BinaryIO  # open until the request ends
    name: str  # for messages
    regions: list[Region]
    density: tuple[str, ...]  # requested formats of the map
    points: bool  # whether the heads are requested


@contextlib.asynccontextmanager
async def read_upload(request: Request, *, max_body: int) -> AsyncIterator[Upload]:
    """Receives the form of a request; large files wait on disk, not in memory.

    Args:
      request: the request.
      max_body: largest size of its body, bytes.

    Yields:
      The content of the form.

    Raises:
      HTTPException: the form is invalid; status 400, 413 or 415, with a sentence.
      ClientDisconnect: the client disconnected before the end of the form.
    """
    kind = request.headers.get("content-type", "nothing")
    if not kind.lower().startswith("multipart/form-data"):
        raise HTTPException(
            415, f"expected a form as multipart/form-data, got {kind[:MAX_NAME]!r}"
        )
    if int(request.headers.get("content-length", 0)) > max_body:
        raise _size_error(max_body)
    bounded = Request(request.scope, _bound_receive(request.receive, max_body))
    async with bounded.form(
        max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
    ) as form:
        yield _parse_form(form)


def _size_error(max_body):
    text = f"the body has more than {max_body:,} bytes: send a smaller image"
    return HTTPException(413, text)


def _bound_receive(receive, max_body):
    """Wraps `receive` to fail once the bodies together are too large."""
    received = 0

    async def bounded():
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > max_body:
            raise _size_error(max_body)
        return message

    return bounded


def _parse_form(form):
    if unknown := set(form) - {FILE, REGION, DENSITY, POINTS}:
        raise HTTPException(
            400,
            f"the form has no field {min(unknown)[:MAX_NAME]!r}: use {FILE}, {REGION}, "
            f"{DENSITY} or {POINTS}",
        )
    file = form.get(FILE)
    if not isinstance(file, UploadFile):
        raise HTTPException(400, f"the form has no file in its field {FILE}")
    formats = tuple(dict.fromkeys(form.getlist(DENSITY)))
    if not set(formats) <= set(FORMATS):
        raise HTTPException(
            400, f"{DENSITY}: expected {' or '.join(FORMATS)}, got {formats[0]!r}"
        )
    name = " ".join((file.filename or "").split())[-MAX_NAME:] or "the image"
    regions, points = _parse_regions(form.getlist(REGION)), form.get(POINTS, "false")
    if points not in ("true", "false"):
        raise HTTPException(400, f"{POINTS}: expected true or false")
    return Upload(file.file, name, regions, formats, points == "true")


def _parse_regions(texts):
    try:
        regions = [parse_region(text) for text in texts]
    except (ValueError, TypeError) as error:  # TypeError: the field holds a file
        raise HTTPException(400, str(error)) from None
    if len({region.name for region in regions}) < len(regions):
        raise HTTPException(400, f"{REGION}: each region needs its own name")
    return regions
