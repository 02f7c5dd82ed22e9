"""The server as a user starts it, and requests to it by the standard library alone."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse

import jax
import tiny_experiment

from cpcnn_jax.weights import serialization

BOUNDARY = "a-line-that-is-in-no-file"
TYPE = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def weights_file(folder):
    """Drawn weights of the smallest networks."""
    path = folder / "weights.safetensors"
    serialization.save(
        path,
        tiny_experiment.networks()[1],
        tiny_experiment.get_config().model,
        blocks=2,
    )
    return path


@contextlib.contextmanager
def running(file, *flags):
    """The address of a server process, which must end in order on Ctrl-C."""
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
    }
    words = ["serve", "--weights", str(file), "--port", "0", *flags]
    with subprocess.Popen(
        [sys.executable, "-m", "cpcnn_jax", *words],
        cwd=tiny_experiment.ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("serve: http://127.0.0.1:"), process.stderr.read()
            yield line.split()[1]
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=120)
            # libtiff itself writes to stderr about damaged files.
            assert process.returncode == 0 and "Traceback" not in complaints, complaints
        finally:
            process.kill()


def form(photograph=None, name="a.png", fields=()):
    """The body of a request: a file and (field, text) pairs."""
    parts = [(f'name="{field}"', text.encode()) for field, text in fields]
    if photograph is not None:
        parts.append((f'name="photograph"; filename="{name}"', photograph))
    lines = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode()
        + content
        + b"\r\n"
        for head, content in parts
    ]
    return b"".join([*lines, f"--{BOUNDARY}--\r\n".encode()])


def connect(address, timeout=300):
    where = urllib.parse.urlsplit(address)
    return http.client.HTTPConnection(where.hostname, where.port, timeout=timeout)


def ask(address, method, path, body=None, headers=None):
    """(status, headers, body) of one request."""
    with contextlib.closing(connect(address)) as connection:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def count(address, photograph, name="a.png", fields=()):
    """(status, what the JSON says) of POST /count."""
    body = form(photograph, name, fields)
    status, _, found = ask(address, "POST", "/count", body, TYPE)
    return status, json.loads(found)


def health(address):
    status, _, found = ask(address, "GET", "/health")
    assert status == 200
    return json.loads(found)


def until(address, taken):
    """Wait until so many places are taken."""
    for _ in range(3000):
        if health(address)["taken"] == taken:
            return
        time.sleep(0.02)
    raise AssertionError(f"never {taken} places taken: {health(address)}")


def metric(address, name):
    """A number of /metrics."""
    _, _, text = ask(address, "GET", "/metrics")
    found = [v for v in text.decode().splitlines() if v.startswith(f"{name} ")]
    return float(found[0].split()[1])
