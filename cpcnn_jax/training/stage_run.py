"""One training stage from its last checkpoint to its end."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from cpcnn_jax.config import Experiment
from cpcnn_jax.data.example_order import Round
from cpcnn_jax.distributed import data_parallel, multihost, preemption
from cpcnn_jax.distributed.preemption import Interrupted
from cpcnn_jax.training import checkpoint, metric_writer, step_loop, validation
from cpcnn_jax.training.progress import Progress
from cpcnn_jax.training.round_loader import load_rounds, wait_for
from cpcnn_jax.training.stage import Stage
from cpcnn_jax.training.stage_advice import advice_on_memory, advice_on_nan
from cpcnn_jax.training.stage_log import StageLog

Signal = Callable[[], int | None]


class Run(NamedTuple):
    """The objects that all stages of a run use."""

    config: Experiment
    folder: Path
    strategy: data_parallel.Strategy
    validator: validation.Validator
    writer: metric_writer.MetricWriter | metric_writer.NullWriter
    progress: Progress
    image_names: Sequence[str]  # of the training images
    example_flops: dict[str, int]  # model FLOPs of each stage for one example
    stop: Signal  # the number of a received signal or None, agreed by all processes
    local_stop: Signal  # the same where a process may act alone; else None


class StepActions(NamedTuple):
    """Actions that follow a training step."""

    validate: bool
    save: bool


def run_stage(stage: Stage, run: Run) -> dict[str, Any]:
    """Trains a stage; returns the parameters of its best checkpoint.

    Raises:
      Interrupted: a signal was received; the state is saved.
      FloatingPointError: a loss or a parameter is not finite.
      ValueError: the device's memory does not suffice.
    """
    state = run.strategy.place_state(stage.state)
    checkpoints = checkpoint.Checkpoints(run.folder, stage.name)
    with closing(checkpoints), advice_on_nan(checkpoints), advice_on_memory(stage):
        step, state = checkpoints.restore(like=state) or (0, state)
        run.progress.start_stage(stage.name, step, stage.steps)
        try:
            state = _StageLoop(stage, run, checkpoints, step, state).train()
        finally:
            run.progress.end_stage()
        best = checkpoints.best(like=state)
    return jax.device_get(stage.result(best[1] if best else state))


class _StageLoop:
    """The loop of one stage: state, and the number of finished steps."""

    def __init__(self, stage, run, checkpoints, step, state):
        self._stage, self._run, self._checkpoints = stage, run, checkpoints
        self._step, self._state = step, state
        self._saved_step = step
        self._most = step_loop.steps_per_call()
        self._program: Callable | None = None
        self._running: Any = None  # metrics of the last call
        self._log = StageLog(
            stage,
            run.writer,
            every=run.config.log_every,
            step=step,
            image_names=run.image_names,
            example_flops=run.example_flops[stage.name],
        )

    def train(self):
        stage, run = self._stage, self._run
        try:
            self._check(run.stop())
            self._validate_resumed()
            rounds = stage.order.rounds(self._step, stage.steps)
            place = run.strategy.place_data
            loader = load_rounds(stage.data, rounds, place, run.local_stop)
            with closing(loader):
                for part, data in self._waiting(loader):
                    while self._step < part.stop:
                        self._call(part, data)
                        self._check(run.stop())
        except Interrupted as error:
            self._log.write_due(self._step)
            self._save(score=None)
            place = f"after step {self._step} of the stage {stage.name}"
            raise Interrupted(error.signum, place) from None
        return self._state

    def _check(self, signal):
        if signal:
            raise Interrupted(signal, "")

    def _waiting(self, loader):
        while True:
            with self._log.meter.waiting():
                item = next(loader, None)
            if item is None:
                return
            yield item

    def _call(self, part: Round, data: Any) -> None:
        """Trains until the next action is due, at most so many steps."""
        stage, run, first = self._stage, self._run, self._step
        count = 1
        while count < min(self._most, part.stop - first):
            if any(_step_actions(run.config, stage, first + count)):
                break
            count += 1
        pairs = np.stack(
            [stage.order.examples(part.group, first + n) for n in range(count)]
        )
        examples = run.strategy.place_examples(_pad(_own_rows(pairs), self._most))
        args = self._state, data, examples, np.int32(count)
        self._state, metrics = self._compiled(args)(*args)
        jax.block_until_ready(self._running)  # so that a stop waits for two calls only
        self._running = metrics
        self._step += count
        self._log.guard.record(first, count, metrics, part.group)
        self._follow(first, data, pairs[-1])

    def _compiled(self, args):
        """The program of the stage; it is compiled at the first call."""
        if self._program is None:
            stage, run = self._stage, self._run
            steps = step_loop.make_steps(stage.step, stage.batch, self._most)
            began = time.monotonic()
            with self._log.meter.stopped():
                compiling = _in_thread(run.strategy.wrap(steps).lower(*args).compile)
                self._program = wait_for(compiling, run.local_stop, "")
            seconds = {"compile_seconds": time.monotonic() - began}
            self._log.write(self._step, seconds)
        return self._program

    def _follow(self, first, data, pairs):
        """Logs, validates and saves where it is due."""
        stage, run, step = self._stage, self._run, self._step
        actions = _step_actions(run.config, stage, step)
        if not actions.save:  # logs the calls before, while the device computes
            run.progress.update(step, self._log.write_due(first))
            return
        values = self._log.write_before(step)
        with self._log.meter.stopped():
            try:
                if actions.validate:
                    values |= self._validate()
            finally:  # a stop in the validation does not lose the line of the loss
                self._log.write(step, values)
            run.progress.update(step, values)
            self._save(values.get(checkpoint.SCORE))
            self._preview(data, pairs)

    def _validate(self) -> dict[str, float]:
        params = self._stage.result(self._state)
        scores = self._run.validator.scores(params, self._run.local_stop)
        self._log.guard.check_score(self._step, scores[checkpoint.SCORE])
        return scores

    def _validate_resumed(self):
        """Computes the score of a checkpoint that a stop left without one."""
        step, run = self._step, self._run
        due = step and _step_actions(run.config, self._stage, step).validate
        if due and self._checkpoints.score(step) is None:
            scores = self._validate()
            self._log.write(step, scores)
            self._checkpoints.delete(step)
            self._checkpoints.save(step, self._state, scores[checkpoint.SCORE])

    def _save(self, score):
        if self._step > self._saved_step:
            self._checkpoints.save(self._step, self._state, score)
            self._saved_step = self._step

    def _preview(self, data, pairs):
        stage, run = self._stage, self._run
        if stage.maps and multihost.is_main():
            batch = jax.jit(stage.batch)(run.strategy.local_data(data), pairs[:1])
            image = run.validator.preview(stage.result(self._state), batch)
            run.writer.write_image(stage.name, self._step, image)


def _step_actions(config: Experiment, stage: Stage, step: int) -> StepActions:
    last = step == stage.steps
    validate = stage.maps and config.validation.holds_out()
    validate = validate and (last or step % config.validation.eval_every == 0)
    save = last or validate or step % config.checkpoint_every == 0
    return StepActions(validate, save)


def _own_rows(pairs):
    """This process's part of `[n, B, 2]` examples."""
    index, count = multihost.process_rank()
    return np.split(pairs, count, axis=1)[index]


def _pad(examples, length):
    missing = length - len(examples)
    return np.pad(examples, ((0, missing), (0, 0), (0, 0)))


def _in_thread(function: Callable) -> Future:
    """Starts a thread that does not outlive the process."""
    future: Future = Future()

    def run():
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name=preemption.ABANDONED).start()
    return future
