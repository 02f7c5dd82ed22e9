"""Loading of a stage's groups of images, one ahead of the training."""

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDone
from typing import Any

from cpcnn_jax.data.example_order import Round
from cpcnn_jax.distributed.preemption import Interrupted

POLL = 0.1  # seconds between tests for a signal


def wait_for(future: Future, stop: Callable[[], int | None], where: str) -> Any:
    """Waits for a result until a signal arrives.

    Args:
      future: the result of a thread.
      stop: function, the number of a received signal or None.
      where: end of the message of `Interrupted`.

    Raises:
      Interrupted: a signal was received first.
    """
    while True:
        try:
            return future.result(timeout=POLL)
        except NotDone:
            if future.done():  # the thread itself raised it
                raise
        if signal := stop():
            raise Interrupted(signal, where)


def load_rounds(
    load: Callable,
    rounds: Iterator[Round],
    place: Callable[[Any], Any],
    stop: Callable[[], int | None],
) -> Generator[tuple[Round, Any], None, None]:
    """Yields rounds with their data, while a thread loads the next group.

    Args:
      load: (group, cancelled) -> data on the host.
      rounds: the rounds.
      place: function that moves data onto the devices.
      stop: function, the number of a received signal or None.

    Yields:
      (round, data on the devices).

    Raises:
      Interrupted: a signal was received while a group was loaded.
    """
    ended = threading.Event()
    with ThreadPoolExecutor(1) as thread:

        def start():
            part = next(rounds, None)
            if part is None:
                return None
            return part, thread.submit(load, part.group, ended.is_set)

        try:
            following = start()
            while following:
                part, future = following
                host = wait_for(future, stop, "while images were read")
                following = start()
                yield part, place(host)
        finally:
            ended.set()
