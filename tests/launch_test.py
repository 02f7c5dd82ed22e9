"""launch.py as users run it: real processes, real signals, wrong command lines."""

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny_experiment
from PIL import Image
from safetensors.numpy import load_file
from shanghaitech_layout import annotation, image, write_part
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cpcnn_jax.training.workdir import hold_workdir

STAGES = {"gce": 2, "lce": 2, "density": 4, "adversary": 2}


def journal(workdir):
    """The lines of metrics.jsonl that hold losses."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if "loss" in line]


def refused(*words, status=1):
    """The message of launch.py for a wrong command line."""
    got, out, err = tiny_experiment.launch(*words)
    assert got == status and not out
    assert err.startswith("launch.py: ") and "Traceback" not in err
    return err.removeprefix("launch.py: ")


# --- the whole path


def test_a_run_prints_the_paths_of_its_results(whole):
    workdir, out = whole
    scores = json.loads((workdir / "metrics.json").read_text())
    assert f"MAE {scores['mae']:.1f}, RMSE {scores['rmse']:.1f}" in out
    low, high = scores["mae_interval"]
    assert f"95% interval of the MAE {low:.1f} to {high:.1f}, NAE " in out
    assert scores["test_evaluations"] == 1 and "test set scored" not in out
    for name in ("report.html", "pictures", "metrics.json", "weights.safetensors"):
        assert str(workdir / name) in out
        assert (workdir / name).exists()


def test_a_run_writes_config_and_environment(whole):
    written = json.loads((whole[0] / "config.json").read_text())
    assert written["density"]["steps"] == 4
    assert written["data"]["max_heads"] == 60
    record = json.loads((whole[0] / "environment.json").read_text())
    assert len(record["devices"]) == 8
    assert record["packages"]["jax"]
    assert re.fullmatch("[0-9a-f]{40}|unknown", record["commit"])


def test_every_step_has_a_line_in_metrics_jsonl(whole):
    lines = journal(whole[0])
    steps = [(line["stage"], line["step"]) for line in lines]
    assert steps == [(s, n) for s, last in STAGES.items() for n in range(1, last + 1)]
    for line in lines:
        assert np.isfinite(line["loss"]) and line["images_per_second"] > 0
        assert line["model_flops_per_second"] > line["images_per_second"]
    assert "crop_mae" in lines[-1] and "discriminator" in lines[-1]


def test_tensorboard_has_the_same_values(whole):
    board = EventAccumulator(str(whole[0] / "tensorboard"))
    board.Reload()
    read = [event.value for event in board.Scalars("density/loss")]
    lines = [line for line in journal(whole[0]) if line["stage"] == "density"]
    lines = [line["loss"] for line in lines]
    np.testing.assert_allclose(read, lines, rtol=1e-6)
    assert board.Tags()["images"] == ["density/crop", "adversary/crop"]
    assert len(board.Images("density/crop")) == 4


def test_scores_are_those_of_the_predictions_table(whole):
    scores = json.loads((whole[0] / "metrics.json").read_text())
    with open(whole[0] / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:3] == ["name", "count", "predicted"]
    assert scores["num_images"] == len(rows) == 3
    error = np.array([float(row["predicted"]) - float(row["count"]) for row in rows])
    np.testing.assert_allclose(scores["mae"], np.abs(error).mean())
    np.testing.assert_allclose(scores["rmse"], np.sqrt((error**2).mean()))
    for name in ("psnr", "ssim"):
        mean = np.mean([float(row[name]) for row in rows])
        np.testing.assert_allclose(scores[name], mean)


def test_pictures_are_readable_images(whole):
    pictures = sorted((whole[0] / "pictures").iterdir())
    assert len(pictures) == 2
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.size[0] > 1000
            assert np.asarray(picture).std() > 10


def test_evaluation_alone_counts_its_repetitions(whole, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(whole[0], workdir)
    (workdir / "pictures" / "009_old.png").touch()
    (workdir / "pictures" / "my_own.png").touch()
    words = (tiny_experiment.CONFIG, f"--workdir={workdir}", "--mode=evaluate")
    status, out, err = tiny_experiment.launch(*words, "--config.num_eval_images=1")
    assert status == 0, err
    assert err.count("evaluate: ") <= 3 and len(err) < 5000  # no bar in a file
    assert "\ntest set scored for the 2nd time\n" in out
    again, first = (
        json.loads((run / "metrics.json").read_text()) for run in (workdir, whole[0])
    )
    assert again == first | {"test_evaluations": 2}
    name = "predictions.csv"
    assert (workdir / name).read_text() == (whole[0] / name).read_text()
    drawn = {path.name for path in (workdir / "pictures").iterdir()} - {"my_own.png"}
    assert len(drawn) == 1 and "009_old.png" not in drawn
    assert (workdir / "pictures" / "my_own.png").exists()


def test_eval_split_validation_scores_the_validation_images(tmp_path):
    words = (
        *tiny_experiment.BRIEF,
        f"--workdir={tmp_path / 'run'}",
        "--eval_split=validation",
    )
    status, out, err = tiny_experiment.launch(*words, "--config.density.steps=2")
    assert status == 0, err
    assert "on 1 validation image;\nNAE " in out and "test set" not in out
    results = tmp_path / "run" / "validation"
    found = json.loads((results / "metrics.json").read_text())
    assert (found["split"], found["test_evaluations"]) == ("validation", 0)
    assert not (tmp_path / "run" / "metrics.json").exists()
    report = (results / "report.html").read_text()
    assert "run, validation" in report and "checkpoint_every" in report


# --- stopping and going on


def stopped(workdir, signum, *, seen):
    """Starts, sends a signal after `seen()`, and returns (exit status, stderr)."""
    with tiny_experiment.start(
        tiny_experiment.CONFIG, f"--workdir={workdir}"
    ) as process:
        while not seen() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signum)
        err = process.communicate(timeout=500)[1]
    return process.returncode, err


def test_a_repeatedly_stopped_run_ends_like_an_unbroken_one(whole, tmp_path):
    """SIGTERM, then kill -9, then SIGINT in the evaluation, then no signal."""
    workdir = tmp_path / "run"

    def reached(stage, step):
        lines = workdir / "metrics.jsonl"
        return lines.exists() and f'"{stage}", "step": {step}' in lines.read_text()

    status, err = stopped(workdir, signal.SIGTERM, seen=lambda: reached("gce", 1))
    assert status == 128 + signal.SIGTERM
    assert re.search(r"\nSIGTERM: stopped after step \d of the stage gce\.\n", err)
    status, _ = stopped(workdir, signal.SIGKILL, seen=lambda: reached("density", 2))
    assert status == -signal.SIGKILL
    weights = workdir / "weights.safetensors"
    status, err = stopped(workdir, signal.SIGINT, seen=weights.exists)
    assert status == 128 + signal.SIGINT
    assert re.search(r"SIGINT: stopped (in|before) the evaluation", err)
    assert "Traceback" not in err
    assert not (workdir / "metrics.json").exists()

    command = shlex.split(err.splitlines()[-1].removeprefix("To resume: "))
    assert command[0] == "python"
    again = subprocess.run(
        [sys.executable, *command[1:]], cwd=tiny_experiment.ROOT, check=False
    )
    assert again.returncode == 0
    same_weights(weights, whole[0] / "weights.safetensors")
    for name in ("metrics.json", "predictions.csv"):
        assert (workdir / name).read_text() == (whole[0] / name).read_text()
    losses = {(line["stage"], line["step"]): line["loss"] for line in journal(workdir)}
    assert losses == {
        (line["stage"], line["step"]): line["loss"] for line in journal(whole[0])
    }


def same_weights(one, other):
    one, other = load_file(one), load_file(other)
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


def test_a_run_fine_tunes_weights_of_another_run(whole, tmp_path):
    """The command of docs/train.md for a user's own images."""
    none = [f"--config.{name}.steps=0" for name in ("gce", "lce", "adversary")]
    workdir = tmp_path / "run"
    words = (f"--workdir={workdir}", f"--config.init_from={whole[0]}", *none)
    status, _, err = tiny_experiment.launch(tiny_experiment.CONFIG, *words)
    assert status == 0, err
    assert {line["stage"] for line in journal(workdir)} == {"density"}
    first, last = (
        load_file(path / "weights.safetensors") for path in (whole[0], workdir)
    )
    moved = {name for name in first if not np.array_equal(first[name], last[name])}
    assert moved and all(name.startswith(("dme/", "fcnn/")) for name in moved)


