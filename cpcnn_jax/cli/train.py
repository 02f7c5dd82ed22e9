"""`cpcnn_jax train`: trains or evaluates an experiment, or a sweep of it.

launch.py is the same command in a clone of the repository.
"""

import contextlib
import dataclasses
import functools
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags, logging

from cpcnn_jax.cli.train_flags import CommandLine, make_parser
from cpcnn_jax.distributed import cluster_jobs

__all__ = ["main", "make_parser"]
FLAGS = flags.FLAGS


def main(
    argv: Sequence[str], program: Sequence[str] = ("python", "-m", "cpcnn_jax", "train")
) -> int:
    """Runs the command; --help describes the flags.

    Args:
      argv: the flags.
      program: words that start the command, for the command that resumes it.

    Raises:
      SystemExit: always, with the exit status or one sentence.
    """
    if {"--help", "-h"} & {*argv}:
        make_parser().parse_args(["--help"])
    line = CommandLine(tuple(program), tuple(argv))

    def parse(words):
        line.parse()
        return words

    return app.run(functools.partial(_main, line), [line.name], flags_parser=parse)


def _main(line, _):
    """Runs the command; errors that a user can cause become one sentence."""
    from cpcnn_jax.distributed import multihost, platforms, preemption

    if not FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    try:
        if FLAGS.cluster:
            return _submit(line)
        if FLAGS.dry_run:
            raise ValueError("--dry_run prints the job of --cluster, which is missing")
        explicit = (
            FLAGS.coordinator,
            FLAGS.num_processes,
            FLAGS.process_id,
        )
        several = multihost.initialize(*explicit)
        signals = multihost.agreed_stop if several else preemption.deferred_signals
        with signals() as stop:
            _run_all(line, stop)
    except preemption.Interrupted as error:
        if multihost.is_main():
            command = shlex.join([*line.program, *line.words])
            print(f"\n{error}.\nTo resume: {command}", file=sys.stderr)
        preemption.exit_stopped(error.signum)
    except (ValueError, OSError, FloatingPointError) as error:
        if FLAGS.verbosity > 0:
            raise
        _fail(line, str(error))
    except RuntimeError as error:  # a broken connection, in JAX
        if text := platforms.describe_platform_error(error):
            sys.exit(f"{line.name}: {text}")
        if multihost.process_rank()[1] == 1:
            raise
        _fail(
            line,
            f"{str(error).splitlines()[0]}; the same command resumes all processes "
            "from the last checkpoint",
        )


def _fail(line, sentence):
    from cpcnn_jax.distributed import multihost

    if multihost.process_rank()[1] > 1:
        multihost.exit_process(f"{line.name}: {sentence}")
    sys.exit(f"{line.name}: {sentence}")


def _runs(line):
    """Pairs (experiment, workdir) of one run or of a sweep."""
    from cpcnn_jax.training import sweep

    runs = [(FLAGS.config, Path(FLAGS.workdir))]
    if FLAGS.sweep:
        runs = [
            (_point(line, point), Path(FLAGS.workdir, sweep.folder_name(point)))
            for point in sweep.grid_points(FLAGS.sweep)
        ]
    return [(_checked(config), folder) for config, folder in runs]


def _point(line, point):
    """The experiment of a point of the sweep."""
    try:
        return line.experiment(_overrides(point))
    except ValueError as error:
        raise ValueError(f"--sweep: {error}") from None


def _checked(config):
    """The experiment with the networks of its `init_from`, after its validation."""
    from cpcnn_jax.config import validate
    from cpcnn_jax.models import networks
    from cpcnn_jax.training import custom_loss
    from cpcnn_jax.training.init import params

    validate.check_fields(config)
    adopted = params.adopt_model(config)
    _report_replaced(config, adopted)
    validate.check_experiment(adopted)
    networks.build(adopted.model)
    custom_loss.check_losses(adopted)
    return adopted


def _report_replaced(config, adopted):
    """Names the fields of the networks that the file of `init_from` decides."""
    before, after = map(dataclasses.asdict, (config.model, adopted.model))
    if names := [name for name in before if before[name] != after[name]]:
        text = "--config.init_from=%s decides these fields of --config.model: %s"
        logging.warning(text, config.init_from, ", ".join(names))


