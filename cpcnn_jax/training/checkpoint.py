"""Checkpoints of one stage, written by Orbax: the last two and the best.

A checkpoint holds a `train_state.State` (step, trained and frozen parameters, optimizer
state), its validation MAE and a checksum. Orbax does not detect a flipped bit: a state
that does not match its checksum is never resumed.
"""

import contextlib
import logging
import os
import shutil
import zlib
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging as absl_logging
from orbax.checkpoint import checkpoint_managers

from cpcnn_jax.distributed import multihost

SCORE = "validation_mae"  # people; the best checkpoint has the least

# Each of Orbax's writers would report a full disk; `_writing` reports it once.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)


class _Manager(ocp.CheckpointManager):
    """Orbax's manager without its own handling of preemption.

    JAX takes the last number passed by any caller as the progress of the process. Orbax
    passes the step at every save and `multihost.agreed_stop` its own count. After a
    save, the processes would agree on a past call and never stop.
    """

    def reached_preemption(self, step):
        return False


class Checkpoints:
    """The checkpoints of one stage, `workdir/checkpoints/STAGE/STEP`.

    Args:
      workdir: the run's folder.
      stage: the stage's name.

    Attributes:
      stage: the stage's name.

    Raises:
      ValueError: something in the folder of checkpoints is a link.
    """

    def __init__(self, workdir: str | os.PathLike[str], stage: str) -> None:
        """Opens the folder and creates it where absent."""
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

    def save(self, step: int, state: Any, score: float | None = None) -> None:
        """Writes a state in the background; an incomplete one is never restored.

        Args:
          step: number of finished steps.
          state: pytree of arrays; may be donated after the call.
          score: MAE on the validation images, people; None: not measured.

        Raises:
          OSError: this state or the one before cannot be written.
          FloatingPointError: the state is not finite; it is not written.
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

    def delete(self, step: int) -> None:
        """Deletes the checkpoint of a step."""
        self._manager.wait_until_finished()
        self._manager.delete(step)

    def score(self, step: int) -> float | None:
        """Returns the score of a checkpoint, or None where it has none."""
        scores = self._manager.metrics(step)
        return scores[SCORE] if scores else None

    def latest(self) -> int | None:
        """Returns the step of the latest checkpoint, or None."""
        return self._manager.latest_step()

    def restore(self, like: Any) -> tuple[int, Any] | None:
        """Restores the latest undamaged state; damaged ones are renamed and reported.

        Args:
          like: a state of the same structure, shapes and placement.

        Returns:
          (step, state placed as `like`), or None where nothing was saved.

        Raises:
          ValueError: every checkpoint is damaged.
        """
        damaged: dict[int, Exception] = {}
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                state = self._read(step, like)
            except Exception as error:  # Orbax raises many kinds
                damaged[step] = error
                continue
            for number, reason in damaged.items():
                self._set_aside(number, reason)
            return step, state
        if damaged:
            raise ValueError(
                f"every checkpoint in {self._folder} is damaged "
                f"({_short(max(damaged.items())[1])}): remove that folder to train "
                "this stage again"
            )
        return None

    def best(self, like: Any) -> tuple[int, Any] | None:
        """Restores the undamaged state with the least score.

        Args:
          like: a state of the same structure, shapes and placement.

        Returns:
          (step, state placed as `like`), or None where no score was saved.
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
            raise ValueError("its values do not match its checksum")
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
        text = (
            "checkpoint %s is damaged (%s) and was renamed to %s: resuming without it"
        )
        absl_logging.warning(text, place, _short(error), aside.name)
        if multihost.is_main():
            shutil.rmtree(aside, ignore_errors=True)
            place.rename(aside)
        multihost.barrier(f"{place} set aside")
        self._manager.reload()

    def close(self) -> None:
        """Waits until all states are written.

        Raises:
          OSError: the last state cannot be written.
        """
        with self._writing():
            self._manager.wait_until_finished()
            self._manager.close()

    @contextlib.contextmanager
    def _writing(self):
        """Shortens Orbax's report of a full disk."""
        try:
            yield
        except (ValueError, OSError) as error:
            raise OSError(
                f"cannot write a checkpoint to {self._folder}: "
                f"{str(error).rsplit(': ', 1)[-1]}; earlier checkpoints are kept"
            ) from error


def _score(scores):
    return scores[SCORE]


def _short(error):
    """First words of an error of Orbax."""
    first = str(error).strip().splitlines() or [type(error).__name__]
    return first[0][:100]


def _checksum(state):
    """CRC-32 of a state's arrays with their names, dtypes and shapes."""
    total = 0
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        name, values = jax.tree_util.keystr(path), np.asarray(leaf)
        total = zlib.crc32(f"{name} {values.dtype} {values.shape}".encode(), total)
        total = zlib.crc32(values.tobytes(), total)
    return total


def _refuse_links(folder):
    """Refuses checkpoints that would be read or written outside of their folder.

    Reference: google/flax issue 5487, a host's file read into an array.
    """
    for path in (folder.parent, folder, *_inside(folder)):
        if path.is_symlink():
            raise ValueError(
                f"{path} is a link, which checkpoints must not hold, because it may "
                "lead to any file: replace it by its target"
            )


def _inside(folder):
    for at, folders, names in os.walk(folder):
        yield from (Path(at, name) for name in folders + names)
