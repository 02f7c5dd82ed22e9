"""Scripts and manifests, read back; and a job on a real SLURM, taken away twice."""

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
from workdir_files import reached, same_weights

from cpcnn_jax.distributed import cluster_jobs
from cpcnn_jax.distributed.cluster_jobs import Job

WORDS = ["python", "launch.py", "--config=a b.py", "--workdir=/runs/a"]
PODS = {"image": "registry/cpcnn:1", "claim": "photographs"}


def options(script):
    """Of #SBATCH, as a dict."""
    lines = re.findall(r"^#SBATCH --(\S+?)=?(?:(?<==)(.*))?$", script, re.M)
    return dict(lines)


def test_a_script_asks_for_nodes_and_a_process_a_gpu():
    job = Job(nodes=3, gpus=8, sbatch="--partition=gpu --comment='two words'")
    script = cluster_jobs.slurm_script(job, WORDS, workdir="/runs/a", cwd="/code")
    assert options(script) == {
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
    assert shlex.split(line)[2:] == WORDS


def run_by_bash(script, tmp_path, status, **environment):
    """(exit status, what was started) with srun and scontrol that write it down."""
    for name in ("srun", "scontrol"):
        program = tmp_path / name
        ending = f"exit {status}" if name == "srun" else ""
        said = f'#!/bin/bash\nprintf "%s\\n" {name} "$@" >> {tmp_path}/said\n{ending}\n'
        program.write_text(said)
        program.chmod(0o755)
    (tmp_path / "said").unlink(missing_ok=True)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", **environment}
    done = subprocess.run(
        ["bash"], input=script, text=True, env=environment, check=False
    )
    return done.returncode, (tmp_path / "said").read_text().splitlines()


def test_bash_starts_the_words_and_requeues_what_was_saved(tmp_path):
    script = cluster_jobs.slurm_script(Job(), WORDS, workdir="/runs/a", cwd=tmp_path)
    for status, more in ((0, []), (1, []), (143, ["scontrol", "requeue", "7"])):
        found = run_by_bash(script, tmp_path, status, SLURM_JOB_ID="7")
        assert found == (status, ["srun", "--kill-on-bad-exit=1", *WORDS, *more])


def test_an_array_s_jobs_have_their_own_words(tmp_path):
    points = [["--workdir=/s/x=1", "--config.x=it's"], ["--workdir=/s/x=2"]]
    script = cluster_jobs.slurm_script(
        Job(), ["run"], workdir="/s", cwd=tmp_path, points=points
    )
    assert options(script)["array"] == "0-1"
    assert options(script)["output"] == "/s.%A_%a.out"
    for i, words in enumerate(points):
        found = run_by_bash(script, tmp_path, 0, SLURM_ARRAY_TASK_ID=str(i))
        assert found == (0, ["srun", "--kill-on-bad-exit=1", "run", *words])


# What of a JobSet (jobset.x-k8s.io/v1alpha2) and a pod we use: each key that is allowed
# there and the type of its value; kept by hand from their references.
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


def pods(manifest):
    """(the JobSet, its job, its pod), held to the schema."""
    tree = yaml.safe_load(manifest)
    assert conforms(tree, SCHEMA)
    assert tree["kind"] == "JobSet"
    assert tree["apiVersion"] == "jobset.x-k8s.io/v1alpha2"
    (replicated,) = tree["spec"]["replicatedJobs"]
    job = replicated["template"]["spec"]
    return tree, job, job["template"]["spec"]


def test_pods_find_each_other_by_their_jobset_s_names():
    manifest = cluster_jobs.kubernetes_manifest(
        Job(nodes=4, gpus=8, **PODS), WORDS, workdir="/runs/A"
    )
    tree, job, pod = pods(manifest)
    assert job["parallelism"] == job["completions"] == 4
    assert job["completionMode"] == "Indexed" and pod["restartPolicy"] == "Never"
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 8}
    shell, option, command = container["command"]
    program = f"JOB_COMPLETION_INDEX=3; exec() {{ printf '%s\\n' \"$@\"; }}; {command}"
    said = subprocess.run(["bash", option, program], capture_output=True, text=True)
    name = tree["metadata"]["name"]
    job_name = tree["spec"]["replicatedJobs"][0]["name"]
    # JobSet calls pods JOBSET-JOB-REPLICA-INDEX.JOBSET.
    first = f"--coordinator={name}-{job_name}-0-0.{name}:8476"
    more = [first, "--num_processes=4", "--process_id=3"]
    assert said.stdout.splitlines() == [*WORDS, *more]
    (volume,) = pod["volumes"]
    assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/runs"}]


