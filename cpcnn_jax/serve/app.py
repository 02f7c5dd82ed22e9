"""Web application: routes, time limits and error answers.

A request takes its place in the queue before its body is read, which bounds both the
received bodies and the waiting counts.
"""

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from cpcnn_jax.inference.counter import Counter
from cpcnn_jax.io.html import read_part
from cpcnn_jax.serve import examples, page, prometheus
from cpcnn_jax.serve.request import parse_image, read_form
from cpcnn_jax.serve.request_queue import (
    ClientGone,
    Limits,
    QueueFull,
    RequestQueue,
    wait_for_disconnect,
)
from cpcnn_jax.serve.response import count_upload
from cpcnn_jax.serve.video_endpoint import FAILURE, STOPPED, VideoEndpoint

JSON = "application/json"
CLIENT_GONE = 499  # status for /metrics; the client does not receive it


def build_app(
    counter: Counter, *, weights: str, limits: Limits, root_path: str = ""
) -> ASGIApp:
    """Builds the application of a counter.

    Args:
      counter: the networks.
      weights: their name.
      limits: of requests.
      root_path: path that a proxy in front may leave in the requests, such as /crowd;
        the application answers with and without it.
    """
    queue = RequestQueue(limits.max_queue)
    prometheus.track_queue(queue)
    html, schema = page.render(weights, limits), read_part(__package__, "openapi.json")

    @contextlib.asynccontextmanager
    async def lifespan(_):
        yield
        queue.close()

    count = functools.partial(_count, counter, queue, limits)
    routes: list[BaseRoute] = [
        Route("/", lambda _: Response(html, headers=page.HEADERS)),
        Route("/examples/{number:int}.jpg", _send_example),
        Route("/count", count, methods=["POST"]),
        Route("/count_video", VideoEndpoint(counter, queue, limits), methods=["POST"]),
        Route("/health", functools.partial(_send_health, queue, weights)),
        Route("/metrics", _send_metrics),
        Route("/openapi.json", lambda _: Response(schema, media_type=JSON)),
    ]
    handlers: dict[Any, Callable[..., Awaitable[Response]]] = {
        HTTPException: _answer_error,
        QueueFull: functools.partial(_answer_full, queue),
        ClientGone: _answer_gone,
        ClientDisconnect: _answer_gone,
        Exception: _answer_failure,
    }
    if root_path:
        routes += [Route(root_path, _add_slash), Mount(root_path, routes=[*routes])]
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
    return prometheus.track_answers(app, root_path)


def make_server(
    counter: Counter, *, weights: str, limits: Limits, root_path: str = ""
) -> uvicorn.Server:
    """Makes the server, after a first count that compiles and tests the weights."""
    counter.count(examples.open_images()[0]["image"])
    config = uvicorn.Config(
        build_app(counter, weights=weights, limits=limits, root_path=root_path),
        http="h11",
        loop="asyncio",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


async def _add_slash(request):
    """Redirects /crowd to /crowd/, where the relative URLs of the page begin.

    The address is relative, since the server does not know the proxy's.
    """
    name = request.url.path.rpartition("/")[2]
    return Response(status_code=307, headers={"Location": f"{name}/"})


async def _count(counter, queue, limits, request):
    upload = None
    with queue.reserve():
        try:
            async with (
                asyncio.timeout(limits.timeout),
                read_form(request, parse_image, max_body=limits.max_body) as upload,
            ):
                work = functools.partial(
                    count_upload, counter, upload, max_size=limits.max_size
                )
                body = await queue.run(work, wait_for_disconnect(request.receive))
        except TimeoutError:
            raise _timeout_error(upload, limits.timeout) from None
        except asyncio.CancelledError:  # by uvicorn, some seconds after Ctrl-C
            raise HTTPException(503, STOPPED) from None
    return Response(body, media_type=JSON)


def _timeout_error(upload, seconds):
    if upload is None:
        return HTTPException(408, f"the form did not arrive within {seconds:g} seconds")
    text = f"{upload.name} was not counted within {seconds:g} seconds"
    remedy = "send a smaller image, or start the server with --max-size or --timeout"
    return HTTPException(504, f"{text}: {remedy}")


def _send_example(request):
    number = request.path_params["number"]
    if number >= len(examples.open_images()):
        raise HTTPException(404, f"there is no example {number}")
    return Response(examples.encode_jpeg(number), media_type="image/jpeg")


async def _send_health(queue, weights, _):
    content = {"status": "ok", "weights": weights}
    return JSONResponse(content | {"places": queue.places, "taken": queue.taken})


async def _send_metrics(_):
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _answer_error(_, error):
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _answer_full(queue, _, __):
    seconds = str(queue.retry_after)
    text = f"the queue of {queue.places} is full: try again in {seconds} seconds"
    return JSONResponse({"error": text}, 503, {"Retry-After": seconds})


async def _answer_gone(_, __):
    return Response(status_code=CLIENT_GONE)


async def _answer_failure(_, __):
    return JSONResponse({"error": FAILURE}, 500)
