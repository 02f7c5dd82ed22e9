"""Trains or evaluates an experiment, or a sweep of it. Only this file reads flags.

    python launch.py --config=experiments/demo.py --workdir=runs/demo
    python launch.py --config=experiments/shanghaitech_a.py --workdir=runs/a \
        --config.data.root=DIR --config.density.steps=2000
    python launch.py --config=experiments/demo.py --workdir=runs/rates \
        --sweep=seed=0,1,2 --sweep=density.learning_rate=1e-4,3e-4
    python launch.py --config=experiments/demo.py --workdir=runs/demo \
        --cluster=slurm --job.nodes=2 --dry_run

The same command resumes a stopped run. docs/scaling-machines.md describes several
processes, SLURM, Kubernetes and TPU pods.
"""

import shlex
import sys
from pathlib import Path

from absl import app, flags, logging
from ml_collections import config_flags

from cpcnn_jax.distributed import cluster_jobs
from cpcnn_jax.io import console

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "File with the experiment, of experiments/.", lock_config=True
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run's output.", required=True
)
_MODE = flags.DEFINE_enum(
    "mode",
    "train",
    ["train", "evaluate"],
    "train: run all stages, then evaluate; evaluate: evaluate the trained weights.",
)
_EVAL_SPLIT = flags.DEFINE_enum(
    "eval_split",
    "test",
    ["test", "validation"],
    "Images that the evaluation scores. Choose settings by validation, not by test.",
)
_PARALLEL = flags.DEFINE_enum(
    "parallel", "jit", ["jit", "pmap"], "Placement of a batch on the devices."
)
_SWEEP = flags.DEFINE_multi_string(
    "sweep",
    [],
    "FIELD=VALUE,VALUE... of the experiment: one run per value, each in a folder of "
    "the workdir. Several flags give one run per combination.",
)
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of process 0, for processes started by hand."
)
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "Number of processes.")
_PROCESS_ID = flags.DEFINE_integer(
    "process_id", None, "Number of this process, from 0."
)
_CLUSTER = flags.DEFINE_enum(
    "cluster",
    None,
    ["slurm", "kubernetes", "tpu"],
    "Cluster that runs the command. slurm submits a job; the others need --dry_run.",
)
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Print the job of --cluster and do nothing else."
)
flags.mark_flag_as_required("config")


def parse(argv: list[str]) -> list[str]:
    """Reads flags and the experiment's file, or exits with one sentence."""
    try:
        config_flags.DEFINE_config_dataclass(  # reads argv, too
            "job",
            cluster_jobs.Job(),
            "Resources of the cluster; fields in distributed/cluster_jobs.py.",
        )
        words = flags.FLAGS(argv)[1:]
        getattr(_CONFIG.value, "seed", None)  # raises now if the file was not read
        text = f"not understood: {' '.join(words)}" if words else ""
    except Exception as error:  # includes errors of the experiment's file
        text = _error_text(error, argv)
    if text:
        sys.exit(f"launch.py: {text} (--help lists the flags)")
    return argv[:1]


def _error_text(error, argv):
    """One sentence for an error of the flags or of the experiment's file."""
    file = next((word for word in argv if word.startswith("--config=")), "--config")
    match error:
        case KeyError():  # an unknown field
            is_job = "cluster_jobs.Job" in str(error)
            room = "distributed/cluster_jobs" if is_job else "config/experiment"
            text = f"{file}: {error.args[0]}; cpcnn_jax/{room}.py has all fields"
        case flags.Error():
            text = str(error)
        case _:
            text = f"{file}: {type(error).__name__}: {error}"
    first, *more = text.strip().splitlines()  # without the traceback
    return " ".join([first, *(line.strip() for line in more[-1:])])


def main(_: list[str]) -> None:
    """Runs the command; errors that a user can cause become one sentence."""
    from cpcnn_jax.distributed import multihost, preemption

    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    try:
        if _CLUSTER.value:
            return _submit()
        if _DRY_RUN.value:
            raise ValueError("--dry_run prints the job of --cluster, which is missing")
        explicit = (_COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value)
        several = multihost.initialize(*explicit)
        signals = multihost.agreed_stop if several else preemption.deferred_signals
        with signals() as stop:
            _run_all(stop)
    except preemption.Interrupted as error:
        if multihost.is_main():
            command = shlex.join(["python", *sys.argv])
            print(f"\n{error}.\nTo resume: {command}", file=sys.stderr)
        preemption.exit_stopped(error.signum)
    except (ValueError, OSError, FloatingPointError) as error:
        if flags.FLAGS.verbosity > 0:
            raise
        _fail(str(error))
    except RuntimeError as error:  # a broken connection, in JAX
        if multihost.process_rank()[1] == 1:
            raise
        _fail(
            f"{str(error).splitlines()[0]}; the same command resumes all processes "
            "from the last checkpoint"
        )


def _fail(sentence):
    from cpcnn_jax.distributed import multihost

    if multihost.process_rank()[1] > 1:
        multihost.exit_process(f"launch.py: {sentence}")
    sys.exit(f"launch.py: {sentence}")


