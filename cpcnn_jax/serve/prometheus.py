"""What /metrics says of the running server, in the words of Prometheus.

Beside these, prometheus_client tells memory, CPU time and open files of the process.
"""

import time

from prometheus_client import Counter, Gauge, Histogram

ANSWERS = Counter(
    "cpcnn_answers",
    "Answers to POST /count; status 499: the client hung up before its answer.",
    ["status"],
)
SECONDS = Histogram(
    "cpcnn_answer_seconds",
    "From a request's first line to its answer, for those that were counted.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 150),
)
TAKEN = Gauge("cpcnn_line_taken", "Places in the waiting line that are taken.")
PLACES = Gauge("cpcnn_line_places", "Places in the waiting line.")


def watch(line):
    """Tell how long the line is.

    Args:
      line: `request_queue.RequestQueue`.
    """
    TAKEN.set_function(lambda: line.taken)
    PLACES.set_function(lambda: line.places)


def watched(app):
    """An ASGI application whose answers are counted.

    Args:
      app: the application.

    Returns:
      One that does the same.
    """

    async def watched(scope, receive, send):
        began = time.monotonic()

        async def sent(message):
            if message["type"] == "http.response.start":
                ANSWERS.labels(message["status"]).inc()
                if message["status"] == 200:
                    SECONDS.observe(time.monotonic() - began)
            await send(message)

        counts = scope["type"] == "http" and scope["path"] == "/count"
        await app(scope, receive, sent if counts else send)

    return watched
