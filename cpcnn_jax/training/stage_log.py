"""The log of a stage: a line for every so many steps, with the rates between lines.

The lines of a call are written when the next call has begun, so that the device
computes meanwhile.
"""

from collections.abc import Mapping, Sequence

from cpcnn_jax.training.metric_writer import MetricWriter, NullWriter
from cpcnn_jax.training.nan_guard import NanGuard
from cpcnn_jax.training.stage import Stage
from cpcnn_jax.training.throughput import Throughput


class StageLog:
    """Lines of a stage.

    Args:
      stage: the stage.
      writer: of the run.
      every: steps between lines.
      step: steps of the stage that were finished before.
      image_names: of the training images.
      example_flops: model FLOPs of a step for one example.

    Attributes:
      guard: the metrics of the steps since the last line.
      meter: the rates since the last line.
    """

    def __init__(
        self,
        stage: Stage,
        writer: MetricWriter | NullWriter,
        *,
        every: int,
        step: int,
        image_names: Sequence[str],
        example_flops: int,
    ) -> None:
        """Starts the meter."""
        self.guard, self.meter = (
            NanGuard(stage.name, stage.order, image_names),
            Throughput(),
        )
        self._stage, self._writer, self._every = stage.name, writer, every
        self._batch_size, self._flops = stage.order.batch_size, example_flops
        self._step = step

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes a line."""
        self._writer.write_scalars(self._stage, step, values)

    def write_due(self, stop: int) -> dict[str, float]:
        """Writes the lines that are due up to a step at the end of a call.

        Returns:
          The values of this step, if a line was due. Only then the device has to reach
          the step.

        Raises:
          FloatingPointError: a metric is not finite.
        """
        if stop // self._every == self._step // self._every:
            return {}
        values = self.write_before(stop)
        if stop % self._every == 0:
            self.write(stop, values)
        return values

    def write_before(self, stop: int) -> dict[str, float]:
        """Writes the lines that are due before a step at the end of a call.

        Returns:
          The values of this step, for a line of its own.

        Raises:
          FloatingPointError: a metric is not finite.
        """
        by_step = self.guard.check(stop)
        examples = (stop - self._step) * self._batch_size
        self.meter.count(examples, examples * self._flops)
        rates = self.meter.values()
        for step in range(self._step + 1, stop):
            if step % self._every == 0:
                self.write(step, by_step[step] | rates)
        self._step = stop
        return by_step[stop] | rates
