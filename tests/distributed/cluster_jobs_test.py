"""Scripts and manifests of cluster jobs, and a job on a SLURM cluster."""

import functools
import json
import re
import shlex
import subprocess
import sys
import time

import pytest
import slurm_cluster
import tiny_experiment
import yaml
from workdir_files import assert_same_weights, has_reached

from cpcnn_jax.distributed import cluster_jobs
from cpcnn_jax.distributed.cluster_jobs import Job

COMMAND = ["python", "launch.py", "--config=a b.py", "--workdir=/runs/a"]
PODS = {"image": "registry/cpcnn:1", "claim": "images"}


def read_options(script):
    """The #SBATCH options as a dict."""
    lines = re.findall(r"^#SBATCH --(\S+?)=?(?:(?<==)(.*))?$", script, re.M)
    return dict(lines)


def test_slurm_script_requests_nodes_and_one_process_per_gpu():
    job = Job(nodes=3, gpus=8, sbatch="--partition=gpu --comment='two words'")
    script = cluster_jobs.slurm_script(job, COMMAND, workdir="/runs/a", cwd="/code")
    assert read_options(script) == {
        "job-name": "runs-a",
        "nodes": "3",
        "ntasks-per-node": "8",
        "gpus-per-node": "8",
        "output": "/runs/a.%j.out",
        "open-mode": "append",
        "requeue": "",
        "signal": "TERM@120",
        "partition": "gpu",
        "comment": "two words",
    }
    (line,) = re.findall("^srun .*", script, re.M)
    assert shlex.split(line)[2:] == COMMAND


def run_by_bash(script, tmp_path, status, **environment):
    """(exit status, commands) with srun and scontrol that record their arguments."""
    for name in ("srun", "scontrol"):
        program = tmp_path / name
        ending = f"exit {status}" if name == "srun" else ""
        record = f'printf "%s\\n" {name} "$@" >> {tmp_path}/commands'
        program.write_text(f"#!/bin/bash\n{record}\n{ending}\n")
        program.chmod(0o755)
    (tmp_path / "commands").unlink(missing_ok=True)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", **environment}
    done = subprocess.run(
        ["bash"], input=script, text=True, env=environment, check=False
    )
    return done.returncode, (tmp_path / "commands").read_text().splitlines()


def test_slurm_script_requeues_the_job_after_sigterm(tmp_path):
    script = cluster_jobs.slurm_script(Job(), COMMAND, workdir="/runs/a", cwd=tmp_path)
    for status, more in ((0, []), (1, []), (143, ["scontrol", "requeue", "7"])):
        result = run_by_bash(script, tmp_path, status, SLURM_JOB_ID="7")
        assert result == (status, ["srun", "--kill-on-bad-exit=1", *COMMAND, *more])


def test_jobs_of_an_array_have_their_own_arguments(tmp_path):
    points = [["--workdir=/s/x=1", "--config.x=it's"], ["--workdir=/s/x=2"]]
    script = cluster_jobs.slurm_script(
        Job(), ["run"], workdir="/s", cwd=tmp_path, points=points
    )
    assert read_options(script)["array"] == "0-1"
    assert read_options(script)["output"] == "/s.%A_%a.out"
    for i, arguments in enumerate(points):
        result = run_by_bash(script, tmp_path, 0, SLURM_ARRAY_TASK_ID=str(i))
        assert result == (0, ["srun", "--kill-on-bad-exit=1", "run", *arguments])


# Subset of the schemas of JobSet (jobset.x-k8s.io/v1alpha2) and pod: the permitted keys
# and the types of their values, by hand from the references.
SCHEMA = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str},
    "spec": {
        "failurePolicy": {"maxRestarts": int},
        "replicatedJobs": [
            {
                "name": str,
                "replicas": int,
                "template": {
                    "spec": {
                        "completionMode": str,
                        "parallelism": int,
                        "completions": int,
                        "backoffLimit": int,
                        "template": {
                            "spec": {
                                "restartPolicy": str,
                                "terminationGracePeriodSeconds": int,
                                "nodeSelector": dict,
                                "containers": [
                                    {
                                        "name": str,
                                        "image": str,
                                        "command": [str],
                                        "resources": {"limits": dict},
                                        "volumeMounts": [
                                            {"name": str, "mountPath": str}
                                        ],
                                    }
                                ],
                                "volumes": [
                                    {
                                        "name": str,
                                        "persistentVolumeClaim": {"claimName": str},
                                    }
                                ],
                            }
                        },
                    }
                },
            }
        ],
    },
}


