"""Checkpoints of one stage of training, kept by Orbax: save, restore, the last two."""

from pathlib import Path

import jax
import orbax.checkpoint as ocp


class Checkpoints:
    """The checkpoints of one stage, `workdir/checkpoints/STAGE/STEP`.

    Args:
      workdir: the run's folder.
      stage: the stage's name.
    """

    def __init__(self, workdir, stage):
        """Open, and create where absent."""
        options = ocp.CheckpointManagerOptions(max_to_keep=2)
        self._manager = ocp.CheckpointManager(
            Path(workdir).resolve() / "checkpoints" / stage, options=options
        )

    def save(self, step, state):
        """Write `state` in the background; a half-written one is never restored."""
        self._manager.save(step, args=ocp.args.StandardSave(state))

    def restore(self, like):
        """The latest state, placed as `like`.

        Args:
          like: a state of the same structure, shapes and placement.

        Returns:
          The state, or None where nothing was saved yet.
        """
        step = self._manager.latest_step()
        if step is None:
            return None
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        return self._manager.restore(step, args=ocp.args.StandardRestore(abstract))

    def close(self):
        """Wait until all is written."""
        self._manager.wait_until_finished()
        self._manager.close()
