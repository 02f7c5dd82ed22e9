"""POST /count_video: the counts of a video's frames, sent while it is counted."""

import asyncio
import json

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from cpcnn_jax.inference.counter import Counter
from cpcnn_jax.serve import prometheus
from cpcnn_jax.serve.request import parse_video, read_form
from cpcnn_jax.serve.request_queue import (
    ClientGone,
    Limits,
    RequestQueue,
    wait_for_disconnect,
)
from cpcnn_jax.serve.video_lines import count_frames

FAILURE = "the server failed: its log has the traceback"
STOPPED = "the server was stopped: try again"
HEADERS = (
    (b"content-type", b"application/x-ndjson"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx passes each line on at once
    (b"x-content-type-options", b"nosniff"),
)


class VideoEndpoint:
    """ASGI application that answers with lines of JSON.

    A video that fails before its first count has an error status. A later error is the
    last line of the answer.
    """

    def __init__(self, counter: Counter, queue: RequestQueue, limits: Limits) -> None:
        """Keeps the networks, the queue that it shares with images, and the limits."""
        self._counter, self._queue, self._limits = counter, queue, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        stream = _LineStream(send)
        with self._queue.reserve():
            try:
                await self._answer(Request(scope, receive), stream)
            except (ClientGone, ClientDisconnect):
                if not stream.started:
                    raise
                return
            except HTTPException as error:
                if not stream.started:
                    raise
                await stream.send({"error": error.detail})
            except Exception:
                if stream.started:
                    await stream.send({"error": FAILURE})
                    await stream.end()
                raise
        await stream.end()

    async def _answer(self, request, stream):
        upload, limits = None, self._limits
        try:
            async with (
                asyncio.timeout(limits.video_timeout),
                read_form(request, parse_video, max_body=limits.max_video) as upload,
            ):
                await self._send_frames(request, upload, stream)
        except TimeoutError:
            raise _timeout_error(upload, limits.video_timeout) from None
        except asyncio.CancelledError:  # by uvicorn, some seconds after Ctrl-C
            raise HTTPException(503, STOPPED) from None

    async def _send_frames(self, request, upload, stream):
        """Counts and sends frame by frame, each at its turn in the queue."""
        records = count_frames(self._counter, upload, max_size=self._limits.max_size)
        gone = asyncio.ensure_future(wait_for_disconnect(request.receive))

        def compute(progress):
            return next(records, None)

        async def compute_next():
            return await self._queue.run(compute, asyncio.shield(gone))

        try:
            header, record = await compute_next(), await compute_next()
            await stream.send(header)  # after the first frame, which may be damaged
            while record is not None:
                prometheus.FRAMES.inc("frame" in record)
                await stream.send(record)
                record = await compute_next()
        finally:
            gone.cancel()
            self._queue.run_last(records.close)


class _LineStream:
    """Answer of JSON objects, one in a line, with status 200."""

    def __init__(self, send):
        self._send, self.started = send, False

    async def send(self, record):
        """Sends an object, and the status and headers before the first."""
        if not self.started:
            self.started = True
            start = {"type": "http.response.start", "status": 200}
            await self._send(start | {"headers": [*HEADERS]})
        body = json.dumps(record).encode() + b"\n"
        await self._send(
            {"type": "http.response.body", "body": body, "more_body": True}
        )

    async def end(self):
        """Ends the answer."""
        await self._send({"type": "http.response.body", "body": b""})


def _timeout_error(upload, seconds):
    if upload is None:
        return HTTPException(408, f"the form did not arrive within {seconds:g} seconds")
    text = f"{upload.name} was not counted within {seconds:g} seconds"
    return HTTPException(504, f"{text}: send a shorter video")
