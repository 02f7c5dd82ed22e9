"""Training: the stages one after the other, each resumed from its checkpoint."""

import os
from collections.abc import Callable
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import jax
from tqdm import tqdm

from cpcnn_jax.config import STAGES, Experiment
from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.data import input_pipeline
from cpcnn_jax.data.experiment_splits import ExperimentSplits
from cpcnn_jax.distributed import data_parallel, multihost, preemption
from cpcnn_jax.models import cpcnn
from cpcnn_jax.training import (
    checkpoint,
    classifier_stages,
    context_cache,
    density_stages,
    metric_writer,
    nan_guard,
    validation,
)
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training.init import params as init_params
from cpcnn_jax.training.throughput import Throughput
from cpcnn_jax.weights import serialization


def train(
    config: Experiment,
    folder: str | os.PathLike[str],
    strategy: data_parallel.Strategy,
    splits: ExperimentSplits,
    *,
    stop: Callable[[], int | None],
) -> Path:
    """Trains the networks of an experiment.

    Args:
      config: the experiment.
      folder: the workdir, claimed by `workdir.claim_workdir`.
      strategy: the placement on devices, from `data_parallel`.
      splits: the opened images.
      stop: function, the number of a received signal or None.

    Returns:
      The path of the trained weights.

    Raises:
      Interrupted: a signal was received; the state is saved.
      ValueError: the configuration or the data cannot be used.
      FloatingPointError: a loss or a parameter is not finite.
    """
    _check_batches(config, strategy)
    crops_lib.check_sizes(splits.train)
    crops_lib.check_sizes(splits.validation)
    context, validator = _prepare(config, Path(folder), strategy, splits, stop)
    params = init_params.initial_params(context.model, config)
    with closing(_make_writer(folder)) as writer:
        run = _Run(config, Path(folder), strategy, validator, writer, stop)
        for build in plan_stages(context):
            params = run.stage(build(context, params))
    file = serialization.weights_file(folder)
    if multihost.is_main():
        serialization.save(file, params, config.model, blocks=config.crops.side_divisor)
    multihost.barrier("weights")
    return file


def plan_stages(context: stage_lib.StageContext) -> list[Callable]:
    """Lists the stages of an experiment, each a function of context and parameters."""
    config, model = context.config, context.model
    steps = {
        classifier_stages.gce_stage: config.gce.steps if model.gce else 0,
        classifier_stages.lce_stage: config.lce.steps if model.lce else 0,
        density_stages.density_stage: config.density.steps,
        density_stages.adversarial_stage: config.adversary.steps,
    }
    return [build for build, number in steps.items() if number]


def _check_batches(config, strategy):
    for name in STAGES:
        stage = getattr(config, name)
        if stage.steps:
            data_parallel.check_batch(
                stage.batch_size,
                strategy.num_devices,
                name=name,
                parts=stage.accum_steps,
                microbatch=config.deterministic_microbatch or 1,
            )


def _prepare(config, folder, strategy, splits, stop):
    """The stages' common record, and the validator."""
    cache = folder / "context"
    context = stage_lib.StageContext(
        config,
        cpcnn.build(config.model),
        splits.train,
        strategy.axis_name,
        input_pipeline.ReadOptions(config.workers, *multihost.process_rank()),
    )
    scorer = context_cache.make_crop_scorer(context, cache, strategy, stop)
    validator = validation.Validator(
        mae=validation.make_validator(context, splits.validation, cache),
        preview=validation.make_preview(context),
    )
    return context._replace(crop_scores=scorer), validator


def _make_writer(folder):
    if multihost.is_main():
        return metric_writer.MetricWriter(folder)
    return metric_writer.NullWriter()


class StepActions(NamedTuple):
    """Actions that follow a training step."""

    log: bool
    validate: bool
    save: bool


def _step_actions(config, stage, step, signal):
    last = step == stage.steps
    validate = stage.maps and config.validation.percent > 0
    validate = validate and (last or step % config.validation.eval_every == 0)
    save = bool(signal) or last or validate or step % config.checkpoint_every == 0
    return StepActions(save or step % config.log_every == 0, validate, save)


class _Run(NamedTuple):
    """The objects that all stages of one run use."""

    config: Experiment
    folder: Path
    strategy: data_parallel.Strategy
    validator: validation.Validator
    writer: metric_writer.MetricWriter | metric_writer.NullWriter
    stop: Callable[[], int | None]

    def stage(self, stage):
        """Runs a stage to its end; returns the parameters of its best checkpoint."""
        state = self.strategy.place_state(stage.state)
        checkpoints = checkpoint.Checkpoints(self.folder, stage.name)
        with closing(checkpoints), _advice_on_nan(checkpoints):
            step, state = checkpoints.restore(like=state) or (0, state)
            step, state, signal = self._steps(stage, checkpoints, step, state)
            if signal:
                raise preemption.Interrupted(
                    signal, f"after step {step} of the stage {stage.name}"
                )
            best = checkpoints.best(like=state)
        return jax.device_get(stage.result(best[1] if best else state))

    def _steps(self, stage, checkpoints, step, state):
        update = self.strategy.wrap(stage.step)
        guard = nan_guard.NanGuard(stage.name, stage.image_names)
        hosts = multihost.process_rank()[1]
        signal, meter = self.stop(), Throughput()
        with closing(stage.batches(step)) as batches, _bar(stage, step) as bar:
            while step < stage.steps and not signal:
                with meter.waiting():
                    batch = next(batches)
                crops = batch.pop("crop")
                state, metrics = update(state, self.strategy.place_batch(batch))
                step += 1
                guard.record(step, metrics, crops)
                work = stage.flops(batch["image"].shape)
                meter.count(hosts * len(crops), hosts * work)
                bar.update()
                signal = self.stop()  # once a step, so that the last step is saved
                actions = _step_actions(self.config, stage, step, signal)
                values = guard.check() | meter.values() if actions.log else {}
                with meter.stopped():
                    if actions.validate:
                        mae = self.validator.mae(stage.result(state))
                        guard.record(step, {checkpoint.SCORE: mae}, crops)
                        values |= guard.check()
                    if actions.log:
                        self.writer.write_scalars(stage.name, step, values)
                        bar.set_postfix({n: f"{v:.4g}" for n, v in values.items()})
                    if actions.save:
                        score = values.get(checkpoint.SCORE)
                        checkpoints.save(step, state, score)
                        if stage.maps and not signal and multihost.is_main():
                            image = self.validator.preview(stage.result(state), batch)
                            self.writer.write_image(stage.name, step, image)
        return step, state, signal


def _bar(stage, step):
    return tqdm(
        total=stage.steps,
        initial=step,
        desc=stage.name,
        unit="step",
        disable=not multihost.is_main(),
    )


@contextmanager
def _advice_on_nan(checkpoints):
    """Adds the last finite checkpoint and a remedy to an error of `NanGuard`."""
    try:
        yield
    except FloatingPointError as error:
        last = checkpoints.latest()
        kept = f"the checkpoint of step {last} is finite" if last else "none was saved"
        raise FloatingPointError(
            f"{error}; {kept}: try a lower --config.{checkpoints.stage}.learning_rate "
            "in another --workdir"
        ) from None
