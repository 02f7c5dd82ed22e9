"""Who waits, who is turned away and who has left: with a counter that counts when told.

The application runs as it does for users, in uvicorn, but in a thread of the tests.
"""

import asyncio
import contextlib
import json
import socket
import threading
import time

import numpy as np
import pytest
import server_process
from benchmark_modules import module

from cpcnn_jax.inference import counter
from cpcnn_jax.io import image as image_io
from cpcnn_jax.serve import app
from cpcnn_jax.serve.limits import Limits
from cpcnn_jax.serve.request_queue import RequestQueue

uvicorn = pytest.importorskip("uvicorn")


class Told:
    """A counter of three parts, each of which waits until it is told to go on."""

    def __init__(self):
        self.begun, self.parts, self.go_on = [], 0, threading.Event()

    def count(self, image, *, max_size, progress):
        self.begun.append(image.name)
        for _ in progress([1, 2, 3]):
            assert self.go_on.wait(300)
            self.parts += 1
        if image.name == "bug":
            raise ZeroDivisionError
        density = np.ones((2, 4), np.float32)
        size = image_io.LoadedImage(image.name, None, (2, 4))
        return counter.Count(float(len(image.read())), density, None, None, size)


@contextlib.contextmanager
def running(ready, **limits):
    """The address of the application in a thread."""
    made = app.application(ready, weights="none", limits=Limits(**limits))
    config = uvicorn.Config(
        made,
        log_config=None,  # uvicorn's own keeps hold of a stderr that pytest closes
        log_level="critical",
        loop="asyncio",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        ready.go_on.set()
        server.should_exit = True
        thread.join(300)
        listening.close()
    assert not thread.is_alive()


def begin(address, name, *, share=1.0):
    """A connection on which a share of a request was sent."""
    body = server_process.form(b"x" * 1000, name)
    connection = server_process.connect(address)
    connection.putrequest("POST", "/count")
    for key, value in {**server_process.TYPE, "Content-Length": str(len(body))}.items():
        connection.putheader(key, value)
    connection.endheaders(body[: int(share * len(body))])
    return connection


def end(connection):
    """(status, headers, JSON)."""
    with contextlib.closing(connection):
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())


