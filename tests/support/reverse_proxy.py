"""Reverse proxy under a path, by the standard library.

It can keep the path, and answer requests itself as proxies do when the server fails.
"""

import contextlib
import http.client
import http.server
import threading
import urllib.parse

KEPT = {"content-type", "content-length", "retry-after", "location"}


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path
        if not path.startswith(self.server.prefix):
            self.send_error(404)
            return
        if not self.server.keeps:
            path = path.removeprefix(self.server.prefix) or "/"
        self._forward(path)

    def do_POST(self):
        if not self.server.answers:
            self.do_GET()
            return
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body, headers = self.server.answers.pop(0)
        if status is None:  # a dropped connection
            self.close_connection = True
            return
        self._start(status, {"Content-Type": "text/html"} | headers)
        self.wfile.write(body.encode())

    def _forward(self, path):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {**self.headers, "X-Forwarded-Prefix": self.server.prefix}
        upstream = http.client.HTTPConnection(self.server.target, timeout=300)
        with contextlib.closing(upstream):
            upstream.request(self.command, path, body, headers)
            answer = upstream.getresponse()
            self._start(answer.status, dict(answer.headers))
            while piece := answer.read1():
                self.wfile.write(piece)

    def _start(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() in KEPT:
                self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def running(address, prefix="", *, keeps=False):
    """Yields the proxy's address and its list of own answers.

    Args:
      address: of the server.
      prefix: path of the proxy's address, such as /crowd.
      keeps: whether the path stays in the forwarded requests.

    Yields:
      The address with the path, and the list of (status, body, headers) that the next
      POST requests get instead of the server's answer; status None closes the
      connection without an answer.
    """
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    proxy.target, proxy.prefix = urllib.parse.urlsplit(address).netloc, prefix
    proxy.keeps, proxy.answers = keeps, []
    thread = threading.Thread(target=proxy.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}{prefix}", proxy.answers
    finally:
        proxy.shutdown()
        thread.join(60)
        proxy.server_close()
