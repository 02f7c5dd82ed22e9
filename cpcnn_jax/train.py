"""Training: the stages one after the other, each resumed where it was left."""

import math
import time
from contextlib import closing

import jax
from tqdm import tqdm

from cpcnn_jax import checkpoint, data, log, parallel, predict, stages, weights, workdir
from cpcnn_jax.interrupt import Interrupted
from cpcnn_jax.models import cpcnn
from cpcnn_jax.report import pictures


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
    source = data.open_source(config.data, "train")
    run = stages.Run(config, cpcnn.build(config.model), source, strategy.axis_name)
    estimate = predict.estimator(run.model, blocks=1)
    found = stages.initial_weights(run)
    with closing(log.Log(folder)) as journal:
        for build in stages.plan(run):
            stage = build(run, found)
            found = _run_stage(stage, estimate, config, folder, strategy, journal, stop)
    file = workdir.weights_file(folder)
    weights.save(file, found, config.model, blocks=config.crops.fraction)
    return file


def _run_stage(stage, estimate, config, folder, strategy, journal, stop):
    state = strategy.place_state(stage.state)
    with closing(checkpoint.Checkpoints(folder, stage.name)) as saved:
        done, state = saved.restore(like=state) or (0, state)
        asked, seen, began = stop(), 0, time.monotonic()
        step = strategy.wrap(stage.step)
        todo = range(done + 1, stage.steps + 1)
        with closing(stage.batches(done)) as batches, _bar(stage, done) as bar:
            for done, batch in zip(todo, batches, strict=False):
                state, metrics = step(state, strategy.place_batch(batch))
                bar.update()
                seen += len(batch["image"])
                asked = stop()  # once a step: what is said to be saved is saved
                save = asked or done == stage.steps or done % config.save_every == 0
                if save or done % config.log_every == 0:
                    values = _finite(jax.device_get(metrics), stage.name, done)
                    values["images_per_second"] = seen / (time.monotonic() - began)
                    journal.scalars(stage.name, done, values)
                    bar.set_postfix({name: f"{v:.4g}" for name, v in values.items()})
                if save:
                    saved.save(done, state)
                if asked:
                    break
                if save and stage.maps:
                    picture = _preview(estimate, stage.result(state), batch)
                    journal.picture(stage.name, done, picture)
    if asked:
        raise Interrupted(asked, f"after step {done} of the stage {stage.name}")
    return jax.device_get(stage.result(state))


def _bar(stage, done):
    return tqdm(total=stage.steps, initial=done, desc=stage.name, unit="step")


def _preview(estimate, found, batch):
    """The batch's first crop, its true map and the estimate, as pixels."""
    image, true = batch["image"][0], batch["density"][0, ..., 0]
    guess = estimate(found, image)
    return pictures.pixels(pictures.comparison(image, true, guess, people=true.sum()))


def _finite(metrics, stage, step):
    values = {name: float(value) for name, value in metrics.items()}
    if not all(map(math.isfinite, values.values())):
        raise FloatingPointError(
            f"stage {stage}, step {step}: {values} is not finite; try a lower "
            f"--config.{stage}.learning_rate in another --workdir (what was saved "
            "before this step is kept)"
        )
    return values
