"""An HTTP server of videos, endless and broken MJPEG streams, and wrong answers."""

import contextlib
import http.server
import io
import socket
import threading

import numpy as np
from PIL import Image

PASSWORD = "hunter2"
SIZE = (96, 128)  # rows, columns
_HEAD = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        """Stays silent."""

    def do_GET(self):
        name = self.path.partition("?")[0]
        if name in self.server.files:
            self._send_file(self.server.files[name])
        elif name == "/live":
            self._send_frames()
        elif name == "/silent":
            self.server.closing.wait()
        else:
            self.send_error(404)

    def _send_file(self, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _send_frames(self):
        """Sends twenty frames a second, until the connection's number is reached."""
        self.send_response(200)
        boundary = "multipart/x-mixed-replace; boundary=frame"
        self.send_header("Content-Type", boundary)
        self.end_headers()
        numbers = self.server.numbers
        number = numbers.pop(0) if numbers else 0
        while number is None or number > 0:
            data = jpeg(self.server.sent)
            self.wfile.write(_HEAD % len(data) + data + b"\r\n")
            self.server.sent += 1
            number = number and number - 1
            if self.server.closing.wait(0.05):
                break


def jpeg(number):
    """A frame of one gray level, which falls from frame to frame."""
    pixels = np.full((*SIZE, 3), 250 - number % 200, np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG")
    return data.getvalue()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Stays silent: clients leave in the middle of a stream."""


@contextlib.contextmanager
def running(files=(), numbers=(None,)):
    """Runs a server for the block.

    Args:
      files: contents by path.
      numbers: frames of each connection to /live; None is endless. Later ones are
        empty.

    Yields:
      Its address, with a user and a password.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.files, server.numbers, server.sent = dict(files), list(numbers), 0
    server.closing = threading.Event()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://me:{PASSWORD}@127.0.0.1:{server.server_port}"
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()


def free_port():
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
