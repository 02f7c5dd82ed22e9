"""SIGINT and SIGTERM, deferred until the current work is saved."""

import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

from cpcnn_jax.distributed import multihost

SIGNALS = (signal.SIGINT, signal.SIGTERM)
ABANDONED = "cpcnn_jax compilation"  # name of threads that a stop leaves behind
PATIENCE = 30  # seconds after which a stop is reported as stuck


class Interrupted(Exception):
    """The signal `signum` stopped the run after its work was saved."""

    def __init__(self, signum: int, where: str) -> None:
        """Composes the message, such as "SIGTERM: stopped after step 3"."""
        super().__init__(f"{signal.Signals(signum).name}: stopped {where}")
        self.signum = signum


def exit_stopped(signum: int) -> NoReturn:
    """Ends the process after a signal, without waiting for a compilation.

    Args:
      signum: number of the signal; the exit status is 128 + signum.
    """
    if any(thread.name == ABANDONED for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(128 + signum)  # XLA cannot be interrupted
    sys.exit(128 + signum)


@contextlib.contextmanager
def deferred_signals() -> Iterator[Callable[[], int | None]]:
    """Defers the first SIGINT or SIGTERM; a second one kills the process.

    If the block has not ended 30 s after the signal, the place of every thread is
    printed.

    Yields:
      A function that returns the received signal or None.
    """
    received: list[int] = []

    def record(signum, _):
        received.append(signum)
        faulthandler.dump_traceback_later(PATIENCE)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    previous = {number: signal.signal(number, record) for number in SIGNALS}
    try:
        yield lambda: received[0] if received else None
    finally:
        if received:
            faulthandler.cancel_dump_traceback_later()
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def immediate_signals(stop: Callable[[], int | None], where: str) -> Iterator[None]:
    """Raises Interrupted at a signal, for work that is saved only when complete.

    Of several processes none may stop alone: their signals stay with JAX's service.

    Args:
      stop: returns the received signal or None; see `deferred_signals`.
      where: end of the message of `Interrupted`.

    Raises:
      Interrupted: a signal arrives in the block or has arrived before it.
    """

    def interrupt(signum, _):
        raise Interrupted(signum, where)

    if received := stop():
        raise Interrupted(received, where)
    if multihost.process_rank()[1] > 1:
        yield
        return
    previous = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
