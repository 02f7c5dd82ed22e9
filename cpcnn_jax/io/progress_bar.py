"""Progress on standard error: a bar in a terminal, a line now and then in a file."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

FILE_INTERVAL = 30.0  # seconds between lines in a file


def progress_bar(items: Iterable[Any] | None = None, **options: Any) -> tqdm:
    """Makes a progress bar.

    Args:
      items: what the bar iterates over; None: the caller updates it.
      **options: further arguments of tqdm.
    """
    interval = 0.1 if sys.stderr.isatty() else FILE_INTERVAL
    return tqdm(items, mininterval=interval, ncols=80, **options)
