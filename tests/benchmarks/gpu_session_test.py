"""gpu_session.py on a CPU: its commands, limits, rates and tables."""

import json
import math
import signal
import subprocess
import sys
import time

import gpu_parts
import gpu_session
import gpu_tables
import pytest
from absl import flags as absl_flags
from gpu_parts import Part
from ml_collections import config_flags

from cpcnn_jax.config import validate

# ml_collections loads experiments in an old way.
LOADS = pytest.mark.filterwarnings("ignore:.*load_module:DeprecationWarning")
LINES = """
import json, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
(folder / "config.json").write_text('{"density": {"batch_size": 32}}')
rates = {"model_flops_per_second": 2e12, "wait_share": 0.5}
lines = [
    {"compile_seconds": 7.0, "step": 0},
    {"images_per_second": 64.0, "step": 1, **rates},
    {"images_per_second": 320.0, "step": 11, "validation_mae": 40.0, **rates},
]
with open(folder / "metrics.jsonl", "w") as file:
    for line in lines:
        print(json.dumps({"stage": "density", **line}), file=file)
    file.write('{"stage": "dens')
"""


@pytest.fixture
def flags(tmp_path, monkeypatch):
    """Flags of a session of short parts, with an output folder."""
    monkeypatch.setattr(gpu_session, "SHORTEST", 0)
    parsed = gpu_session.parse(["--out", str(tmp_path / "out")])
    gpu_parts.runs_folder(parsed).mkdir(parents=True)
    return parsed


def part(name, program, *words, limit=math.inf, **options):
    return Part(name, ["-c", program, *map(str, words)], limit, **options)


def session(flags, monkeypatch, *parts):
    """Ends of the parts by name, and the table."""
    monkeypatch.setattr(gpu_session, "plan", lambda flags: list(parts))
    rows = gpu_session.run_session(flags)
    stored = json.loads((flags.out / "session.json").read_text())
    assert stored["parts"] == rows
    ends = {name: row["end"] for name, row in rows.items()}
    return ends, (flags.out / "table.md").read_text()


# --- rates ---


def test_rates_are_those_of_the_later_half_by_hand():
    def line(step, rate, wait=0.0):
        flops = 5 * rate
        rates = {"images_per_second": rate, "model_flops_per_second": flops}
        return {"step": step, "wait_share": wait, **rates}

    lines = [
        {"step": 0, "compile_seconds": 9.0},
        line(10, 1.0, wait=0.5),  # from step 9 on: 4 images in 4 s
        {"step": 10, "compile_seconds": 2.0},  # a later start
        line(30, 40.0, wait=0.1),  # 80 images in 2 s
        line(50, 80.0, wait=0.4),  # 80 images in 1 s
    ]
    row = gpu_tables.stage_rates(lines, batch_size=4)
    assert row["images"] == 200 and row["compile_seconds"] == 9.0
    assert row["images_per_second"] == pytest.approx(160 / 3)
    assert row["model_flops_per_second"] == pytest.approx(5 * 160 / 3)
    assert row["wait_share"] == pytest.approx((0.1 * 2 + 0.4 * 1) / 3)
    assert row["wait_seconds"] == pytest.approx(0.5 * 4 + 0.1 * 2 + 0.4 * 1)


def test_stage_that_ends_in_its_compilation_has_no_rate():
    lines = [{"step": 0, "compile_seconds": 9.0}]
    row = gpu_tables.stage_rates(lines, batch_size=4)
    assert row == {"images": 0, "compile_seconds": 9.0}
    table = gpu_tables.stage_table({"run": {"stages": {"gce": row}}})
    assert "| run | gce | 0 |  |  |  |  |  | 9.0 |" in table


def test_tables_hold_the_scores_of_complete_and_interrupted_runs():
    scores = {"mae": 73.6, "rmse": 106.4, "psnr": 21.72, "ssim": 0.72}
    done = {"stages": {}, "scores": scores, "crops": 7, "validation_mae": 70.04}
    cut = {"stages": {}, "scores": {}, "crops": 6, "validation_mae": 90.0}
    table = gpu_tables.score_table({"done": done, "cut": cut, "gce": {"stages": {}}})
    assert "| done | 7 | 70.0 | 73.6 | 106.4 | 21.72 | 0.720 |" in table
    assert table.endswith("| cut | 6 | 90.0 |  |  |  |  |")


# --- limits ---


