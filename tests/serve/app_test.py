"""Queue, limits, disconnects and proxies, with a counter that the test controls."""

import asyncio
import contextlib
import json
import re
import threading
import urllib.parse
import urllib.request

import pytest
import reverse_proxy
import server_process
from benchmark_modules import module
from step_counter import StepCounter, running, wait_for

from cpcnn_jax.serve.request_queue import RequestQueue


def begin(address, name, *, share=1.0, size=1000):
    """Opens a connection and sends a share of a request with a file."""
    body = server_process.form(b"x" * size, name)
    connection = server_process.connect(address)
    connection.putrequest("POST", "/count")
    for key, value in {**server_process.TYPE, "Content-Length": str(len(body))}.items():
        connection.putheader(key, value)
    connection.endheaders(body[: int(share * len(body))])
    return connection


def end(connection):
    """Reads (status, headers, JSON)."""
    with contextlib.closing(connection):
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())


def test_requests_are_counted_in_their_order():
    ready = StepCounter()
    with running(ready) as address:
        waiting = []
        for n in range(4):
            waiting.append(begin(address, str(n)))
            server_process.until(address, taken=n + 1)
        assert ready.started == ["0"]
        ready.resume.set()
        answers = [end(connection) for connection in waiting]
    assert [(status, answer["file"]) for status, _, answer in answers] == [
        (200, str(n)) for n in range(4)
    ]
    assert {answer["count"] for _, _, answer in answers} == {1000}
    assert ready.started == ["0", "1", "2", "3"]


def test_full_queue_rejects_at_once_and_recovers():
    ready = StepCounter()
    with running(ready, max_queue=2) as address:
        waiting = [begin(address, "0"), begin(address, "1", share=0.5)]
        # A request that is still being sent has its place.
        server_process.until(address, taken=2)
        status, headers, answer = end(begin(address, "2"))
        assert status == 503 and int(headers["Retry-After"]) >= 1
        assert answer == {"error": "the queue of 2 is full: try again in 1 seconds"}
        waiting[1].close()
        server_process.until(address, taken=1)
        ready.resume.set()
        assert end(waiting[0])[0] == 200
        assert end(begin(address, "3"))[0] == 200
    assert ready.started == ["0", "3"]


def test_disconnect_while_waiting_drops_the_request():
    ready = StepCounter()
    with running(ready) as address:
        first, second = begin(address, "0"), begin(address, "1")
        server_process.until(address, taken=2)
        third = begin(address, "2")
        server_process.until(address, taken=3)
        second.close()
        server_process.until(address, taken=2)
        ready.resume.set()
        assert [end(first)[0], end(third)[0]] == [200, 200]
    assert ready.started == ["0", "2"]


def test_disconnect_during_the_count_stops_it():
    ready = StepCounter()
    with running(ready) as address:
        old = server_process.metric(address, 'cpcnn_answers_total{status="499"}')
        first = begin(address, "0")
        wait_for(lambda: ready.started)
        first.close()
        server_process.until(address, taken=0)
        ready.resume.set()
        assert end(begin(address, "1"))[0] == 200
        new = server_process.metric(address, 'cpcnn_answers_total{status="499"}')
    assert ready.parts == 1 + 3  # the first stopped after its current part
    assert new == old + 1


def test_timeout_drops_waiting_and_running_requests():
    ready = StepCounter()
    with running(ready, timeout=2) as address:
        answers = [end(c) for c in [begin(address, n) for n in ("one", "two")]]
        for name, (status, _, answer) in zip(("one", "two"), answers, strict=True):
            assert status == 504
            start = f"{name} was not counted within 2 seconds: "
            assert answer["error"].startswith(start)
        assert server_process.health(address)["taken"] == 0
        ready.resume.set()
        assert end(begin(address, "three"))[0] == 200
    assert ready.started[1:] == ["three"] and ready.parts == 1 + 3


@pytest.mark.parametrize("size", [1000, 3_000_000])  # the larger one waits on disk
def test_stopped_server_answers_an_image_in_work(size):
    ready = StepCounter()
    with running(ready) as address:
        first = begin(address, "0", size=size)
        wait_for(lambda: ready.started)
        ready.server.should_exit = True
        status, _, answer = end(first)
    assert status == 503
    assert answer == {"error": "the server was stopped: try again"}


def test_slow_upload_is_a_timeout():
    with running(StepCounter(), timeout=0.3) as address:
        status, _, answer = end(begin(address, "slow", share=0.5))
        assert status == 408
        assert answer == {"error": "the form did not arrive within 0.3 seconds"}
        assert server_process.health(address)["taken"] == 0