def wait_for(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")


def test_requests_are_served_in_their_order():
    ready = Told()
    with running(ready) as address:
        waiting = []
        for n in range(4):
            waiting.append(begin(address, str(n)))
            server_process.until(address, taken=n + 1)
        assert ready.begun == ["0"]
        ready.go_on.set()
        answers = [end(connection) for connection in waiting]
    assert [(status, told["file"]) for status, _, told in answers] == [
        (200, str(n)) for n in range(4)
    ]
    assert {told["count"] for _, _, told in answers} == {1000}
    assert ready.begun == ["0", "1", "2", "3"]


def test_a_full_line_turns_away_at_once_and_takes_again():
    ready = Told()
    with running(ready, places=2) as address:
        waiting = [begin(address, "0"), begin(address, "1", share=0.5)]
        server_process.until(
            address, taken=2
        )  # one that is still being sent has its place
        status, headers, told = end(begin(address, "2"))
        assert status == 503 and int(headers["Retry-After"]) >= 1
        assert told == {"error": "all 2 places are taken: try again in 1 seconds"}
        waiting[1].close()
        server_process.until(address, taken=1)
        ready.go_on.set()
        assert end(waiting[0])[0] == 200
        assert end(begin(address, "3"))[0] == 200
    assert ready.begun == ["0", "3"]


def test_who_hangs_up_while_waiting_is_never_counted():
    ready = Told()
    with running(ready) as address:
        first, second = begin(address, "0"), begin(address, "1")
        server_process.until(address, taken=2)
        third = begin(address, "2")
        server_process.until(address, taken=3)
        second.close()
        server_process.until(address, taken=2)
        ready.go_on.set()
        assert [end(first)[0], end(third)[0]] == [200, 200]
    assert ready.begun == ["0", "2"]


def test_who_hangs_up_while_counted_stops_the_count():
    ready = Told()
    with running(ready) as address:
        before = server_process.metric(address, 'cpcnn_answers_total{status="499"}')
        first = begin(address, "0")
        wait_for(lambda: ready.begun)
        first.close()
        server_process.until(address, taken=0)
        ready.go_on.set()
        assert end(begin(address, "1"))[0] == 200
        after = server_process.metric(address, 'cpcnn_answers_total{status="499"}')
    assert ready.parts == 1 + 3  # of the first, the part that it was in
    assert after == before + 1


def test_who_waits_too_long_is_told_and_dropped():
    ready = Told()
    with running(ready, seconds=2) as address:
        answers = [end(c) for c in [begin(address, n) for n in ("one", "two")]]
        for name, (status, _, told) in zip(("one", "two"), answers, strict=True):
            sentence = "was not counted within 2 seconds: shrink it or wait"
            assert (status, told) == (504, {"error": f"{name} {sentence}"})
        assert server_process.health(address)["taken"] == 0
        ready.go_on.set()
        assert end(begin(address, "three"))[0] == 200
    assert ready.begun[1:] == ["three"] and ready.parts == 1 + 3


def test_who_sends_too_slowly_is_told():
    with running(Told(), seconds=0.3) as address:
        status, _, told = end(begin(address, "slow", share=0.5))
        assert (status, told) == (
            408,
            {"error": "no whole form arrived within 0.3 seconds"},
        )
        assert server_process.health(address)["taken"] == 0


def test_a_failure_of_ours_is_told_and_survived():
    ready = Told()
    ready.go_on.set()
    with running(ready) as address:
        status, _, told = end(begin(address, "bug"))
        assert (status, told) == (500, {"error": "the server failed; its log says how"})
        assert end(begin(address, "a"))[0] == 200
        assert server_process.health(address)["taken"] == 0


def test_the_benchmark_tells_right_wrong_and_lost(tmp_path, monkeypatch, capsys):
    benchmark, ready = module("serve"), Told()
    ready.go_on.set()
    files = [b"x" * 3, b"x" * 5]
    with running(ready, places=2) as address:
        for expected, wrong in (([3.0, 5.0], 0), ([3.0, 5.1], 10)):
            sizes = {"clients": 6, "requests": 20}
            found = benchmark.load(address, files, expected, **sizes)
            assert (found.lost, found.wrong, len(found.seconds)) == (0, wrong, 20)
        monkeypatch.setattr(benchmark, "photographs", lambda: files)
        alone = [3.0, 5.0], [0.5] * 10
        monkeypatch.setattr(benchmark, "baseline", lambda *words, **more: alone)
        there = contextlib.nullcontext(address)
        monkeypatch.setattr(benchmark, "serving", lambda *words: there)
        words = f"serve.py --weights none --requests 9 --json {tmp_path}/a.json"
        monkeypatch.setattr(benchmark.sys, "argv", words.split())
        assert benchmark.main() == 0
    gone = benchmark.load(address, files, [3.0, 5.0], clients=1, requests=2)
    assert (gone.lost, gone.seconds) == (2, [])
    told = json.loads((tmp_path / "a.json").read_text())["serve"]
    assert (told["lost"], told["wrong"]) == (0, 0)
    alone = told["rows"]["one process, one after the other"]
    assert alone == dict(photographs=10, per_second=2, p50=0.5, p95=0.5, p99=0.5)
    assert "| server, 50 clients | 9 |" in capsys.readouterr().out


def test_the_policy_names_the_script_of_the_page():
    with running(Told()) as address:
        status, headers, text = server_process.ask(address, "GET", "/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ") and "sha256-" in policy
    assert b"http://" not in text.replace(b"http://www.w3.org/2000/svg", b"")
    assert b"https://" not in text


def test_the_pause_is_as_long_as_a_turn_takes(monkeypatch):
    line = RequestQueue(3)
    assert line.pause == 1
    clock = iter([0.0, 40.0])
    monkeypatch.setattr(
        "cpcnn_jax.serve.request_queue.time.monotonic", lambda: next(clock)
    )
    line._timed(lambda progress: None, iter)
    assert line.pause == 8  # a fifth of the way from none to forty seconds


def test_a_line_that_is_closed_lets_nobody_wait():
    async def closed():
        line, go_on = RequestQueue(2), threading.Event()
        turns = [
            asyncio.ensure_future(
                line.turn(lambda progress: go_on.wait(300), asyncio.sleep(300))
            )
            for _ in range(2)
        ]
        await asyncio.sleep(0.05)
        line.close()
        go_on.set()
        return await asyncio.gather(*turns, return_exceptions=True)

    first, second = asyncio.run(closed())
    assert first is True and isinstance(second, asyncio.CancelledError)
