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
        path, server = self.path, self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if server.answers:
            self._answer(*server.answers.pop(0))
        elif path.startswith(server.prefix):
            if not server.keeps:
                path = path.removeprefix(server.prefix) or "/"
            self._forward(path, body)
        else:
            self.send_error(404)

    do_POST = do_GET

    def _answer(self, status, body, headers):
        self.close_connection = True
        if status is not None:  # else a dropped connection
            self._start(status, {"Content-Type": "text/html"} | headers)
            self.wfile.write(body.encode())

    def _forward(self, path, body):
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
      requests get instead of the server's answer; status None closes the
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
