"""Cluster jobs: the script of a SLURM job, the manifest of a Kubernetes JobSet.

The functions compose text from a `Job`, the arguments of a command and the run's folder
`workdir`; `launch.py --cluster` prints or submits it. A restarted job repeats its
command, and the run resumes from its last checkpoint.
"""

import math
import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from cpcnn_jax.io import atomic_write

NOTICE = 120  # seconds between SIGTERM and the end of a job, to save a checkpoint
PORT = 8476  # of process 0, where the cluster does not choose one
RUNS = "/runs"  # path of the shared volume in a pod


@dataclass
class Job:
    """Resources of a cluster job: `launch.py --job.FIELD=VALUE`."""

    nodes: int = 1  # machines
    gpus: int = 0  # of each machine; SLURM: a process for each of them
    sbatch: str = ""  # SLURM: further options, as on sbatch's command line
    image: str = ""  # Kubernetes: a container that starts in this repository's folder
    claim: str = ""  # Kubernetes: the PersistentVolumeClaim that holds the workdir
    accelerator: str = "tpu-v5-lite-podslice"  # TPU: GKE's name of the kind
    topology: str = "4x4"  # TPU: chips along each side of the slice


def slurm_script(
    job: Job,
    command: Sequence[str],
    *,
    workdir: str | Path,
    cwd: str | Path,
    points: Sequence[Sequence[str]] = (),
) -> str:
    """Composes a script for sbatch, which requeues a job that is cut off.

    Args:
      job: resources of the job.
      command: arguments of the command that srun starts in every process.
      workdir: the run's folder; the job's output is written beside it.
      cwd: folder in which the command is started.
      points: further arguments of each point of a sweep, which becomes a job array.

    Raises:
      ValueError: a field of the job is invalid.
    """
    _check_job(job)
    options = [
        f"--job-name={job_name(workdir)}",
        f"--nodes={job.nodes}",
        f"--ntasks-per-node={max(job.gpus, 1)}",
        f"--output={workdir}.{'%A_%a' if points else '%j'}.out",
        "--open-mode=append",
        "--requeue",
        f"--signal=TERM@{NOTICE}",
        *([f"--gpus-per-node={job.gpus}"] if job.gpus else []),
        *([f"--array=0-{len(points) - 1}"] if points else []),
        *shlex.split(job.sbatch),
    ]
    line = shlex.join(command) + (' "$@"' if points else "")
    choose = [f"{i}) set -- {shlex.join(p)} ;;" for i, p in enumerate(points)]
    if points:
        choose = ['case "$SLURM_ARRAY_TASK_ID" in', *choose, "esac"]
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH {option}" for option in options),
            "set -u",
            f"cd {shlex.quote(str(cwd))}",
            *choose,
            f"srun --kill-on-bad-exit=1 {line}",
            "status=$?",
            "# 143: stopped by SIGTERM after saving a checkpoint.",
            'if [ $status -eq 143 ]; then scontrol requeue "$SLURM_JOB_ID"; fi',
            "exit $status",
            "",
        ]
    )


