"""Checkpoints of one stage of training, kept by Orbax: the last two and the best."""

import contextlib
import logging
from pathlib import Path

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

SCORE = "validation_mae"  # people; what the best checkpoint has least of

# Of a full disk every one of Orbax's writers would report by itself; ours says it once.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)


class Checkpoints:
    """The checkpoints of one stage, `workdir/checkpoints/STAGE/STEP`.

    Args:
      workdir: the run's folder.
      stage: the stage's name.
    """

    def __init__(self, workdir, stage):
        """Open, and create where absent."""
        self._folder = Path(workdir).resolve() / "checkpoints" / stage
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
        self._manager = ocp.CheckpointManager(self._folder, options=options)

    def save(self, step, state, score=None):
        """Write `state` in the background; a half-written one is never restored.

        Args:
          step: steps done.
          state: pytree of arrays; may be given up (donated) at once.
          score: its MAE on the validation photographs, or None: not measured.

        Raises:
          OSError: this one or the one before cannot be written.
        """
        with self._writing():
            self._manager.save(
                step,
                args=ocp.args.StandardSave(state),
                metrics=None if score is None else {SCORE: score},
            )

    def restore(self, like):
        """The latest state, placed as `like`.

        Args:
          like: a state of the same structure, shapes and placement.

        Returns:
          (step, state), or None where nothing was saved yet.
        """
        return self._restore(self._manager.latest_step(), like)

    def best(self, like):
        """The state with the least score, placed as `like`.

        Args:
          like: as in `restore`.

        Returns:
          (step, state), or None where no score was ever given.
        """
        self._manager.wait_until_finished()
        return self._restore(self._manager.best_step(), like)

    def _restore(self, step, like):
        if step is None:
            return None
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        state = self._manager.restore(step, args=ocp.args.StandardRestore(abstract))
        return step, state

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