def _runs():
    """Pairs (experiment, workdir) of one run or of a sweep."""
    from cpcnn_jax.config import validate
    from cpcnn_jax.training import sweep

    runs = [(_CONFIG.value, Path(_WORKDIR.value))]
    if _SWEEP.value:
        runs = [
            (
                _experiment(_overrides(point)),
                Path(_WORKDIR.value, sweep.folder_name(point)),
            )
            for point in sweep.grid_points(_SWEEP.value)
        ]
    for config, _ in runs:
        validate.check_experiment(config)
    return runs


def _overrides(point):
    return [f"--config.{field}={value}" for field, value in point.items()]


def _experiment(overrides):
    """The experiment of the command line with more flags."""
    words, own = [*sys.argv, *overrides], flags.FlagValues()
    config = config_flags.DEFINE_config_file("config", flag_values=own, sys_argv=words)
    try:
        own(words, known_only=True)
        return config.value
    except (KeyError, flags.Error) as error:
        raise ValueError(f"--sweep: {_error_text(error, words)}") from None


def _run_all(stop):
    from cpcnn_jax.distributed import multihost
    from cpcnn_jax.training import sweep

    failed = False
    for config, folder in _runs():
        try:
            _run(config, folder, stop)
        except FloatingPointError as error:  # other points may succeed
            if not _SWEEP.value:
                raise
            failed = True
            if multihost.is_main():
                print(f"launch.py: {folder}: {error}", file=sys.stderr)
    if _SWEEP.value and multihost.is_main():
        print(
            f"{sweep.write_table(_WORKDIR.value)}\ntable     {_WORKDIR.value}/sweep.csv"
        )
    if failed:
        sys.exit(1)


def _run(config, folder, stop):
    from cpcnn_jax.data.experiment_splits import open_splits
    from cpcnn_jax.distributed import multihost, preemption
    from cpcnn_jax.evaluation import evaluate, scores
    from cpcnn_jax.inference import compilation_cache
    from cpcnn_jax.training import sweep, train, workdir
    from cpcnn_jax.weights import serialization

    trains, eval_split = _MODE.value == "train", _EVAL_SPLIT.value
    if multihost.is_main():
        workdir.claim_workdir(folder, config, record=trains)
    multihost.barrier(f"claimed {folder}")
    workdir.check_shared(folder, config)
    if trains and _SWEEP.value and sweep.is_finished(folder, eval_split):
        return
    moment = "before the training" if trains else "before the evaluation"
    with preemption.immediate_signals(stop, f"{moment}: images were being read"):
        splits = open_splits(config, eval_split)
    if trains:
        compilation_cache.enable()
        train.train(config, folder, _strategy(config), splits, stop=stop)
    result = evaluate.evaluate(config, folder, splits, stop=stop)
    if multihost.is_main():
        print(
            f"{scores.format_summary(result)}\n"
            f"report    {folder}/report.html\n"
            f"pictures  {folder}/pictures\n"
            f"metrics   {folder}/metrics.json, {folder}/predictions.csv\n"
            f"weights   {serialization.weights_file(folder)}"
        )


def _strategy(config):
    from cpcnn_jax.distributed import data_parallel

    if _PARALLEL.value == "pmap":
        return data_parallel.pmap_strategy()
    return data_parallel.jit_strategy(shares=config.deterministic_microbatch > 0)


def _submit():
    """Submits the command to a cluster, or prints its job."""
    from cpcnn_jax.training import sweep

    _runs()  # reports errors here and not in the queue
    folder, job = Path(_WORKDIR.value), flags.FLAGS.job
    cluster = _CLUSTER.value
    if cluster and cluster != "slurm":
        if _SWEEP.value or not _DRY_RUN.value:
            raise ValueError(
                f"--cluster={cluster} needs --dry_run, which prints a manifest "
                "for kubectl, and takes no --sweep"
            )
        words = ["python", Path(sys.argv[0]).name, *_words("cluster", "dry_run", "job")]
        manifest = {
            "kubernetes": cluster_jobs.kubernetes_manifest,
            "tpu": cluster_jobs.tpu_manifest,
        }
        return print(manifest[cluster](job, words, workdir=folder), end="")
    dropped, points = ["cluster", "dry_run", "job"], []
    if _SWEEP.value:
        dropped += ["sweep", "workdir"]
        points = [
            [f"--workdir={folder / sweep.folder_name(point)}", *_overrides(point)]
            for point in sweep.grid_points(_SWEEP.value)
        ]
    words = [sys.executable, sys.argv[0], *_words(*dropped)]
    text = cluster_jobs.slurm_script(
        job, words, workdir=folder, cwd=Path.cwd(), points=points
    )
    print(text if _DRY_RUN.value else cluster_jobs.submit_slurm(text, folder), end="")


def _words(*dropped):
    """The command line without some flags."""
    kept, words = [], iter(sys.argv[1:])
    for word in words:
        name, given, _ = word.lstrip("-").partition("=")
        if name.partition(".")[0] not in dropped:
            kept.append(word)
        elif not given and name != "dry_run":
            next(words, None)
    return kept


if __name__ == "__main__":
    console.tolerate_closed_pipes()
    app.run(main, flags_parser=parse)
