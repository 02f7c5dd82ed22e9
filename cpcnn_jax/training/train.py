"""Training: the stages one after the other, each resumed from its checkpoint."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from cpcnn_jax.config import Experiment
from cpcnn_jax.data.experiment_splits import ExperimentSplits
from cpcnn_jax.data.training_images import prepare_images
from cpcnn_jax.distributed import data_parallel, multihost, preemption
from cpcnn_jax.models import networks
from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.training import (
    classifier_stages,
    crop_scores,
    density_stages,
    joint_stage,
    metric_writer,
    stage_run,
    validation,
)
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training.init import params as init_params
from cpcnn_jax.training.progress import Progress, standard_stream
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
    context = _prepare(config, Path(folder), strategy, splits, stop)
    with preemption.immediate_signals(stop, "before the first step"):
        params = init_params.initial_params(context.model, config)
    with closing(_make_writer(folder)) as writer:
        run = _make_run(context, Path(folder), strategy, splits, writer, stop)
        for build in plan_stages(context).values():
            params = stage_run.run_stage(build(context, params), run)
    file = serialization.weights_file(folder)
    if multihost.is_main():
        serialization.save(file, params, config.model, blocks=config.crops.side_divisor)
    multihost.barrier("weights")
    return file


def plan_stages(context: stage_lib.StageContext) -> dict[str, Callable]:
    """Lists the stages of an experiment, each a function of context and parameters."""
    config, model = context.config, context.model
    if not isinstance(model, CPCNN):
        return {"joint": joint_stage.joint_stage} if config.joint.steps else {}
    stages = {
        "gce": (classifier_stages.gce_stage, config.gce.steps if model.gce else 0),
        "lce": (classifier_stages.lce_stage, config.lce.steps if model.lce else 0),
        "density": (density_stages.density_stage, config.density.steps),
        "adversary": (density_stages.adversarial_stage, config.adversary.steps),
    }
    return {name: build for name, (build, steps) in stages.items() if steps}


def _check_batches(config, strategy):
    for name, stage in config.stages().items():
        if stage.steps:
            data_parallel.check_batch(
                stage.batch_size,
                strategy.num_devices,
                name=name,
                parts=stage.accum_steps,
                microbatch=config.deterministic_microbatch or 1,
            )


def _prepare(config, folder, strategy, splits, stop):
    """The stages' common record."""
    context = stage_lib.StageContext(
        config,
        networks.build(config.model),
        prepare_images(splits.train, config),
        strategy.axis_name,
    )
    scorer = crop_scores.make_crop_scorer(context, folder / "context", strategy, stop)
    return context._replace(crop_scores=scorer)


def _make_run(context, folder, strategy, splits, writer, stop):
    flops = {name: example_flops(context, name) for name in plan_stages(context)}
    settings = {name: getattr(context.config, name) for name in flops}
    work = {name: flops[name] * s.steps * s.batch_size for name, s in settings.items()}
    alone = multihost.process_rank()[1] == 1
    return stage_run.Run(
        config=context.config,
        folder=folder,
        strategy=strategy,
        validator=validation.Validator(
            validation.make_validator(context, splits.validation, folder / "context"),
            validation.make_preview(context),
        ),
        writer=writer,
        progress=Progress(work, standard_stream(multihost.is_main())),
        image_names=splits.train.names,
        example_flops=flops,
        stop=stop,
        local_stop=stop if alone else lambda: None,
    )


def example_flops(context: stage_lib.StageContext, name: str) -> int:
    """Counts the model FLOPs of a step of a stage for one example."""
    if name == "joint":
        return joint_stage.example_flops(context)
    module = classifier_stages if name in ("gce", "lce") else density_stages
    return module.example_flops(context, name)


def _make_writer(folder):
    if multihost.is_main():
        return metric_writer.MetricWriter(folder)
    return metric_writer.NullWriter()
