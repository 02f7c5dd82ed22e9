"""Checkpoints of one stage of training, kept by Orbax: the last two and the best.

Orbax takes a flipped bit for another weight. Beside every state lies its checksum, and
what does not fit its own is never gone on from.
"""

import contextlib
import logging
import os
import shutil
import zlib
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging as absl_logging
from orbax.checkpoint import checkpoint_managers

from cpcnn_jax.distributed import multihost

SCORE = "validation_mae"  # people; what the best checkpoint has least of

# Of a full disk every one of Orbax's writers would report by itself; ours says it once.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)


class _Manager(ocp.CheckpointManager):
    """Orbax's, but that it leaves preemption to `multihost.agreed_stop`.

    JAX takes the last number that anyone asked with for how far the process has come.
    Orbax asks with the step at every save, `agreed_stop` with its own count: after a
    save the processes would agree on a call that is over, and never stop.
    """

    def reached_preemption(self, step):
        return False


class Checkpoints:
    """The checkpoints of one stage, `workdir/checkpoints/STAGE/STEP`.

    Args:
      workdir: the run's folder.
      stage: the stage's name.

    Attributes:
      stage: likewise.

    Raises:
      ValueError: something in the folder of checkpoints is a link.
    """

    def __init__(self, workdir, stage):
        """Open, and create where absent."""
        self.stage = stage
        self._folder = Path(workdir).resolve() / "checkpoints" / stage
        _refuse_links(self._folder)
        best = checkpoint_managers.BestN(
            get_metric_fn=_score,
            reverse=True,
            n=1,
            keep_checkpoints_without_metrics=False,
        )
        options = ocp.CheckpointManagerOptions(
            best_fn=_score,  # without it Orbax writes no scores down
            best_mode="min",
            preservation_policy=checkpoint_managers.AnyPreservationPolicy(
                [checkpoint_managers.LatestN(2), best]
            ),
        )
        self._manager = _Manager(self._folder, options=options)

    def save(self, step, state, score=None):
        """Write `state` in the background; a half-written one is never restored.

        Args:
          step: steps done.
          state: pytree of arrays; may be given up (donated) at once.
          score: its MAE on the validation photographs, or None: not measured.

        Raises:
          OSError: this one or the one before cannot be written.
          FloatingPointError: the state is no longer finite; it is not written.
        """
        self._refuse_infinite(step, state)
        checksum = _checksum(state)
        with self._writing():
            self._manager.save(
                step,
                args=ocp.args.StandardSave(state),
                metrics=None if score is None else {SCORE: score},
                custom_metadata={"crc32": checksum},
            )

    def latest(self):
        """The step of the latest checkpoint, or None."""
        return self._manager.latest_step()

    def restore(self, like):
        """The latest state that is whole, placed as `like`; damaged ones are named.

        Args:
          like: a state of the same structure, shapes and placement.

        Returns:
          (step, state), or None where nothing was saved yet.

        Raises:
          ValueError: all that was saved is damaged.
        """
        damaged = {}
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                state = self._read(step, like)
            except Exception as error:  # Orbax raises every kind there is
                damaged[step] = error
                continue
            for number, error in damaged.items():
                self._set_aside(number, error)
            return step, state
        if damaged:
            raise ValueError(
                f"every checkpoint in {self._folder} is damaged "
                f"({_short(max(damaged.items())[1])}): remove that folder to train "
                "this stage anew"
            )
        return None

    def best(self, like):
        """The whole state with the least score, placed as `like`.

        Args:
          like: as in `restore`.

        Returns:
          (step, state), or None where no score was ever given.
        """
        self._manager.wait_until_finished()
        while (step := self._manager.best_step()) is not None:
            try:
                return step, self._read(step, like)
            except Exception as error:
                self._set_aside(step, error)
        return None

    def _read(self, step, like):
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        state = self._manager.restore(step, args=ocp.args.StandardRestore(abstract))
        expected = (self._manager.metadata(step).custom_metadata or {}).get("crc32")
        if expected not in (None, _checksum(state)):
            raise ValueError("its values do not fit its checksum")
        return state

    def _refuse_infinite(self, step, state):
        for path, leaf in jax.tree_util.tree_leaves_with_path(state):
            if not np.isfinite(np.asarray(leaf)).all():
                name = jax.tree_util.keystr(path)
                raise FloatingPointError(
                    f"stage {self.stage}, step {step}: {name} is not finite"
                )

    def _set_aside(self, step, error):
        place = self._folder / str(step)
        aside = place.with_name(f"{step}.damaged")
        text = "checkpoint %s is damaged (%s) and now called %s: going on without it"
        absl_logging.warning(text, place, _short(error), aside.name)
        if multihost.is_main():
            shutil.rmtree(aside, ignore_errors=True)
            place.rename(aside)
        multihost.barrier(f"{place} set aside")
        self._manager.reload()

    def close(self):
        """Wait until all is written.

        Raises:
          OSError: the last one cannot be written.
        """
        with self._writing():
            self._manager.wait_until_finished()
            self._manager.close()

    @contextlib.contextmanager
    def _writing(self):
        """Orbax's own words for a full disk are a screen of text."""
        try:
            yield
        except (ValueError, OSError) as error:
            raise OSError(
                f"cannot write a checkpoint to {self._folder}: "
                f"{str(error).rsplit(': ', 1)[-1]}; what was saved before is kept"
            ) from error


def _score(scores):
    return scores[SCORE]


def _short(error):
    """The first words of an error; Orbax's own go on for a screen."""
    first = str(error).strip().splitlines() or [type(error).__name__]
    return first[0][:100]


def _checksum(state):
    """CRC-32 of all arrays of a state, with their names and types."""
    total = 0
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        name, values = jax.tree_util.keystr(path), np.asarray(leaf)
        total = zlib.crc32(f"{name} {values.dtype} {values.shape}".encode(), total)
        total = zlib.crc32(values.tobytes(), total)
    return total


def _refuse_links(folder):
    """Refuse a checkpoint that would be read or written elsewhere than in its folder.

    Reference: google/flax issue 5487, a file of the host's read into an array.
    """
    for path in (folder.parent, folder, *_inside(folder)):
        if path.is_symlink():
            raise ValueError(
                f"{path} is a link, which checkpoints must not hold, since it may lead "
                "to any file: put what it names in its place"
            )


def _inside(folder):
    for at, folders, names in os.walk(folder):
        yield from (Path(at, name) for name in folders + names)
