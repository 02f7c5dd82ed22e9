"""Training: the stages one after the other, each resumed where it was left."""

import math
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import jax
from tqdm import tqdm

from cpcnn_jax import (
    checkpoint,
    data,
    frozen,
    log,
    parallel,
    processes,
    selection,
    stages,
    weights,
    workdir,
)
from cpcnn_jax.clock import Clock
from cpcnn_jax.data import held_out, pipeline
from cpcnn_jax.interrupt import Interrupted
from cpcnn_jax.models import cpcnn


def train(config, folder, strategy, *, stop):
    """Train the networks that the configuration asks for.

    Args:
      config: `config.Experiment`.
      folder: the run's folder, claimed by `workdir.claim`.
      strategy: from `parallel`.
      stop: function, the signal that asks to stop or None (`interrupt.deferred`).

    Returns:
      The path of the trained weights.

    Raises:
      Interrupted: asked to stop; the state is saved.
      ValueError: the configuration or the data cannot be used.
      FloatingPointError: the loss is no longer a number.
    """
    for name in ("gce", "lce", "density", "adversary"):
        size = getattr(config, name).batch_size
        parallel.check_batch(size, strategy.num_devices, name=f"{name}.batch_size")
    photographs = data.open_source(config.data, "train")
    pipeline.check_sizes(photographs)
    source, validation = held_out.split(photographs, config.validation.share)
    reading = pipeline.Reading(config.workers, *processes.host())
    model = cpcnn.build(config.model)
    run = stages.Run(config, model, source, strategy.axis_name, reading)
    context = Path(folder) / "context"
    run = run._replace(crop_scores=frozen.crop_scores(run, context, strategy, stop))
    judge = selection.Judge(
        mae=selection.validation(run, validation, context),
        preview=selection.preview(run),
    )
    found = stages.initial_weights(run)
    kept = log.Log(folder) if processes.is_main() else log.Silence()
    with closing(kept) as journal:
        for build in stages.plan(run):
            stage = build(run, found)
            found = _run_stage(stage, judge, config, folder, strategy, journal, stop)
    file = workdir.weights_file(folder)
    if processes.is_main():
        weights.save(file, found, config.model, blocks=config.crops.fraction)
    processes.wait("weights")
    return file


def _run_stage(stage, judge, config, folder, strategy, journal, stop):
    state, step = strategy.place_state(stage.state), strategy.wrap(stage.step)
    with closing(checkpoint.Checkpoints(folder, stage.name)) as saved:
        done, state = saved.restore(like=state) or (0, state)
        asked, clock = stop(), Clock()
        with closing(stage.batches(done)) as batches, _bar(stage, done) as bar:
            while done < stage.steps and not asked:
                with clock.waiting():
                    batch = next(batches)
                state, metrics = step(state, strategy.place_batch(batch))
                done += 1
                clock.seen += len(batch["image"]) * processes.host()[1]
                bar.update()
                asked = stop()  # once a step: what is said to be saved is saved
                due = _due(config, stage, done, asked)
                values = {}
                if due.line:
                    values = _finite(jax.device_get(metrics), stage.name, done)
                    values |= clock.values()
                with clock.stopped():
                    if due.score:
                        mae = {checkpoint.SCORE: judge.mae(stage.result(state))}
                        values |= _finite(mae, stage.name, done)
                    if due.line:
                        journal.scalars(stage.name, done, values)
                        bar.set_postfix({n: f"{v:.4g}" for n, v in values.items()})
                    if due.save:
                        saved.save(done, state, values.get(checkpoint.SCORE))
                    if due.save and stage.maps and not asked and processes.is_main():
                        picture = judge.preview(stage.result(state), batch)
                        journal.picture(stage.name, done, picture)
        if asked:
            raise Interrupted(asked, f"after step {done} of the stage {stage.name}")
        best = saved.best(like=state)
    return jax.device_get(stage.result(best[1] if best else state))


class Due(NamedTuple):
    """What is to be done after a step."""

    line: bool  # in the log
    score: bool  # on the validation photographs
    save: bool


def _due(config, stage, done, asked):
    last = done == stage.steps
    score = stage.maps and config.validation.share > 0
    score = score and (last or done % config.validation.every == 0)
    save = bool(asked) or last or score or done % config.save_every == 0
    return Due(save or done % config.log_every == 0, score, save)


def _bar(stage, done):
    return tqdm(
        total=stage.steps,
        initial=done,
        desc=stage.name,
        unit="step",
        disable=not processes.is_main(),
    )


def _finite(metrics, stage, step):
    values = {name: float(value) for name, value in metrics.items()}
    if not all(map(math.isfinite, values.values())):
        raise FloatingPointError(
            f"stage {stage}, step {step}: {values} is not finite; try a lower "
            f"--config.{stage}.learning_rate in another --workdir (what was saved "
            "before this step is kept)"
        )
    return values