@pytest.mark.long
def test_pmap_trains_the_same_as_jit(tmp_path):
    """The first row of the ablation, one network."""
    words = [tiny_experiment.CONFIG, "--config.adversary.steps=0"]
    words += [f"--config.model.{n}=false" for n in ("use_gce", "use_lce")]
    for parallel in ("jit", "pmap"):
        workdir = f"--workdir={tmp_path / parallel}"
        status, _, err = tiny_experiment.launch(
            *words, workdir, f"--parallel={parallel}", devices=2
        )
        assert status == 0, err
    jit, pmap = (
        load_file(tmp_path / n / "weights.safetensors") for n in ("jit", "pmap")
    )
    assert {name.split("/")[0] for name in jit} == {"dme", "fcnn"}
    for name, value in jit.items():
        np.testing.assert_allclose(pmap[name], value, atol=1e-4, err_msg=name)


# --- words that cannot be understood


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--nonsense=1"], "Unknown command line flag 'nonsense'"),
        (
            ["--config.density.stepz=3"],
            "no field --config.density.stepz, did you mean --config.density.steps?",
        ),
        (
            ["--config.densiti.steps=3"],
            "no field --config.densiti.steps, did you mean --config.density.steps?",
        ),
        (
            ["--config.density.steps=abc"],
            "--config.density.steps=abc: expected a whole number (--help",
        ),
        (
            ["--config.density.learning_rate=abc"],
            "--config.density.learning_rate=abc: expected a number (--help",
        ),
        (
            ["--mode=score"],
            "--mode=score: value should be one of <train|evaluate>",
        ),
        (["and", "more"], "not understood: and more"),
    ],
)
def test_unknown_arguments_are_named(words, text, tmp_path):
    words = (tiny_experiment.CONFIG, f"--workdir={tmp_path / 'run'}", *words)
    err = refused(*words, status=2)
    assert text in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (None, "--config: no file .*x.py "),
        ("x = 1", "^--config=.*x.py has no function get_config "),
        (
            "import json; get_config = lambda: json.get_config()",
            "AttributeError: module 'json' has no attribute 'get_config'",
        ),
        ("def get_config(:", r"SyntaxError: invalid syntax \(x.py, line 1\)"),
        ("import no_such_module", "ModuleNotFoundError: No module named"),
        ("def get_config(): raise ValueError('mine')", "ValueError: mine"),
        ("def get_config(): return {}", "must return a cpcnn_jax.config.Experiment"),
        (
            "from cpcnn_jax import config\n"
            "def get_config(): return config.Experiment(model=None)",
            "--config.model=None must be a Model",
        ),
    ],
)
def test_an_unusable_experiment_file_is_named(source, text, tmp_path):
    path = tmp_path / "x.py"
    if source:
        path.write_text(source)
    status = 1 if "must" in text else 2  # a rule of the value
    err = refused(f"--config={path}", f"--workdir={tmp_path / 'run'}", status=status)
    assert re.search(text, err)
    assert err.count("\n") == 1 and re.search("--config[.=:]", err)
    assert not (tmp_path / "run").exists()


