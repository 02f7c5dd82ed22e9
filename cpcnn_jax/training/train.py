"""Training: the stages one after the other, each resumed where it was left."""

from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import jax
from tqdm import tqdm

from cpcnn_jax import data
from cpcnn_jax.config import STAGES
from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.data import input_pipeline, splits
from cpcnn_jax.distributed import data_parallel, multihost, preemption
from cpcnn_jax.models import cpcnn
from cpcnn_jax.training import (
    checkpoint,
    classifier_stages,
    context_cache,
    density_stages,
    metric_writer,
    nan_guard,
)
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training import validation as validation_lib
from cpcnn_jax.training.init import params as init_params
from cpcnn_jax.training.throughput import Throughput
from cpcnn_jax.weights import serialization


def train(config, folder, strategy, *, stop):
    """Train the networks that the configuration asks for.

    Args:
      config: `config.Experiment`.
      folder: the run's folder, claimed by `workdir.claim_workdir`.
      strategy: from `parallel`.
      stop: function, the number of a received signal or None.

    Returns:
      The path of the trained weights.

    Raises:
      Interrupted: asked to stop; the state is saved.
      ValueError: the configuration or the data cannot be used.
      FloatingPointError: a loss or a weight is no longer a number.
    """
    for name in STAGES:
        stage = getattr(config, name)
        if stage.steps:
            data_parallel.check_batch(
                stage.batch_size,
                strategy.num_devices,
                name=name,
                parts=stage.accum_steps,
                unit=config.deterministic_microbatch or 1,
            )
    with preemption.immediate_signals(
        stop, "before the training: photographs were being read"
    ):
        photographs = data.open_dataset(config.data, "train")
    crops_lib.check_sizes(photographs)
    source, validation = splits.split(photographs, config.validation.percent)
    reading = input_pipeline.ReadOptions(config.workers, *multihost.process_rank())
    model = cpcnn.build(config.model)
    run = stage_lib.StageContext(config, model, source, strategy.axis_name, reading)
    context = Path(folder) / "context"
    run = run._replace(
        crop_scores=context_cache.make_crop_scorer(run, context, strategy, stop)
    )
    validator = validation_lib.Validator(
        mae=validation_lib.make_validator(run, validation, context),
        preview=validation_lib.make_preview(run),
    )
    found = init_params.initial_params(model, config)
    kept = (
        metric_writer.MetricWriter(folder)
        if multihost.is_main()
        else metric_writer.NullWriter()
    )
    with closing(kept) as writer:
        for build in plan_stages(run):
            stage = build(run, found)
            found = _run_stage(stage, validator, config, folder, strategy, writer, stop)
    file = serialization.weights_file(folder)
    if multihost.is_main():
        serialization.save(file, found, config.model, blocks=config.crops.side_divisor)
    multihost.barrier("weights")
    return file


def plan_stages(run):
    """The stages that the configuration asks for, each a function of the weights."""
    asked = {
        classifier_stages.gce_stage: run.model.gce and run.config.gce.steps,
        classifier_stages.lce_stage: run.model.lce and run.config.lce.steps,
        density_stages.density_stage: run.config.density.steps,
        density_stages.adversarial_stage: run.config.adversary.steps,
    }
    return [stage for stage, steps in asked.items() if steps]


def _run_stage(stage, validator, config, folder, strategy, writer, stop):
    state, step = strategy.place_state(stage.state), strategy.wrap(stage.step)
    guard = nan_guard.NanGuard(stage.name, stage.photographs)
    with closing(checkpoint.Checkpoints(folder, stage.name)) as saved, _advised(saved):
        done, state = saved.restore(like=state) or (0, state)
        asked, clock = stop(), Throughput()
        with closing(stage.batches(done)) as batches, _bar(stage, done) as bar:
            while done < stage.steps and not asked:
                with clock.waiting():
                    batch = next(batches)
                crops = batch.pop("crop")
                state, metrics = step(state, strategy.place_batch(batch))
                done += 1
                guard.record(done, metrics, crops)
                images = batch["image"].shape
                hosts = multihost.process_rank()[1]
                clock.count(hosts * len(crops), hosts * stage.flops(images))
                bar.update()
                asked = stop()  # once a step: what is said to be saved is saved
                actions = _step_actions(config, stage, done, asked)
                values = guard.check() | clock.values() if actions.line else {}
                with clock.stopped():
                    if actions.score:
                        mae = validator.mae(stage.result(state))
                        guard.record(done, {checkpoint.SCORE: mae}, crops)
                        values |= guard.check()
                    if actions.line:
                        writer.write_scalars(stage.name, done, values)
                        bar.set_postfix({n: f"{v:.4g}" for n, v in values.items()})
                    if actions.save:
                        saved.save(done, state, values.get(checkpoint.SCORE))
                    if (
                        actions.save
                        and stage.maps
                        and not asked
                        and multihost.is_main()
                    ):
                        picture = validator.preview(stage.result(state), batch)
                        writer.write_image(stage.name, done, picture)
        if asked:
            raise preemption.Interrupted(
                asked, f"after step {done} of the stage {stage.name}"
            )
        best = saved.best(like=state)
    return jax.device_get(stage.result(best[1] if best else state))


class StepActions(NamedTuple):
    """What is to be done after a step."""

    line: bool  # in the log
    score: bool  # on the validation photographs
    save: bool


def _step_actions(config, stage, done, asked):
    last = done == stage.steps
    score = stage.maps and config.validation.percent > 0
    score = score and (last or done % config.validation.eval_every == 0)
    save = bool(asked) or last or score or done % config.checkpoint_every == 0
    return StepActions(save or done % config.log_every == 0, score, save)


def _bar(stage, done):
    return tqdm(
        total=stage.steps,
        initial=done,
        desc=stage.name,
        unit="step",
        disable=not multihost.is_main(),
    )


@contextmanager
def _advised(saved):
    """What is no number ends the run with what is left and what to do."""
    try:
        yield
    except FloatingPointError as error:
        last = saved.latest()
        kept = f"the checkpoint of step {last} is finite" if last else "none was saved"
        raise FloatingPointError(
            f"{error}; {kept}: try a lower --config.{saved.stage}.learning_rate in "
            "another --workdir"
        ) from None