def submit_slurm(script: str, workdir: str | Path) -> str:
    """Writes a script beside the workdir and submits it with sbatch.

    Returns:
      Lines with the job's number and the commands that follow and cancel it.

    Raises:
      ValueError: sbatch is missing or fails.
      OSError: the script cannot be written.
    """
    file = Path(f"{workdir}.sbatch")
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write.write_atomic(file, script.encode())
    try:
        done = subprocess.run(
            ["sbatch", "--parsable", file], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise ValueError(
            f"no sbatch here: submit {file} where SLURM is, or use --dry_run"
        ) from None
    if done.returncode:
        raise ValueError(f"sbatch refuses {file}: {done.stderr.strip()}")
    number = done.stdout.strip().partition(";")[0]
    return (
        f"job       {number}, from {file}\n"
        f"output    {workdir}.{number}*.out\n"
        f"to watch  squeue --job={number}\n"
        f"to stop   scancel {number}; submitted again, it resumes\n"
    )


def kubernetes_manifest(
    job: Job, command: Sequence[str], *, workdir: str | Path
) -> str:
    """Composes a JobSet (YAML) with a pod per node; its pods restart together.

    Raises:
      ValueError: the job lacks an image or a claim, or the workdir is outside `RUNS`.
    """
    title = job_name(workdir)
    flags = " --num_processes=1"
    if job.nodes > 1:
        flags = (
            f" --coordinator={title}-run-0-0.{title}:{PORT} "
            f'--num_processes={job.nodes} --process_id="$JOB_COMPLETION_INDEX"'
        )
    limits = {"nvidia.com/gpu": job.gpus} if job.gpus else {}
    return _jobset(job, shlex.join(command) + flags, workdir, limits, {})


def tpu_manifest(job: Job, command: Sequence[str], *, workdir: str | Path) -> str:
    """Composes a JobSet (YAML) for a TPU slice on GKE, with its hosts as nodes.

    Raises:
      ValueError: the job lacks an image or a claim, its hosts cannot share the chips,
        or the workdir is outside `RUNS`.
    """
    if not re.fullmatch(r"\d+(x\d+){1,2}", job.topology):
        raise ValueError(f"--job.topology={job.topology} must be like 4x4 or 2x2x4")
    chips = math.prod(map(int, job.topology.split("x")))
    if job.nodes < 1 or chips % job.nodes:
        raise ValueError(
            f"--job.topology={job.topology} has {chips} chips, which --job.nodes="
            f"{job.nodes} hosts cannot share"
        )
    selector = {
        "cloud.google.com/gke-tpu-accelerator": job.accelerator,
        "cloud.google.com/gke-tpu-topology": job.topology,
    }
    limits = {"google.com/tpu": chips // job.nodes}
    return _jobset(job, shlex.join(command), workdir, limits, selector)


def job_name(workdir: str | Path) -> str:
    """The job's name in characters that every cluster accepts.

    Example:
      >>> job_name("runs/Part_A.2")
      'runs-part-a-2'
    """
    letters = re.sub("[^a-z0-9]+", "-", str(workdir).lower()).strip("-")
    return letters[-40:].strip("-") or "run"


def _check_job(job):
    if job.nodes < 1 or job.gpus < 0:
        raise ValueError(
            f"--job.nodes={job.nodes} and --job.gpus={job.gpus} must be whole numbers "
            "of at least 1 and 0"
        )


def _jobset(job, command, workdir, limits, selector):
    _check_job(job)
    for field in ("image", "claim"):
        if not getattr(job, field):
            raise ValueError(f"a cluster of pods needs --job.{field}")
    if not str(workdir).startswith(f"{RUNS}/"):
        raise ValueError(
            f"--workdir={workdir} must be inside {RUNS}, where pods find the volume "
            f"of --job.claim={job.claim}"
        )
    volume = {"name": "runs", "persistentVolumeClaim": {"claimName": job.claim}}
    container = {
        "name": "run",
        "image": job.image,
        "command": ["sh", "-c", f"exec {command}"],
        **({"resources": {"limits": limits}} if limits else {}),
        "volumeMounts": [{"name": "runs", "mountPath": RUNS}],
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": NOTICE,
        **({"nodeSelector": selector} if selector else {}),
        "containers": [container],
        "volumes": [volume],
    }
    indexed = {
        "completionMode": "Indexed",
        "parallelism": job.nodes,
        "completions": job.nodes,
        "backoffLimit": 0,
        "template": {"spec": pod},
    }
    jobs = [{"name": "run", "replicas": 1, "template": {"spec": indexed}}]
    manifest = {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": job_name(workdir)},
        "spec": {"failurePolicy": {"maxRestarts": 100}, "replicatedJobs": jobs},
    }
    return yaml.safe_dump(manifest, sort_keys=False, width=1000)
