"""Prometheus metrics of the server.

prometheus_client adds memory, CPU time and open files of the process.
"""

import time

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp

from cpcnn_jax.serve.request_queue import RequestQueue

ANSWERS = Counter(
    "cpcnn_answers",
    "Answers to POST /count and /count_video; status 499: the client disconnected "
    "before its answer.",
    ["status"],
)
SECONDS = Histogram(
    "cpcnn_answer_seconds",
    "Time from the first line of POST /count to its answer, for status 200.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 150),
)
FRAMES = Counter("cpcnn_video_frames", "Counted frames of videos.")
TAKEN = Gauge("cpcnn_line_taken", "Places of the queue that are taken.")
PLACES = Gauge("cpcnn_line_places", "Places of the queue.")


def track_queue(queue: RequestQueue) -> None:
    """Reports the length of a queue."""
    TAKEN.set_function(lambda: queue.taken)
    PLACES.set_function(lambda: queue.places)


def track_answers(app: ASGIApp, root_path: str) -> ASGIApp:
    """Wraps an application to report its answers, with and without the root path."""

    async def tracked(scope, receive, send):
        start = time.monotonic()
        path = scope.get("path", "").removeprefix(root_path)

        async def tracked_send(message):
            if message["type"] == "http.response.start":
                ANSWERS.labels(message["status"]).inc()
                if message["status"] == 200 and path == "/count":
                    SECONDS.observe(time.monotonic() - start)
            await send(message)

        is_count = scope["type"] == "http" and path in ("/count", "/count_video")
        await app(scope, receive, tracked_send if is_count else send)

    return tracked