def _overrides(point):
    return [f"--config.{field}={value}" for field, value in point.items()]


def _run_all(line, stop):
    from cpcnn_jax.distributed import multihost
    from cpcnn_jax.training import sweep

    failed = False
    for config, folder in _runs(line):
        try:
            with contextlib.ExitStack() as held:
                _run(config, folder, stop, held)
        except FloatingPointError as error:  # other points may succeed
            if not FLAGS.sweep:
                raise
            failed = True
            if multihost.is_main():
                print(f"{line.name}: {folder}: {error}", file=sys.stderr)
    if FLAGS.sweep and multihost.is_main():
        table = sweep.write_table(FLAGS.workdir, FLAGS.eval_split)
        print(f"{table}\ntable     {FLAGS.workdir}/sweep.csv")
    if failed:
        sys.exit(1)


def _run(config, folder, stop, held):
    from cpcnn_jax.data.experiment_splits import open_splits
    from cpcnn_jax.distributed import multihost, preemption
    from cpcnn_jax.evaluation import evaluate, predictions, scores
    from cpcnn_jax.inference import compilation_cache
    from cpcnn_jax.training import sweep, train, workdir

    trains, eval_split = FLAGS.mode == "train", FLAGS.eval_split
    if not trains:
        evaluate.evaluated_weights(config, folder)  # before anything is written
    if multihost.is_main():
        workdir.claim_workdir(folder, config, record=trains)
        held.enter_context(workdir.hold_workdir(folder))
    multihost.barrier(f"claimed {folder}")
    workdir.check_shared(folder, config)
    if trains and FLAGS.sweep and sweep.is_finished(folder, eval_split):
        return
    moment = "before the training" if trains else "before the evaluation"
    with preemption.immediate_signals(stop, f"{moment}: images were being read"):
        splits = open_splits(config, eval_split)
    if trains:
        compilation_cache.enable()
        train.train(config, folder, _strategy(config), splits, stop=stop)
    result = evaluate.evaluate(config, folder, splits, stop=stop)
    if multihost.is_main():
        results = predictions.results_folder(folder, eval_split)
        print(
            f"{scores.format_summary(result)}\n"
            f"report    {results}/report.html\n"
            f"pictures  {results}/pictures\n"
            f"metrics   {results}/metrics.json, {results}/predictions.csv\n"
            f"curves    tensorboard --logdir={shlex.quote(str(folder))}\n"
            f"weights   {evaluate.evaluated_weights(config, folder)}"
        )


def _strategy(config):
    from cpcnn_jax.distributed import data_parallel

    if FLAGS.parallel == "pmap":
        return data_parallel.pmap_strategy()
    return data_parallel.jit_strategy(shares=config.deterministic_microbatch > 0)


def _submit(line):
    """Submits the command to a cluster, or prints its job."""
    from cpcnn_jax.training import sweep

    _runs(line)  # reports errors here and not in the queue
    folder, job = Path(FLAGS.workdir), FLAGS.job
    cluster = FLAGS.cluster
    if cluster and cluster != "slurm":
        if FLAGS.sweep or not FLAGS.dry_run:
            raise ValueError(
                f"--cluster={cluster} needs --dry_run, which prints a manifest "
                "for kubectl, and takes no --sweep"
            )
        *start, script = line.program
        words = [*start, Path(script).name, *line.without("cluster", "dry_run", "job")]
        manifest = {
            "kubernetes": cluster_jobs.kubernetes_manifest,
            "tpu": cluster_jobs.tpu_manifest,
        }
        return print(manifest[cluster](job, words, workdir=folder), end="")
    dropped, points = ["cluster", "dry_run", "job"], []
    if FLAGS.sweep:
        dropped += ["sweep", "workdir"]
        points = [
            [f"--workdir={folder / sweep.folder_name(point)}", *_overrides(point)]
            for point in sweep.grid_points(FLAGS.sweep)
        ]
    words = [sys.executable, *line.program[1:], *line.without(*dropped)]
    text = cluster_jobs.slurm_script(
        job, words, workdir=folder, cwd=Path.cwd(), points=points
    )
    print(text if FLAGS.dry_run else cluster_jobs.submit_slurm(text, folder), end="")