def test_a_pod_alone_looks_for_no_others():
    _, _, pod = pods(
        cluster_jobs.kubernetes_manifest(Job(**PODS), WORDS, workdir="/runs/A")
    )
    (container,) = pod["containers"]
    assert container["command"][-1].endswith("--workdir=/runs/a --num_processes=1")
    assert "resources" not in container


def test_a_slice_of_tpus_is_divided_between_its_hosts():
    job = Job(nodes=4, topology="4x4", **PODS)
    _, indexed, pod = pods(cluster_jobs.tpu_manifest(job, WORDS, workdir="/runs/a"))
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
def test_jobs_that_cannot_be(kind, job, workdir, text):
    more = {"cwd": "/"} if kind == "slurm" else {}
    with pytest.raises(ValueError, match=text):
        getattr(cluster_jobs, kind)(job, WORDS, workdir=workdir, **more)


@pytest.mark.parametrize("text", ["runs/A_b.2", "/x" * 60 + "/...", "..."])
def test_names_are_what_every_cluster_takes(text):
    assert re.fullmatch(
        "[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", cluster_jobs.job_name(text)
    )


def test_without_sbatch_the_script_is_there_to_carry(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ValueError, match=f"no sbatch here: submit {tmp_path}/a/b.sbatch"
    ):
        cluster_jobs.submit_slurm("#!/bin/bash\n", tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b.sbatch").read_text() == "#!/bin/bash\n"


# --- a real SLURM


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Of a running cluster."""
    if absent := slurm_cluster.missing():
        pytest.skip(f"SLURM is not installed: no {', '.join(absent)}")
    with slurm_cluster.running(tmp_path_factory.mktemp("slurm") / "cluster") as found:
        yield (
            found
            | tiny_experiment.environment(devices=4)
            | {"SLURM_CONF": found["SLURM_CONF"]}
        )


def ask(environment, *words):
    return subprocess.run(
        [*map(str, words)],
        cwd=tiny_experiment.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def submitted(environment, *words):
    said = ask(environment, sys.executable, "launch.py", *words, "--cluster=slurm")
    return re.match(r"job +(\d+), from ", said)[1]


def until(true, seconds=240):
    for _ in range(seconds * 10):
        if true():
            return
        time.sleep(0.1)
    raise TimeoutError


def field(environment, job, name):
    said = ask(environment, "scontrol", "show", "job", "--oneliner", job)
    return re.findall(rf"\b{name}=(\S+)", said)


@pytest.mark.long
def test_a_job_that_is_taken_away_twice_ends_as_if_it_was_not(
    brief, tmp_path, environment
):
    """SIGTERM before its end, as --signal sends it; then preempted by an operator."""
    workdir = tmp_path / "runs" / "a"
    words = (*tiny_experiment.BRIEF, f"--workdir={workdir}", "--job.nodes=2")
    job = submitted(environment, *words)
    until(lambda: reached(workdir, 1))
    ask(environment, "scancel", "--signal=TERM", job)
    until(lambda: field(environment, job, "Restarts") == ["1"])
    until(lambda: reached(workdir, 4))
    ask(environment, "scontrol", "requeue", job)
    until(lambda: field(environment, job, "Restarts") == ["2"])
    until(lambda: field(environment, job, "JobState")[0] in ("COMPLETED", "FAILED"))
    out = (tmp_path / "runs" / f"a.{job}.out").read_text()
    assert field(environment, job, "JobState") == ["COMPLETED"], out
    assert out.count("SIGTERM: stopped ") == 2 and "Traceback" not in out
    assert out.count("MAE") and "test set scored for" not in out
    same_weights(workdir, brief)


@pytest.mark.long
def test_a_sweep_is_an_array_with_one_table(tmp_path, environment):
    workdir = tmp_path / "sweep"
    words = [*tiny_experiment.BRIEF, f"--workdir={workdir}", "--sweep=seed=0,1"]
    words.append("--config.density.steps=2")
    job = submitted(environment, *words)
    ended = {"COMPLETED", "FAILED"}
    until(lambda: {*field(environment, job, "JobState")} <= ended)
    out = [path.read_text() for path in sorted(tmp_path.glob("sweep.*_?.out"))]
    assert field(environment, job, "JobState") == ["COMPLETED"] * 2, out
    table = ask(environment, sys.executable, "-m", "cpcnn_jax", "sweep", workdir)
    first = json.loads((workdir / "seed=0" / "metrics.json").read_text())
    assert f"{first['mae']:.2f}" in table
    # Here the same words find both runs finished, and print the same table.
    again = ask(environment, sys.executable, "launch.py", *words)
    assert again.startswith(table.rstrip("\n"))