def test_a_file_in_a_word_of_its_own_is_named(tmp_path):
    (tmp_path / "x.py").touch()
    err = refused("--config", tmp_path / "x.py", f"--workdir={tmp_path}", status=2)
    assert err.startswith(f"--config={tmp_path}/x.py has no function get_config ")


def test_required_flags(tmp_path):
    assert "--config is missing" in refused(f"--workdir={tmp_path}", status=2)
    assert "--workdir is missing" in refused(tiny_experiment.CONFIG, status=2)


# --- sweeps and clusters


def printed(*words):
    """The output of launch.py for a correct command line; nothing is computed."""
    status, out, err = tiny_experiment.launch(tiny_experiment.CONFIG, *words)
    assert status == 0, err
    return out


def test_a_dry_run_prints_the_job_and_does_nothing(tmp_path):
    words = [f"--workdir={tmp_path / 'runs' / 'a'}", "--config.seed=3"]
    script = printed(*words, "--cluster", "slurm", "--job.nodes=2", "--dry_run")
    (line,) = re.findall("^srun .*", script, re.M)
    assert shlex.split(line)[3:] == ["launch.py", tiny_experiment.CONFIG, *words]
    assert "#SBATCH --nodes=2\n" in script
    script = printed(*words, "--cluster=slurm", "--sweep=gce.steps=1,2", "--dry_run")
    assert "#SBATCH --array=0-1\n" in script
    (line,) = re.findall(r"^1\) set -- (.*) ;;$", script, re.M)
    point = f"--workdir={tmp_path / 'runs' / 'a' / 'gce.steps=2'}"
    assert shlex.split(line) == [point, "--config.gce.steps=2"]
    pods = ["--job.image=i", "--job.claim=c", "--workdir=/runs/a", "--dry_run"]
    manifest = printed("--cluster=kubernetes", *pods)
    assert f"python launch.py {tiny_experiment.CONFIG} --workdir=/runs/a" in manifest
    assert "gke-tpu-topology" in printed("--cluster=tpu", "--job.nodes=4", *pods)
    assert not list(tmp_path.iterdir())


