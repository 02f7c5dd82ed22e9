"""Forms of requests: one image or video, and options, read within limits."""

import contextlib
import re
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO, NamedTuple, TypeVar

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from cpcnn_jax.inference.regions import Region, parse_region

FILE = "photograph"  # fields of the forms
VIDEO = "video"
REGION = "region"
DENSITY = "density"
FORMATS = ("npy", "png")
POINTS = "points"
FRAME_STEP = "frame_step"
MAX_FIELDS, MAX_FIELD_BYTES = 64, 8192  # of fields other than the file
MAX_NAME = 255  # characters of a file name in answers


class Upload(NamedTuple):
    """Content of the form of an image."""

    file: BinaryIO  # open until the request ends
    name: str  # for messages
    regions: list[Region]
    density: tuple[str, ...]  # requested formats of the map
    points: bool  # whether the heads are requested


class VideoUpload(NamedTuple):
    """Content of the form of a video."""

    file: BinaryIO  # open until the request ends
    name: str  # for messages
    regions: list[Region]
    frame_step: int | None  # frames from one counted to the next; None: each second


Form = TypeVar("Form")


@contextlib.asynccontextmanager
async def read_form(
    request: Request, parse: Callable[[FormData], Form], *, max_body: int
) -> AsyncIterator[Form]:
    """Receives the form of a request; large files wait on disk, not in memory.

    Args:
      request: the request.
      parse: `parse_image` or `parse_video`.
      max_body: largest size of its body, bytes.

    Yields:
      The content of the form.

    Raises:
      HTTPException: the form is invalid; status 400, 413 or 415, with a sentence.
      ClientDisconnect: the client disconnected before the end of the form.
    """
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        got = repr(kind[:MAX_NAME]) if kind else "no content type"
        raise HTTPException(415, f"expected a form as multipart/form-data, got {got}")
    if int(request.headers.get("content-length", 0)) > max_body:
        raise _size_error(max_body)
    bounded = Request(request.scope, _bound_receive(request.receive, max_body))
    form = await bounded.form(
        max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
    )
    try:
        yield parse(form)
    finally:
        # Starlette closes a file on disk in a thread. The answer of a stopped server
        # must not wait for it: uvicorn cancels what waits a second time.
        for _, value in form.multi_items():
            if isinstance(value, UploadFile):
                value.file.close()


def _size_error(max_body):
    text = f"the body has more than {max_body / 2**20:g} MiB: send a smaller file"
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


def parse_image(form: FormData) -> Upload:
    """Parses the form of an image; raises HTTPException for an invalid one."""
    _check_fields(form, (FILE, REGION, DENSITY, POINTS))
    file, name = _parse_file(form, FILE)
    formats = tuple(dict.fromkeys(map(str, form.getlist(DENSITY))))
    if not set(formats) <= set(FORMATS):
        raise HTTPException(
            400, f"{DENSITY}: expected {' or '.join(FORMATS)}, got {formats[0]!r}"
        )
    regions, points = _parse_regions(form.getlist(REGION)), form.get(POINTS, "false")
    if points not in ("true", "false"):
        raise HTTPException(400, f"{POINTS}: expected true or false")
    return Upload(file, name, regions, formats, points == "true")


def parse_video(form: FormData) -> VideoUpload:
    """Parses the form of a video; raises HTTPException for an invalid one."""
    _check_fields(form, (VIDEO, REGION, FRAME_STEP))
    file, name = _parse_file(form, VIDEO)
    step = form.get(FRAME_STEP)
    if step is not None and not (
        isinstance(step, str) and re.fullmatch("0*[1-9][0-9]{0,8}", step)
    ):
        raise HTTPException(400, f"{FRAME_STEP}: expected a number from 1")
    regions = _parse_regions(form.getlist(REGION))
    return VideoUpload(file, name, regions, int(step) if step else None)


def _check_fields(form, names):
    if unknown := set(form) - set(names):
        *others, last = names
        raise HTTPException(
            400,
            f"the form has no field {min(unknown)[:MAX_NAME]!r}: use "
            f"{', '.join(others)} or {last}",
        )


def _parse_file(form, field):
    file = form.get(field)
    if not isinstance(file, UploadFile):
        raise HTTPException(400, f"the form has no file in its field {field}")
    name = " ".join((file.filename or "").split())
    if len(name) > MAX_NAME:
        name = f"…{name[1 - MAX_NAME :]}"
    name = name or ("the video" if field == VIDEO else "the image")
    if field == FILE and (file.content_type or "").startswith("video/"):
        text = f"{name} is a video: send it to /count_video, in the field {VIDEO}"
        raise HTTPException(400, text)
    return file.file, name


def _parse_regions(texts):
    try:
        regions = [parse_region(text) for text in texts]
    except (ValueError, TypeError) as error:  # TypeError: the field holds a file
        raise HTTPException(400, str(error)) from None
    if len({region.name for region in regions}) < len(regions):
        raise HTTPException(400, f"{REGION}: each region needs its own name")
    return regions
