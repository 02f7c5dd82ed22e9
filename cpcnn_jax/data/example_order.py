"""Order of the training examples: the examples of each step, and rounds of images.

An example is (i, j), an image and one of its windows. All windows are shuffled anew in
every epoch. The examples of step k are a function of (images, seed, k) alone, so that a
run resumes at any step and saves no other state.

Images that do not fit into the memory of a device come in rounds. A round trains on one
group of images while threads decode the next group. A set that fits is one group.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

VISIT = 32  # windows of each image that a round takes


class Round(NamedTuple):
    """Consecutive steps on one group of images."""

    group: int  # number of the group
    first: int  # first step
    stop: int  # step after the last one


class ExampleOrder:
    """The order of a stage's examples.

    Args:
      groups: numbers of the images of each group.
      windows: windows of each image.
      batch_size: examples of a step.
      seed: seed of the order.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[int]],
        *,
        windows: int,
        batch_size: int,
        seed: int,
    ) -> None:
        """Computes the lengths of the rounds."""
        self.groups = [np.array(group) for group in groups]
        self._windows, self.batch_size, self._seed = windows, batch_size, seed
        self._steps = [-(-len(group) * VISIT // batch_size) for group in groups]

    def rounds(self, first: int, stop: int) -> Iterator[Round]:
        """Lists the rounds of steps `first` to `stop` - 1.

        Each cycle visits all groups in an order of its own.
        """
        if len(self.groups) == 1:
            yield from [Round(0, first, stop)] if first < stop else []
            return
        cycle_steps = sum(self._steps)
        cycle, end = first // cycle_steps, first // cycle_steps * cycle_steps
        while end < stop:
            for group in self._permutation(len(self.groups), -1, cycle).tolist():
                begin, end = end, end + self._steps[group]
                if max(begin, first) < min(end, stop):
                    yield Round(group, max(begin, first), min(end, stop))
            cycle += 1

    def examples(self, group: int, step: int) -> np.ndarray:
        """Chooses the examples of a step of a round.

        Args:
          group: number of the round's group.
          step: number of the step.

        Returns:
          int32 `[B, 2]`: the image's place in the group, and the number of the window.
        """
        first = self._steps_before(group, step) * self.batch_size
        total = len(self.groups[group]) * self._windows
        numbers = np.arange(first, first + self.batch_size)
        epochs = self._epochs(group, numbers[0] // total, numbers[-1] // total, total)
        windows = epochs[numbers - numbers[0] // total * total]
        return np.stack(np.divmod(windows, self._windows), axis=1).astype(np.int32)

    def used_examples(self, steps: int) -> list[np.ndarray]:
        """Lists the different examples of the first steps.

        Args:
          steps: number of steps.

        Returns:
          int32 `[U, 2]` of each group, sorted; see `examples`.
        """
        used: list[list[np.ndarray]] = [[] for _ in self.groups]
        for part in self.rounds(0, steps):
            used[part.group] += [
                self.examples(part.group, step) for step in range(part.first, part.stop)
            ]
        empty = np.zeros((0, 2), np.int32)
        return [np.unique(np.concatenate([empty, *of]), axis=0) for of in used]

    def _steps_before(self, group, step):
        """Number of earlier steps on a group, at a step of one of its rounds."""
        if len(self.groups) == 1:
            return step
        cycle, place = divmod(step, sum(self._steps))
        order = self._permutation(len(self.groups), -1, cycle).tolist()
        before = sum(self._steps[other] for other in order[: order.index(group)])
        return cycle * self._steps[group] + place - before

    def _epochs(self, group, first, last, total):
        epochs = range(first, last + 1)
        return np.concatenate([self._permutation(total, group, e) for e in epochs])

    def _permutation(self, length, group, epoch):
        return _permutation(self._seed, length, group, int(epoch))


@functools.lru_cache(maxsize=8)
def _permutation(seed, length, group, epoch):
    rng = np.random.default_rng((seed, group + 1, epoch))
    return rng.permutation(length)