def test_part_that_reaches_its_limit_leaves_its_rows(flags, monkeypatch):
    folder = gpu_parts.runs_folder(flags) / "long"
    long = part("long", LINES + "time.sleep(600)", folder, limit=6)
    ends, table = session(flags, monkeypatch, long, part("next", "print(1)"))
    assert ends == {"long": "cut off after 4 s", "next": "complete"}
    # Step 1: 32 images at 64 a second; then 320 at 320: 1.5 s, half of them waiting.
    assert "| long | density | 352 | 320 | 2 | 6.25 | 0.5000 | 0.8 | 7.0 |" in table
    assert "| long | 352 | 40.0 |  |  |  |  |" in table
    row = json.loads((flags.out / "session.json").read_text())["parts"]["long"]
    assert row["limit"] == 6 and 4 <= row["seconds"] < 6


def test_part_that_ignores_the_signal_is_killed_with_its_children(flags, monkeypatch):
    program = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) < 3:
    subprocess.Popen([sys.executable, *sys.orig_argv[1:], "child"])
    time.sleep(600)
time.sleep(5)
open(sys.argv[1], "w")
"""
    mark = flags.out / "mark"
    deaf = part("deaf", program, mark, limit=3)
    wait = part("wait", "import time; time.sleep(4)")
    ends, _ = session(flags, monkeypatch, deaf, wait)
    assert ends == {"deaf": "cut off after 2 s", "wait": "complete"}
    assert not mark.exists()


def test_failure_is_named_and_the_others_go_on(flags, monkeypatch):
    failing = part("failing", "import sys; sys.exit('launch.py: no images\\n  img/')")
    absent = part("absent", "", missing="/data/ShanghaiTech")
    ends, table = session(flags, monkeypatch, failing, absent, part("last", ""))
    assert ends == {
        "failing": "failed: launch.py: no images",
        "absent": "left out: /data/ShanghaiTech does not exist",
        "last": "complete",
    }
    assert "| absent | left out: /data/ShanghaiTech does not exist |  |  |" in table


def test_later_session_runs_what_is_not_complete(flags, monkeypatch):
    count = "import sys; open(sys.argv[1], 'a').write('x')"
    file = flags.out / "count"
    done, failed = part("done", count, file), part("failed", count + "; exit(1)", file)
    session(flags, monkeypatch, done, failed)
    ends, _ = session(flags, monkeypatch, done, failed, part("new", ""))
    assert file.read_text() == "xxx"
    assert ends["done"] == ends["new"] == "complete"


def test_time_is_kept_for_the_shared_backbone(flags, monkeypatch):
    limits = {}

    def record(part, limit, folder):
        limits[part.name] = limit
        return {"end": "complete"}

    monkeypatch.setattr(gpu_session, "run_part", record)
    monkeypatch.setattr(gpu_session, "SHORTEST", 30)
    flags.seconds = 320.0
    parts = part("a", "", limit=100), part("c", ""), part("shared_backbone", "")
    session(flags, monkeypatch, *parts)
    assert limits["a"] == 100
    assert limits["c"] == pytest.approx(120, abs=5)
    assert limits["shared_backbone"] == pytest.approx(320, abs=5)
    flags.seconds = 29.0
    ends, _ = session(flags, monkeypatch, part("late", ""))
    assert ends["late"] == "not started: 29 s were left"


def test_stopped_session_stops_its_part(flags):
    program = f"""
import sys
sys.path.insert(0, {str(gpu_parts.ROOT / "benchmarks")!r})
import gpu_session
"""
    started = flags.out / "started"
    sleep = f"open({str(started)!r}, 'w').write('x'); import time; time.sleep(600)"
    program += f"""
sleep = gpu_session.Part("sleep", ["-c", {sleep!r}], 500)
gpu_session.plan = lambda flags: [sleep]
gpu_session.main()
"""
    words = [sys.executable, "-c", program, "--out", str(flags.out)]
    with subprocess.Popen(words) as process:
        while not started.exists() and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    parts = json.loads((flags.out / "session.json").read_text())["parts"]
    assert parts["sleep"]["end"] == "running"


# --- commands ---


@pytest.fixture
def data(tmp_path):
    """Flags with all files that the parts need."""
    for folder in ("ShanghaiTech", "UCF_CC_50"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    (tmp_path / "vgg16").touch()
    words = f"--out={tmp_path} --data={tmp_path}/data --vgg16={tmp_path}/vgg16"
    return gpu_session.parse(words.split())


def experiment(part):
    """The experiment of a part's command line, checked."""
    own = absl_flags.FlagValues()
    config = config_flags.DEFINE_config_file(
        "config", flag_values=own, sys_argv=part.words, lock_config=True
    )
    own(part.words, known_only=True)
    validate.check_experiment(config.value)
    return config.value


