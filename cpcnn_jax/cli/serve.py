"""python -m cpcnn_jax serve: the counter as a local page and an HTTP endpoint."""

import contextlib
import importlib.util
import ipaddress
import socket
import sys

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.inference import compilation_cache, counter, tiling
from cpcnn_jax.serve.limits import Limits
from cpcnn_jax.weights import pretrained

EXTRA = ("starlette", "uvicorn", "python_multipart", "prometheus_client")
MIB = 2**20


def main(argv):
    """Serve until Ctrl-C or SIGTERM.

    Args:
      argv: see --help.

    Returns:
      The exit status, 0 after Ctrl-C.

    Raises:
      SystemExit: status 2 and one sentence, where the command line is wrong, the
        weights cannot be used, the port is taken or the extra is not installed.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    compilation_cache.enable()
    with contextlib.ExitStack() as stack:
        try:
            _check(args)
            weights = args.weights or counter.default_weights()
            listening = stack.enter_context(_listen(args.host, args.port))
            server = _server(
                counter.load(weights, tile_size=args.tile_size), weights, args
            )
        except (ValueError, OSError) as error:
            parser.error(str(error))
        words = f"serve: {_address(listening)} counts with {weights}; Ctrl-C ends it"
        print(words, flush=True)
        with contextlib.suppress(KeyboardInterrupt):  # raised when all is in order
            server.run(sockets=[listening])
    return 0


def _check(args):
    """Whatever can be wrong before the weights are read."""
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f"{missing[0]} is missing: pip install 'cpcnn_jax[serve]'")
    for flag, value in (("max-queue", args.max_queue), ("max-body", args.max_body)):
        if value < 1:
            raise ValueError(f"--{flag}: expected at least 1, got {value}")
    if not args.timeout > 0:
        raise ValueError(f"--timeout: expected more than 0, got {args.timeout:g}")
    if not 0 <= args.port < 2**16:
        raise ValueError(f"--port: expected 0 to 65535, got {args.port}")
    if args.max_size is not None and args.max_size < PATCH:
        raise ValueError(f"--max-size: expected at least {PATCH}, got {args.max_size}")


def _listen(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        text = error.strerror.partition(" (")[0]  # what follows is said by us
        raise ValueError(f"cannot listen on {host}, port {port}: {text}") from None
    if not ipaddress.ip_address(listening.getsockname()[0]).is_loopback:
        print(f"serve: {host} lets others in, and nothing asks who", file=sys.stderr)
    return listening


def _address(listening):
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _server(ready, weights, args):
    """The server, once one photograph is counted: this compiles and tries weights."""
    import uvicorn

    from cpcnn_jax.serve import app, examples

    ready.count(examples.source()[0]["image"])
    limits = Limits(args.max_queue, args.timeout, args.max_body * MIB, args.max_size)
    settings = uvicorn.Config(
        app.application(ready, weights=weights, limits=limits),
        http="h11",
        loop="asyncio",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(settings)


def _parser():
    parser = Parser(
        prog="python -m cpcnn_jax serve",
        description="Count the people in photographs on a local web page, and for "
        "programs at POST /count; docs/serve.md says how.",
    )
    add, usual = parser.add_argument, Limits()
    add(
        "--weights",
        metavar="WEIGHTS",
        help=f"{pretrained.ANY} (default: {counter.USUAL})",
    )
    add(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s, this computer alone)",
    )
    add("--port", type=int, default=8000, help="default: %(default)s; 0: any free one")
    add(
        "--max-queue",
        type=int,
        default=usual.places,
        metavar="N",
        help="requests that are counted or wait; more are told to try again (default: "
        "%(default)s)",
    )
    add(
        "--timeout",
        type=float,
        default=usual.seconds,
        metavar="SECONDS",
        help="for sending, waiting and counting together (default: %(default)g)",
    )
    add(
        "--max-body",
        type=int,
        default=usual.body // MIB,
        metavar="MIB",
        help="the largest request (default: %(default)s)",
    )
    add(
        "--max-size",
        type=int,
        metavar="N",
        help="shrink longer photographs to N pixels first (default: never)",
    )
    add(
        "--tile-size",
        type=int,
        default=tiling.TILE,
        metavar="N",
        help="side of what is computed at once, %(default)s pixels; less needs less "
        "memory and more time, the result is the same",
    )
    return parser
