"""Server process started by the command, and requests by the standard library."""

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
    """Writes random weights of the smallest networks, with intervals."""
    path = folder / "weights.safetensors"
    serialization.save(
        path,
        tiny_experiment.networks()[1],
        tiny_experiment.get_config().model,
        blocks=2,
        intervals={"thresholds": [], "log_ratios": [0.2], "num_images": 10},
    )
    return path


@contextlib.contextmanager
def running(file, *flags):
    """Yields the address of a server process, which must exit cleanly on Ctrl-C."""
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
    }
    args = ["serve", "--weights", str(file), "--port", "0", *flags]
    with subprocess.Popen(
        [sys.executable, "-m", "cpcnn_jax", *args],
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
            _, err = process.communicate(timeout=120)
            # libtiff writes to stderr about damaged files.
            assert process.returncode == 0 and "Traceback" not in err, err
        finally:
            process.kill()


def form(image=None, name="a.png", fields=(), *, field="photograph"):
    """Encodes the body of a request: a file in a field, and (field, text) pairs."""
    parts = [(f'name="{key}"', text.encode()) for key, text in fields]
    if image is not None:
        parts.append((f'name="{field}"; filename="{name}"', image))
    lines = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode()
        + content
        + b"\r\n"
        for head, content in parts
    ]
    return b"".join([*lines, f"--{BOUNDARY}--\r\n".encode()])


def connect(address, timeout=300):
    url = urllib.parse.urlsplit(address)
    return http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)


def ask(address, method, path, body=None, headers=None):
    """Sends one request and returns (status, headers, body)."""
    with contextlib.closing(connect(address)) as connection:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def count(address, image, name="a.png", fields=()):
    """Sends POST /count and returns (status, JSON)."""
    status, _, answer = ask(address, "POST", "/count", form(image, name, fields), TYPE)
    return status, json.loads(answer)


def health(address):
    status, _, answer = ask(address, "GET", "/health")
    assert status == 200
    return json.loads(answer)


def until(address, taken):
    """Waits until this number of places is taken."""
    for _ in range(3000):
        if health(address)["taken"] == taken:
            return
        time.sleep(0.02)
    raise AssertionError(f"never {taken} places taken: {health(address)}")


def metric(address, name):
    """Reads a number of /metrics."""
    _, _, text = ask(address, "GET", "/metrics")
    lines = [v for v in text.decode().splitlines() if v.startswith(f"{name} ")]
    return float(lines[0].split()[1])