def test_server_error_is_reported_and_survived():
    ready = StepCounter()
    ready.resume.set()
    with running(ready) as address:
        status, _, answer = end(begin(address, "bug"))
        assert status == 500
        assert answer == {"error": "the server failed: its log has the traceback"}
        assert end(begin(address, "a"))[0] == 200
        assert server_process.health(address)["taken"] == 0


def test_benchmark_counts_wrong_and_lost_answers(tmp_path, monkeypatch, capsys):
    benchmark, ready = module("server_load"), StepCounter()
    ready.resume.set()
    files = [b"x" * 3, b"x" * 5]
    with running(ready, max_queue=2) as address:
        for expected, wrong in (([3.0, 5.0], 0), ([3.0, 5.1], 10)):
            sizes = {"clients": 6, "requests": 20}
            load = benchmark.send_load(address, files, expected, **sizes)
            assert (load.lost, load.wrong, len(load.seconds)) == (0, wrong, 20)
        monkeypatch.setattr(benchmark, "make_files", lambda: files)
        alone = [3.0, 5.0], [0.5] * 10
        monkeypatch.setattr(benchmark, "count_alone", lambda *args, **more: alone)
        running_server = contextlib.nullcontext(address)
        monkeypatch.setattr(benchmark, "start_server", lambda *args: running_server)
        flags = f"--weights none --requests 9 --json {tmp_path}/a.json"
        monkeypatch.setattr(benchmark.sys, "argv", ["server_load.py", *flags.split()])
        assert benchmark.main() == 0
    load = benchmark.send_load(address, files, [3.0, 5.0], clients=1, requests=2)
    assert (load.lost, load.seconds) == (2, [])
    table = json.loads((tmp_path / "a.json").read_text())["serve"]
    assert (table["lost"], table["wrong"]) == (0, 0)
    alone = table["rows"]["one process, one after the other"]
    assert alone == dict(photographs=10, per_second=2, p50=0.5, p95=0.5, p99=0.5)
    assert "| server, 50 clients | 9 |" in capsys.readouterr().out


@pytest.mark.parametrize("keeps", [False, True], ids=["removes", "keeps"])
def test_a_proxy_serves_all_under_its_path(keeps):
    ready = StepCounter()
    ready.resume.set()
    root_path = "/city/crowd" if keeps else ""
    with (
        running(ready, root_path=root_path) as server,
        reverse_proxy.running(server, "/city/crowd", keeps=keeps) as (address, _),
    ):
        page = urllib.parse.urljoin(f"{address}/", ".")
        if keeps:  # one that removes the path cannot tell the two addresses apart
            with urllib.request.urlopen(address) as answer:
                assert answer.url == page
        with urllib.request.urlopen(page) as answer:
            text = answer.read().decode()
        links = re.findall(r'(?:src|href)="(?!data:)([^"#]+)"', text)
        assert "examples/0.jpg" in links and "openapi.json" in links
        for link in links:
            with urllib.request.urlopen(urllib.parse.urljoin(page, link)) as answer:
                assert answer.status == 200
        document = urllib.parse.urljoin(page, "openapi.json")
        with urllib.request.urlopen(document) as answer:
            relative = json.load(answer)["servers"][0]["url"]
        count = urllib.parse.urljoin(document, f"{relative}/count")
        body = server_process.form(b"x" * 5, "a.png")
        request = urllib.request.Request(count, body, server_process.TYPE)
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["count"] == 5
        assert server_process.count(server, b"x", "b.png")[0] == 200  # without it


def test_policy_allows_the_script_of_the_page():
    with running(StepCounter()) as address:
        status, headers, text = server_process.ask(address, "GET", "/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ") and "sha256-" in policy
    assert b"http://" not in text.replace(b"http://www.w3.org/2000/svg", b"")
    assert b"https://" not in text


def test_retry_after_follows_the_time_of_a_count(monkeypatch):
    queue = RequestQueue(3)
    assert queue.retry_after == 1
    clock = iter([0.0, 40.0])
    monkeypatch.setattr(
        "cpcnn_jax.serve.request_queue.time.monotonic", lambda: next(clock)
    )
    queue._time(lambda progress: None, iter)
    assert queue.retry_after == 8  # a fifth of forty seconds


def test_closed_queue_drops_waiting_requests():
    async def close_queue():
        queue, resume = RequestQueue(2), threading.Event()
        runs = [
            asyncio.ensure_future(
                queue.run(lambda progress: resume.wait(300), asyncio.sleep(300))
            )
            for _ in range(2)
        ]
        await asyncio.sleep(0.05)
        queue.close()
        resume.set()
        return await asyncio.gather(*runs, return_exceptions=True)

    first, second = asyncio.run(close_queue())
    assert first is True and isinstance(second, asyncio.CancelledError)
