"""Ctrl-C and SIGTERM, put off until the work at hand can be saved."""

import contextlib
import signal

from cpcnn_jax.distributed import multihost

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """The run was asked to stop, and what was done is saved.

    Attributes:
      signum: the signal that asked.
    """

    def __init__(self, signum, where):
        """Say where the run stopped."""
        super().__init__(f"{signal.Signals(signum).name}: stopped {where}")
        self.signum = signum


@contextlib.contextmanager
def deferred_signals():
    """Within, the first SIGINT or SIGTERM is noted; a second one kills at once.

    Yields:
      A function: the signal that came, or None.
    """
    came = []
    before = {}

    def note(signum, _):
        came.append(signum)
        for number in before:
            signal.signal(number, signal.SIG_DFL)

    for number in SIGNALS:
        before[number] = signal.signal(number, note)
    try:
        yield lambda: came[0] if came else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def immediate_signals(stop, where):
    """Within, a signal is not put off: of this work nothing is kept until it is whole.

    Of several processes none may stop alone: there the signals stay with JAX's service.

    Args:
      stop: function, the signal that asks to stop or None (`deferred_signals`).
      where: the words of `Interrupted`.

    Raises:
      Interrupted: as soon as a signal comes, or one has come before.
    """

    def end(signum, _):
        raise Interrupted(signum, where)

    if came := stop():
        raise Interrupted(came, where)
    if multihost.process_rank()[1] > 1:
        yield
        return
    before = {number: signal.signal(number, end) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
