"""The web application: which address answers what, and what every failure is told.

A request takes its place in the line before its body is read, so that neither bodies
nor counts can pile up; one time limit covers sending, waiting and counting.
"""

import asyncio
import contextlib
import functools

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cpcnn_jax.io import html as html_io
from cpcnn_jax.serve import examples, page, prometheus
from cpcnn_jax.serve import request as request_lib
from cpcnn_jax.serve.request_queue import ClientGone, QueueFull, RequestQueue
from cpcnn_jax.serve.response import Rejected, respond

HUNG_UP = 499  # for /metrics; the client does not hear it


def application(ready, *, weights, limits):
    """Make the application.

    Args:
      ready: `counter.Counter`.
      weights: what its weights are called.
      limits: `limits.Limits`.

    Returns:
      An ASGI application.
    """
    line = RequestQueue(limits.places)
    prometheus.watch(line)
    shown = page.render(weights)

    @contextlib.asynccontextmanager
    async def lifespan(_):
        yield
        line.close()

    routes = [
        Route("/", lambda _: Response(shown, headers=page.HEADERS)),
        Route("/examples/{number:int}.jpg", _example),
        Route(
            "/count", functools.partial(_count, ready, line, limits), methods=["POST"]
        ),
        Route("/health", functools.partial(_health, line, weights)),
        Route("/metrics", _metrics),
        Route("/openapi.json", _schema),
    ]
    failures = {
        HTTPException: _refused,
        QueueFull: functools.partial(_full, line),
        ClientGone: _left,
        ClientDisconnect: _left,
        Exception: _failed,
    }
    app = Starlette(routes=routes, exception_handlers=failures, lifespan=lifespan)
    return prometheus.watched(app)


async def _count(ready, line, limits, request):
    sent = None
    with line.place():
        try:
            async with (
                asyncio.timeout(limits.seconds),
                request_lib.reading(request, most=limits.body) as sent,
            ):
                work = functools.partial(respond, ready, sent, max_size=limits.max_size)
                body = await line.turn(work, _hang_up(request.receive))
        except TimeoutError:
            raise _late(sent, limits.seconds) from None
        except Rejected as error:
            raise HTTPException(400, str(error)) from None
    return Response(body, media_type="application/json")


async def _hang_up(receive):
    """Ends when the client does, which has already sent all it had to send."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _late(sent, seconds):
    if sent is None:
        return HTTPException(408, f"no whole form arrived within {seconds:g} seconds")
    text = f"{sent.name} was not counted within {seconds:g} seconds: shrink it or wait"
    return HTTPException(504, text)


def _example(request):
    number = request.path_params["number"]
    if number >= len(examples.source()):
        raise HTTPException(404, f"there is no example {number}")
    return Response(examples.jpeg(number), media_type="image/jpeg")


async def _health(line, weights, _):
    told = {"status": "ok", "weights": weights, "places": line.places}
    return JSONResponse(told | {"taken": line.taken})


async def _metrics(_):
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _schema(_):
    text = html_io.read_part(__package__, "openapi.json")
    return Response(text, media_type="application/json")


async def _refused(_, error):
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _full(line, _, __):
    text = f"all {line.places} places are taken: try again in {line.pause} seconds"
    return JSONResponse({"error": text}, 503, {"Retry-After": str(line.pause)})


async def _left(_, __):
    return Response(status_code=HUNG_UP)


async def _failed(_, __):
    return JSONResponse({"error": "the server failed; its log says how"}, 500)
