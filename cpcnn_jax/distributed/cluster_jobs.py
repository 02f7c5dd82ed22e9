"""What a cluster is told to run: a SLURM job's script, a Kubernetes JobSet.

Text alone, made of a `Job` and the words of a command; `launch.py --cluster` prints or
submits it. All restart safety lies in the run itself, which goes on from its last
checkpoint when it is started again with the same words.
"""

import math
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from cpcnn_jax.io import atomic_write

NOTICE = 120  # seconds before its end that a job gets SIGTERM, to save
PORT = 8476  # of process 0, where the cluster does not choose one
RUNS = "/runs"  # where a pod finds the volume that all share


@dataclass
class Job:
    """What is asked of the cluster: `launch.py --job.FIELD=VALUE`."""

    nodes: int = 1  # machines
    gpus: int = 0  # of each machine; SLURM: a process for each of them
    sbatch: str = ""  # SLURM: further options, as on sbatch's command line
    image: str = ""  # Kubernetes: a container that starts in this repository's folder
    claim: str = ""  # Kubernetes: the PersistentVolumeClaim that holds the workdir
    accelerator: str = "tpu-v5-lite-podslice"  # TPU: GKE's name of the kind
    topology: str = "4x4"  # TPU: chips along each side of the slice


def slurm_script(job, words, *, workdir, cwd, points=()):
    """A script for sbatch, which requeues the job where its time or its node is taken.

    Args:
      job: a `Job`.
      words: the command, a list of str; srun starts it in every process.
      workdir: of the run, a path; the job's output goes beside it.
      cwd: the folder in which the command is started.
      points: of a sweep, lists of further words: a job of an array each.

    Returns:
      The script's text.

    Raises:
      ValueError: a field of the job cannot be used.
    """
    _check(job)
    lines = [
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
    command = shlex.join(words) + (' "$@"' if points else "")
    choose = [f"{i}) set -- {shlex.join(p)} ;;" for i, p in enumerate(points)]
    if points:
        choose = ['case "$SLURM_ARRAY_TASK_ID" in', *choose, "esac"]
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH {line}" for line in lines),
            "set -u",
            f"cd {shlex.quote(str(cwd))}",
            *choose,
            f"srun --kill-on-bad-exit=1 {command}",
            "status=$?",
            "# 143: SIGTERM came, and the run has saved what it had done.",
            'if [ $status -eq 143 ]; then scontrol requeue "$SLURM_JOB_ID"; fi',
            "exit $status",
            "",
        ]
    )


def submit_slurm(script, workdir):
    """Write the script beside the workdir, and hand it to sbatch.

    Args:
      script: of `slurm_script`.
      workdir: likewise.

    Returns:
      A str that says which job it is and how to follow it.

    Raises:
      ValueError: there is no sbatch, or it refuses.
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
        f"to stop   scancel {number}; submitted again, it goes on\n"
    )


def kubernetes_manifest(job, words, *, workdir):
    """A JobSet with a pod, and a process, for each node; its pods restart together.

    Args:
      job: a `Job`, with an image and a claim.
      words: the command, a list of str.
      workdir: of the run, inside `RUNS`.

    Returns:
      The manifest, YAML.

    Raises:
      ValueError: a field of the job, or the workdir, cannot be used.
    """
    title = job_name(workdir)
    meet = (
        f" --coordinator={title}-run-0-0.{title}:{PORT} --num_processes={job.nodes}"
        ' --process_id="$JOB_COMPLETION_INDEX"'
    )
    alone = " --num_processes=1"
    command = f"exec {shlex.join(words)}" + (meet if job.nodes > 1 else alone)
    limits = {"nvidia.com/gpu": job.gpus} if job.gpus else {}
    return _jobset(job, command, workdir, limits, {})


def tpu_manifest(job, words, *, workdir):
    """A JobSet for a slice of TPUs on GKE, where JAX finds the other hosts by itself.

    Args:
      job: a `Job`, with an image, a claim and the slice's hosts as nodes.
      words: the command, a list of str.
      workdir: of the run, inside `RUNS`.

    Returns:
      The manifest, YAML.

    Raises:
      ValueError: a field of the job, or the workdir, cannot be used.
    """
    if not re.fullmatch(r"\d+(x\d+){1,2}", job.topology):
        raise ValueError(f"--job.topology={job.topology} must be like 4x4 or 2x2x4")
    chips = math.prod(map(int, job.topology.split("x")))
    if job.nodes < 1 or chips % job.nodes:
        raise ValueError(
            f"--job.topology={job.topology} has {chips} chips, which --job.nodes="
            f"{job.nodes} hosts cannot share"
        )
    kind = {
        "cloud.google.com/gke-tpu-accelerator": job.accelerator,
        "cloud.google.com/gke-tpu-topology": job.topology,
    }
    limits = {"google.com/tpu": chips // job.nodes}
    return _jobset(job, f"exec {shlex.join(words)}", workdir, limits, kind)


def job_name(workdir):
    """The job's name, of the letters that every cluster takes.

    Example:
      >>> job_name("runs/Part_A.2")
      'runs-part-a-2'
    """
    letters = re.sub("[^a-z0-9]+", "-", str(workdir).lower()).strip("-")
    return letters[-40:].strip("-") or "run"


def _check(job):
    if job.nodes < 1 or job.gpus < 0:
        raise ValueError(
            f"--job.nodes={job.nodes} and --job.gpus={job.gpus} must be whole numbers "
            "of at least 1 and 0"
        )


def _jobset(job, command, workdir, limits, selector):
    _check(job)
    for field in ("image", "claim"):
        if not getattr(job, field):
            raise ValueError(f"a cluster of pods needs --job.{field}")
    if not str(workdir).startswith(f"{RUNS}/"):
        raise ValueError(
            f"--workdir={workdir} must be inside {RUNS}, where pods find the volume "
            f"of --job.claim={job.claim}"
        )
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": NOTICE,
        **({"nodeSelector": selector} if selector else {}),
        "containers": [
            {
                "name": "run",
                "image": job.image,
                "command": ["sh", "-c", command],
                **({"resources": {"limits": limits}} if limits else {}),
                "volumeMounts": [{"name": "runs", "mountPath": RUNS}],
            }
        ],
        "volumes": [
            {"name": "runs", "persistentVolumeClaim": {"claimName": job.claim}}
        ],
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