def test_invalid_jobs_and_sweeps_are_refused(tmp_path):
    words = (tiny_experiment.CONFIG, f"--workdir={tmp_path / 'run'}")
    err = refused(*words, "--sweep=density.stps=1,2")
    assert "--sweep: " in err and "did you mean --config.density.steps?" in err
    err = refused(*words, "--sweep=density.steps=1,two")
    assert err == "--sweep: --config.density.steps=two: expected a whole number\n"
    err = refused(*words, "--sweep=density.steps=1,-1", "--cluster=slurm")
    assert err == "--config.density.steps=-1 must be a whole number of at least 0\n"
    err = refused(*words, "--cluster=kubernetes")
    assert "--cluster=kubernetes needs --dry_run" in err
    assert "--dry_run prints the job of --cluster" in refused(*words, "--dry_run")
    err = refused(*words, "--cluster=slurm", "--job.knots=1", status=2)
    assert (
        "knots not found" in err
        and "cpcnn_jax/distributed/cluster_jobs.py has all" in err
    )
    assert "--process_id is missing" in refused(
        *words, "--coordinator=a:1", "--num_processes=2"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_a_sweep_continues_after_a_failed_point(tmp_path):
    """One process trains the points in turn and skips finished ones when restarted."""
    words = [
        *tiny_experiment.BRIEF,
        f"--workdir={tmp_path}",
        "--config.num_eval_images=0",
    ]
    words.append("--sweep=density.learning_rate=1e30,1e-3")
    status, out, err = tiny_experiment.launch(*words)
    assert status == 1 and "Traceback" not in err
    assert f"launch.py: {tmp_path}/density.learning_rate=1e30: stage density" in err
    table = out[out.index("density.learning_rate  ") :].splitlines()
    scores = json.loads(
        (tmp_path / "density.learning_rate=1e-3" / "metrics.json").read_text()
    )
    assert table[1].split()[:2] == ["1e-3", f"{scores['mae']:.2f}"]
    assert len(table) == 3 and str(tmp_path / "sweep.csv") in table[2]
    words[-1] = "--sweep=density.learning_rate=1e-3"
    assert printed(*words[1:]).splitlines() == table
    err = refused(*words, "--config.lce.steps=3")
    assert "holds another experiment (config.lce.steps was 2, now 3)" in err


# --- a configuration, a folder or a file that cannot be used


def test_an_invalid_value_writes_nothing(tmp_path):
    workdir = tmp_path / "run"
    err = refused(
        tiny_experiment.CONFIG, f"--workdir={workdir}", "--config.density.steps=-1"
    )
    assert err == "--config.density.steps=-1 must be a whole number of at least 0\n"
    assert not workdir.exists()


def test_a_corrected_value_uses_the_same_folder(tmp_path):
    words = (tiny_experiment.CONFIG, f"--workdir={tmp_path / 'run'}")
    err = refused(*words, "--config.gce.batch_size=12")
    assert "--config.gce.batch_size=12 cannot be split over 8 devices" in err
    err = refused(*words, "--config.gce.pretrained_vgg16=nowhere.safetensors")
    assert "pretrained_vgg16=nowhere.safetensors: nowhere.safetensors does not" in err
    assert "cpcnn_jax import-weights vgg16" in err


def test_the_folder_of_another_experiment_is_unchanged(whole, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(whole[0], workdir)
    before = {p: p.stat().st_mtime_ns for p in workdir.rglob("*")}
    err = refused(
        tiny_experiment.CONFIG, f"--workdir={workdir}", "--config.lce.steps=3"
    )
    assert "holds another experiment (config.lce.steps was 2, now 3)" in err
    assert {p: p.stat().st_mtime_ns for p in workdir.rglob("*")} == before


def test_evaluation_without_weights(tmp_path):
    err = refused(
        tiny_experiment.CONFIG, f"--workdir={tmp_path / 'run'}", "--mode=evaluate"
    )
    assert (
        err == f"{tmp_path}/run/weights.safetensors does not exist: train first, "
        "with --mode=train\n"
    )

    assert not (tmp_path / "run").exists()


def test_a_second_process_in_one_workdir_is_refused(tmp_path):
    words = (*tiny_experiment.BRIEF, f"--workdir={tmp_path / 'run'}")
    with tiny_experiment.start(*words, "--config.density.steps=9999") as process:
        while not (tmp_path / "run" / "metrics.jsonl").exists():
            assert process.poll() is None
            time.sleep(0.02)
        before = (tmp_path / "run" / "config.json").read_text()
        err = refused(*words, "--config.density.steps=9999", "--config.log_every=7")
        assert (tmp_path / "run" / "config.json").read_text() == before
        process.kill()
        process.communicate()
    assert "run: another process trains or evaluates there: wait for its end" in err
    with hold_workdir(tmp_path / "run"):  # the kill has freed it
        pass


def test_evaluation_with_damaged_weights(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run")
    weights = tmp_path / "run" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    err = refused(
        tiny_experiment.CONFIG, f"--workdir={tmp_path / 'run'}", "--mode=evaluate"
    )
    assert f"{weights} is not a safetensors file, or is damaged" in err
    assert (tmp_path / "run" / "metrics.json").exists()


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """A small ShanghaiTech folder, and flags that use it."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    root = write_part(tmp_path / "data")
    experiment = tmp_path / "experiment.py"
    experiment.write_text(
        "import dataclasses, tiny_experiment\n"
        "from cpcnn_jax import config\n"
        "def get_config():\n"
        "    data = config.ShanghaiTech(part='A')\n"
        "    return dataclasses.replace(tiny_experiment.get_config(),\n"
        "        data=data)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "support"))
    words = (f"--config={experiment}", f"--workdir={tmp_path / 'run'}")
    return root, (*words, f"--config.data.root={root}")


def test_a_missing_data_set_names_its_download(photographs, tmp_path):
    _, words = photographs
    err = refused(*words, f"--config.data.root={tmp_path / 'none'}")
    assert f"--config.data.root={tmp_path / 'none'} is not a folder" in err
    assert "https://github.com/desenzhou/ShanghaiTechDataset" in err
    assert "train_data/" in err and "ground-truth/GT_IMG_1.mat" in err


def test_missing_test_images_are_reported_before_the_training(photographs, tmp_path):
    root, words = photographs
    shutil.rmtree(root / "part_A" / "test_data")
    assert "has no test_data folder" in refused(*words)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_damaged_images_and_annotations_are_named(photographs):
    root, words = photographs
    whole = image(root, 2).read_bytes()
    image(root, 2).write_bytes(whole[: len(whole) // 2])
    err = refused(*words)
    assert "IMG_2.jpg is not a complete JPEG or PNG image" in err
    image(root, 2).write_bytes(whole)
    annotation(root, 1).write_bytes(b"not a matrix")
    assert "GT_IMG_1.mat holds no head points" in refused(*words)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    words = [
        tiny_experiment.CONFIG,
        f"--workdir={tmp_path}/run",
        "--config.adversary.steps=0",
    ]
    words += [f"--config.model.{n}=false" for n in ("use_gce", "use_lce")]
    status, _, err = tiny_experiment.launch(
        *words, "--config.density.learning_rate=1e30"
    )
    assert status == 1 and "Traceback" not in err
    said = err[err.index("launch.py: ") :].splitlines()[0]
    wrong = (
        r"stage density, step [234]: .*(nan|inf).* is not finite, after crowd_train_"
    )
    assert re.search(wrong + r"\d{5} \(crop \d", said)
    assert re.search("; the checkpoint of step [123] is finite: ", said)
    assert "try a lower --config.density.learning_rate in another --workdir" in said
    saved = os.listdir(tmp_path / "run" / "checkpoints" / "density")
    assert saved and not any("tmp" in name for name in saved)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_one_sentence(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        status, _, err = tiny_experiment.launch(
            tiny_experiment.CONFIG, f"--workdir={disk / 'run'}"
        )
        assert status == 1
        said = err[err.index("launch.py: ") :].splitlines()[0]
        assert f"{disk}/run/checkpoints/" in said and "No space left" in said
        assert any((disk / "run" / "checkpoints" / "gce").iterdir())
        assert json.loads((disk / "run" / "config.json").read_text())
    finally:
        subprocess.run(["umount", str(disk)], check=True)