def conforms(tree, schema):
    if isinstance(schema, dict):
        return tree.keys() <= schema.keys() and all(
            conforms(value, schema[key]) for key, value in tree.items()
        )
    if isinstance(schema, list):
        return all(conforms(item, schema[0]) for item in tree)
    return isinstance(tree, schema)


def parse_manifest(manifest):
    """(JobSet, job, pod), checked by the schema."""
    tree = yaml.safe_load(manifest)
    assert conforms(tree, SCHEMA)
    assert tree["kind"] == "JobSet"
    assert tree["apiVersion"] == "jobset.x-k8s.io/v1alpha2"
    (replicated,) = tree["spec"]["replicatedJobs"]
    job = replicated["template"]["spec"]
    return tree, job, job["template"]["spec"]


def test_pods_connect_to_the_first_pod_of_their_jobset():
    manifest = cluster_jobs.kubernetes_manifest(
        Job(nodes=4, gpus=8, **PODS), COMMAND, workdir="/runs/A"
    )
    tree, job, pod = parse_manifest(manifest)
    assert job["parallelism"] == job["completions"] == 4
    assert job["completionMode"] == "Indexed" and pod["restartPolicy"] == "Never"
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 8}
    shell, option, command = container["command"]
    program = f"JOB_COMPLETION_INDEX=3; exec() {{ printf '%s\\n' \"$@\"; }}; {command}"
    printed = subprocess.run(["bash", option, program], capture_output=True, text=True)
    name = tree["metadata"]["name"]
    job_name = tree["spec"]["replicatedJobs"][0]["name"]
    # Names of pods are JOBSET-JOB-REPLICA-INDEX.JOBSET.
    first = f"--coordinator={name}-{job_name}-0-0.{name}:8476"
    more = [first, "--num_processes=4", "--process_id=3"]
    assert printed.stdout.splitlines() == [*COMMAND, *more]
    (volume,) = pod["volumes"]
    assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/runs"}]


def test_single_pod_runs_alone():
    manifest = cluster_jobs.kubernetes_manifest(Job(**PODS), COMMAND, workdir="/runs/A")
    _, _, pod = parse_manifest(manifest)
    (container,) = pod["containers"]
    assert container["command"][-1].endswith("--workdir=/runs/a --num_processes=1")
    assert "resources" not in container


def test_chips_of_a_tpu_slice_are_divided_over_its_hosts():
    job = Job(nodes=4, topology="4x4", **PODS)
    manifest = cluster_jobs.tpu_manifest(job, COMMAND, workdir="/runs/a")
    _, indexed, pod = parse_manifest(manifest)
    assert indexed["completions"] == 4
    assert pod["nodeSelector"] == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
        "cloud.google.com/gke-tpu-topology": "4x4",
    }
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == {"google.com/tpu": 4}
    assert "--coordinator" not in container["command"][-1]


@pytest.mark.parametrize(
    ("kind", "job", "workdir", "text"),
    [
        ("slurm", Job(nodes=0), "a", "--job.nodes=0 and --job.gpus=0 must be whole"),
        ("kubernetes", Job(claim="c"), "/runs/a", "of pods needs --job.image"),
        ("kubernetes", Job(image="i"), "/runs/a", "of pods needs --job.claim"),
        ("kubernetes", Job(**PODS), "runs/a", "--workdir=runs/a must be inside /runs"),
        (
            "tpu",
            Job(**PODS, topology="4"),
            "/runs/a",
            "--job.topology=4 must be like 4x4",
        ),
        ("tpu", Job(3, **PODS), "/runs/a", "has 16 chips, which --job.nodes=3 hosts"),
    ],
)
def test_invalid_job_raises_value_error(kind, job, workdir, text):
    compose = {
        "slurm": functools.partial(cluster_jobs.slurm_script, cwd="/"),
        "kubernetes": cluster_jobs.kubernetes_manifest,
        "tpu": cluster_jobs.tpu_manifest,
    }[kind]
    with pytest.raises(ValueError, match=text):
        compose(job, COMMAND, workdir=workdir)


