"""Counter that a test controls, and the application with it.

The application runs in uvicorn, in a thread of the test process.
"""

import contextlib
import socket
import threading
import time

import numpy as np
import pytest

from cpcnn_jax.inference import counter
from cpcnn_jax.io import image as image_io
from cpcnn_jax.serve import app
from cpcnn_jax.serve.request_queue import Limits

uvicorn = pytest.importorskip("uvicorn")


class StepCounter:
    """Counter of three parts that wait for `resume`."""

    def __init__(self):
        self.started, self.parts, self.resume = [], 0, threading.Event()

    def count(self, image, *, max_size, progress=iter):
        """Counts the bytes of a file."""
        self.started.append(image.name)
        for _ in progress([1, 2, 3]):
            assert self.resume.wait(300)
            self.parts += 1
        if image.name == "bug":
            raise ZeroDivisionError
        density = np.ones((2, 4), np.float32)
        size = image_io.LoadedImage(image.name, None, (2, 4))
        return counter.Count(float(len(image.read())), density, None, None, size)


class FrameCounter(StepCounter):
    """Counter of frames, as many as the test allows; the first has one person."""

    def __init__(self):
        super().__init__()
        self.allowed, self.frames = threading.Semaphore(0), 0

    def count(self, image, **more):
        """Counts a file as `StepCounter`, and an array as its number."""
        if hasattr(image, "read"):
            return super().count(image, **more)
        self.started.append("frame")
        wait_for(lambda: self.resume.is_set() or self.allowed.acquire(timeout=0.01))
        self.frames += 1
        size = image_io.LoadedImage("frame", None, image.shape[:2])
        density = np.ones((2, 4), np.float32)
        return counter.Count(float(self.frames), density, None, None, size)


@contextlib.contextmanager
def running(ready, *, root_path="", **limits):
    """Runs the application in a thread and yields its address."""
    application = app.build_app(
        ready, weights="none", limits=Limits(**limits), root_path=root_path
    )
    config = uvicorn.Config(
        application,
        log_config=None,  # uvicorn's default keeps a stderr that pytest closes
        log_level="critical",
        loop="asyncio",
        timeout_graceful_shutdown=1,
    )
    ready.server = server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ready.resume.set()
        server.should_exit = True
        thread.join(300)
        listener.close()
    assert not thread.is_alive()


def wait_for(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("the condition never held")
