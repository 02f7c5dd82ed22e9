"""Training photographs held out for validation: which ones, and the two sources.

The choice is a function of the names alone: whoever has the data set has the same
validation photographs, whatever the seed, the machine or the order of the files.
"""

import hashlib

import numpy as np


class Subset:
    """Some photographs of a source, as a source.

    Args:
      source: photographs; see `cpcnn_jax.data`.
      numbers: which of them, in their order here.
    """

    def __init__(self, source, numbers):
        """Reads nothing."""
        self._source, self._numbers = source, numbers
        self.skipped = source.skipped
        self.names, self.shapes, self.points = (
            [values[i] for i in numbers]
            for values in (source.names, source.shapes, source.points)
        )

    def __len__(self):
        """Number of photographs."""
        return len(self._numbers)

    def __getitem__(self, i):
        """Photograph i."""
        return self._source[self._numbers[i]]


def split(source, share):
    """Divides training photographs into those to learn from and those to validate on.

    The photographs whose names have the smallest SHA-256 hashes are held out.

    Args:
      source: the training photographs; see `cpcnn_jax.data`.
      share: per cent that is held out, rounded up; 0 to under 100.

    Returns:
      (to learn from, to validate on), two sources.

    Raises:
      ValueError: nothing would be left to learn from.
    """
    hashes = [hashlib.sha256(name.encode()).hexdigest() for name in source.names]
    held = -(-len(source) * share // 100)
    if held >= len(source):
        raise ValueError(
            f"--config.validation.percent={share} holds out {held} of {len(source)} "
            "training photographs: none is left to learn from"
        )
    held_out = np.sort(np.argsort(hashes, kind="stable")[:held])
    learning = np.setdiff1d(np.arange(len(source)), held_out)
    return Subset(source, learning.tolist()), Subset(source, held_out.tolist())