@pytest.mark.parametrize("text", ["runs/A_b.2", "/x" * 60 + "/...", "..."])
def test_job_names_are_valid_on_every_cluster(text):
    assert re.fullmatch(
        "[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", cluster_jobs.job_name(text)
    )


def test_missing_sbatch_leaves_the_script_and_raises_value_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    text = f"no sbatch here: submit {tmp_path}/a/b.sbatch"
    with pytest.raises(ValueError, match=text):
        cluster_jobs.submit_slurm("#!/bin/bash\n", tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b.sbatch").read_text() == "#!/bin/bash\n"


# --- a SLURM cluster


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Environment variables of the commands of a running cluster."""
    if absent := slurm_cluster.missing_programs():
        pytest.skip(f"SLURM is not installed: no {', '.join(absent)}")
    folder = tmp_path_factory.mktemp("slurm") / "cluster"
    with slurm_cluster.run_cluster(folder) as variables:
        conf = {"SLURM_CONF": variables["SLURM_CONF"]}
        yield variables | tiny_experiment.environment(devices=4) | conf


def run_command(environment, *command):
    return subprocess.run(
        [*map(str, command)],
        cwd=tiny_experiment.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def submit(environment, *flags):
    command = (sys.executable, "launch.py", *flags, "--cluster=slurm")
    return re.match(r"job +(\d+), from ", run_command(environment, *command))[1]


def wait(condition, seconds=240):
    for _ in range(seconds * 10):
        if condition():
            return
        time.sleep(0.1)
    raise TimeoutError


def read_field(environment, job, name):
    text = run_command(environment, "scontrol", "show", "job", "--oneliner", job)
    return re.findall(rf"\b{name}=(\S+)", text)


@pytest.mark.long
def test_preempted_job_ends_with_the_weights_of_an_uninterrupted_run(
    brief, tmp_path, environment
):
    """Sends SIGTERM, as --signal does before the time limit; then requeues the job."""
    workdir = tmp_path / "runs" / "a"
    flags = (*tiny_experiment.BRIEF, f"--workdir={workdir}", "--job.nodes=2")
    job = submit(environment, *flags)
    wait(lambda: has_reached(workdir, 1))
    run_command(environment, "scancel", "--signal=TERM", job)
    wait(lambda: read_field(environment, job, "Restarts") == ["1"])
    wait(lambda: has_reached(workdir, 4))
    run_command(environment, "scontrol", "requeue", job)
    wait(lambda: read_field(environment, job, "Restarts") == ["2"])
    wait(lambda: read_field(environment, job, "JobState")[0] in ("COMPLETED", "FAILED"))
    out = (tmp_path / "runs" / f"a.{job}.out").read_text()
    assert read_field(environment, job, "JobState") == ["COMPLETED"], out
    assert out.count("SIGTERM: stopped ") == 2 and "Traceback" not in out
    assert out.count("MAE") and "test set scored for" not in out
    assert_same_weights(workdir, brief)


@pytest.mark.long
def test_sweep_is_a_job_array_with_one_table(tmp_path, environment):
    workdir = tmp_path / "sweep"
    flags = [*tiny_experiment.BRIEF, f"--workdir={workdir}", "--sweep=seed=0,1"]
    flags.append("--config.density.steps=2")
    job = submit(environment, *flags)
    ended = {"COMPLETED", "FAILED"}
    wait(lambda: {*read_field(environment, job, "JobState")} <= ended)
    out = [path.read_text() for path in sorted(tmp_path.glob("sweep.*_?.out"))]
    assert read_field(environment, job, "JobState") == ["COMPLETED"] * 2, out
    command = (sys.executable, "-m", "cpcnn_jax", "sweep", workdir)
    table = run_command(environment, *command)
    first = json.loads((workdir / "seed=0" / "metrics.json").read_text())
    assert f"{first['mae']:.2f}" in table
    # Without a cluster the same command prints the table of the finished runs.
    again = run_command(environment, sys.executable, "launch.py", *flags)
    assert again.startswith(table.rstrip("\n"))
