"""`cpcnn_jax serve`: people counted on a local web page and at an HTTP endpoint."""

import contextlib
import ipaddress
import os
import re
import socket
import sys
import webbrowser
from collections.abc import Sequence

from cpcnn_jax.cli import extras
from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.cli.size_flags import add_size_flags, check_max_size
from cpcnn_jax.inference import compilation_cache, counter
from cpcnn_jax.serve.request_queue import Limits
from cpcnn_jax.weights import pretrained

MIB = 2**20


def main(argv: Sequence[str]) -> int:
    """Serves until Ctrl-C or SIGTERM; returns the exit status 0.

    Raises:
      SystemExit: status 2 with one sentence, where the server cannot start.
    """
    parser = make_parser()
    args = parser.parse_args(argv)
    compilation_cache.enable()
    with contextlib.ExitStack() as stack:
        try:
            _check(args)
            weights = args.weights or pretrained.DEFAULT
            listener = stack.enter_context(_listen(args.host, args.port))
            server = _make_server(weights, args)
        except (ValueError, OSError) as error:
            parser.error(str(error))
        address = _format_address(listener) + (args.root_path and f"{args.root_path}/")
        print(f"serve: {address} counts with {weights}; Ctrl-C stops it", flush=True)
        if not args.no_browser and sys.stdout.isatty() and _has_screen():
            webbrowser.open(address)  # waits until the server accepts
        with contextlib.suppress(KeyboardInterrupt):  # raised after a clean shutdown
            server.run(sockets=[listener])
    return 0


def _check(args):
    """Checks all that can be wrong before the weights are read."""
    if missing := extras.missing_modules("serve"):
        raise ValueError(f"{missing[0]} is missing: pip install 'cpcnn_jax[serve]'")
    for flag in ("max_queue", "max_body", "max_video"):
        if (value := getattr(args, flag)) < 1:
            name = flag.replace("_", "-")
            raise ValueError(f"--{name}: expected at least 1, got {value}")
    for flag in ("timeout", "video_timeout"):
        if not (value := getattr(args, flag)) > 0:
            name = flag.replace("_", "-")
            raise ValueError(f"--{name}: expected more than 0, got {value:g}")
    if not 0 <= args.port < 2**16:
        raise ValueError(f"--port: expected 0 to 65535, got {args.port}")
    if not re.fullmatch(r"(/[\w.~-]+)*", args.root_path, re.ASCII):
        text = f"expected a path such as /crowd, got {args.root_path!r}"
        raise ValueError(f"--root-path: {text}")
    check_max_size(args)


def _listen(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        # create_server repeats the address in parentheses.
        text = str(error.strerror).partition(" (")[0]
        raise ValueError(f"cannot listen on {host}, port {port}: {text}") from None
    if not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
        text = "is open to other computers, without authentication"
        print(f"serve: {host} {text}", file=sys.stderr)
    return listener


def _has_screen():
    """Whether a browser would have a window, and not take the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def _format_address(listener):
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _make_server(weights, args):
    from cpcnn_jax.serve import app

    limits = Limits(
        max_queue=args.max_queue,
        timeout=args.timeout,
        max_body=args.max_body * MIB,
        max_size=args.max_size,
        max_video=args.max_video * MIB,
        video_timeout=args.video_timeout,
    )
    loaded = counter.load(weights, tile_size=args.tile_size)
    return app.make_server(
        loaded, weights=weights, limits=limits, root_path=args.root_path
    )


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax serve",
        description="Count the people in images and videos on a local web page, and "
        "for programs at POST /count and /count_video; docs/serve.md describes both.",
    )
    add = parser.add_argument
    add("--weights", help=f"{pretrained.HELP} (default: {pretrained.DEFAULT})")
    add(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s, this computer alone)",
    )
    add("--port", type=int, default=8000, help="default: %(default)s; 0: any free port")
    add(
        "--root-path",
        type=lambda path: path.rstrip("/"),
        default="",
        metavar="PATH",
        help="path under which a reverse proxy passes requests on without removing it, "
        "such as /crowd; one that removes it needs no flag",
    )
    add(
        "--no-browser",
        action="store_true",
        help="do not open the page in a browser (one is opened from a terminal with a "
        "screen)",
    )
    add(
        "--max-queue",
        type=int,
        default=Limits.max_queue,
        metavar="N",
        help="requests that are counted or wait; further ones are rejected (default: "
        "%(default)s)",
    )
    add(
        "--timeout",
        type=float,
        default=Limits.timeout,
        metavar="SECONDS",
        help="limit for upload, wait and count together (default: %(default)g)",
    )
    add(
        "--max-body",
        type=int,
        default=Limits.max_body // MIB,
        metavar="MIB",
        help="largest size of a request with an image (default: %(default)s)",
    )
    add(
        "--max-video",
        type=int,
        default=Limits.max_video // MIB,
        metavar="MIB",
        help="largest size of a request with a video (default: %(default)s)",
    )
    add(
        "--video-timeout",
        type=float,
        default=Limits.video_timeout,
        metavar="SECONDS",
        help="limit for upload, wait and count of a video together (default: "
        "%(default)g)",
    )
    add_size_flags(parser)
    return parser