@LOADS
def test_commands_of_the_ablation_are_experiments(data, monkeypatch):
    monkeypatch.chdir(gpu_parts.ROOT)
    monkeypatch.syspath_prepend(str(gpu_parts.ROOT))
    data.parts = "c"
    parts = {part.name: part for part in gpu_parts.plan(data)}
    rows = {name: experiment(part) for name, part in parts.items()}
    assert list(rows)[:5] == ["a_row1", "a_row3", "a_row4", "a_row2", "b"]
    for name, row in rows.items():
        assert not parts[name].missing and row.compute_dtype == "bfloat16"
        crops = row.density.steps * row.density.batch_size
        assert crops >= 100_000 if name != "a_row4" else crops == 0
    flags_of = {
        name: (row.model.use_gce, row.model.use_lce, row.model.use_fcnn)
        for name, row in rows.items()
    }
    assert flags_of["a_row1"] == (False, False, False)
    assert flags_of["a_row2"] == (True, False, True)
    assert flags_of["a_row3"] == flags_of["a_row4"] == (True, True, True)
    without = {name for name, row in rows.items() if not row.adversary.steps}
    assert without == {"a_row1", "a_row2", "a_row3"}
    # The fourth row starts from the networks of the third.
    workdir = next(x for x in parts["a_row3"].words if x.startswith("--workdir"))
    assert workdir == f"--workdir={rows['a_row4'].init_from}"
    assert [rows[f"ucf_fold{n}"].data.fold for n in range(1, 6)] == [1, 2, 3, 4, 5]


@LOADS
def test_last_part_is_the_shared_backbone(data, monkeypatch):
    monkeypatch.chdir(gpu_parts.ROOT)
    monkeypatch.syspath_prepend(str(gpu_parts.ROOT))
    part = gpu_parts.plan(data)[-1]
    assert part.name == "shared_backbone" and not part.missing
    chosen = experiment(part)
    assert list(chosen.stages()) == ["joint"] and chosen.data.part == "AB"
    assert chosen.joint.pretrained_vgg16 == str(data.vgg16)


@LOADS
@pytest.mark.parametrize("with_data", [False, True])
def test_throughput_is_of_all_stages_twice(data, monkeypatch, with_data):
    monkeypatch.chdir(gpu_parts.ROOT)
    monkeypatch.syspath_prepend(str(gpu_parts.ROOT))
    data.parts, data.data = "a", data.data if with_data else data.out / "absent"
    cold, warm = gpu_parts.plan(data)
    assert experiment(cold) == experiment(warm)  # the same programs
    for name, stage in experiment(cold).stages().items():
        assert stage.steps >= 100, name
    kind = "ShanghaiTech" if with_data else "SyntheticCrowd"
    assert type(experiment(cold).data).__name__ == kind


def test_absent_files_are_named(data):
    data.vgg16.unlink()
    data.parts = "c"
    missing = {part.name: part.missing for part in gpu_parts.plan(data)}
    assert missing["a_row1"] == "" and missing["a_row2"] == str(data.vgg16)


@pytest.mark.long
def test_training_that_reaches_its_limit_leaves_its_rates(tmp_path, monkeypatch):
    """The first part, with the smallest networks and more steps than its time."""
    smallest = tmp_path / "smallest.py"
    smallest.write_text(f"""
import sys
sys.path.insert(0, {str(gpu_parts.ROOT / "tests/support")!r})
import tiny_experiment
def get_config():
    experiment = tiny_experiment.get_config()
    experiment.model.use_gce = experiment.model.use_lce = False
    return experiment
""")
    monkeypatch.setattr(gpu_parts, "SYNTHETIC", str(smallest))
    fields = ["density.steps=20000", "checkpoint_every=20000"]
    monkeypatch.setattr(gpu_parts, "THROUGHPUT", fields)
    monkeypatch.setattr(gpu_session, "plan", lambda flags: gpu_parts.plan(flags)[:1])
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    words = f"--out={tmp_path} --parts=a --seconds=60"
    monkeypatch.setattr(sys, "argv", ["gpu_session.py", *words.split()])
    gpu_session.main()
    session = json.loads((tmp_path / "session.json").read_text())
    assert session["parts"]["throughput_cold"]["end"] == "cut off after 45 s"
    row = session["runs"]["throughput_cold"]["stages"]["density"]
    assert row["images"] >= 8 and row["images_per_second"] > 0
    assert 0 < row["compile_seconds"] < 45 and 0 <= row["wait_share"] <= 1
    log = (tmp_path / "runs/throughput_cold.log").read_text()
    assert "SIGTERM: stopped after step" in log and "To resume: " in log
