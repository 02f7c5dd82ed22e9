"""Processes joined by JAX: shared work, barriers, agreed stops and exits."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tiny_experiment
from safetensors.numpy import load_file
from workdir_files import assert_same_weights, has_reached, read_log

from cpcnn_jax.distributed import multihost

# --- the module alone

PROGRAM = """
import json, os, signal, sys, time
import numpy as np
from cpcnn_jax.distributed import data_parallel, multihost
from cpcnn_jax.training import checkpoint

port, count, number, folder = int(sys.argv[1]), *map(int, sys.argv[2:4]), sys.argv[4]
assert multihost.process_rank() == (0, 1)
assert multihost.initialize(f"127.0.0.1:{port}", count, number)
with multihost.agreed_stop() as stop:
    result = {"rank": multihost.process_rank(), "main": multihost.is_main()}
    with multihost.main_first("file"):
        if multihost.is_main():
            time.sleep(1)
            open(f"{folder}/written", "w").close()
        assert os.path.exists(f"{folder}/written")
    result["share"] = multihost.local_share(range(10, 15))
    own = [{"of": i, "x": i / 3} for i in result["share"] if i is not None]
    result["gathered"] = multihost.gather(own)

    strategy = data_parallel.jit_strategy()
    rows = np.arange(8.0, dtype=np.float32).reshape(count, -1)[number]
    step = strategy.wrap(
        lambda state, data, x, n: (state + data * (x**2).sum(), x.mean() + n)
    )
    state, mean = step(
        strategy.place_state(np.float32(1)),
        strategy.place_data(np.float32(1)),
        strategy.place_examples(rows[None]),
        np.float32(0),
    )
    result["step"] = float(state), float(mean), strategy.num_devices
    twice = strategy.compile_local(lambda state, batch: state * batch)
    state = strategy.place_local(np.float32(2))
    result["local"] = np.asarray(twice(state, rows)).tolist()
    try:
        data_parallel.pmap_strategy()
    except ValueError as error:
        result["pmap"] = str(error)

    saved = checkpoint.Checkpoints(folder, "stage")
    for calls in range(1, 2000):
        if calls == 7:  # JAX polls for the signal between a save and the next call
            saved.save(1, {"x": np.ones(2)})
            if number == count - 1:
                os.kill(os.getpid(), signal.SIGINT)
            time.sleep(2)
        if stop():
            break
        time.sleep(0.01)
    saved.close()
    result["stopped"] = calls, stop()
    print(json.dumps(result))
"""


def test_processes_share_work_and_stop_together(tmp_path):
    port = str(tiny_experiment.free_port())
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, port, "2", str(number), tmp_path],
            cwd=tiny_experiment.ROOT,
            env=tiny_experiment.environment(devices=2),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    ended = tiny_experiment.ends(processes, timeout=100)
    assert [status for status, _, _ in ended] == [0, 0], ended
    one, other = (json.loads(out.splitlines()[-1]) for _, out, _ in ended)
    assert (one["rank"], other["rank"]) == ([0, 2], [1, 2])
    assert (one["main"], other["main"]) == (True, False)
    assert (one["share"], other["share"]) == ([10, 12, 14], [11, 13, None])
    expected = [{"of": i, "x": i / 3} for i in range(10, 15)]  # in order, and exact
    assert one["gathered"] == other["gathered"] == expected
    assert one["step"] == other["step"] == [1 + 140, 3.5, 4]  # 0 + 1 + 4 ... + 49
    assert one["local"] + other["local"] == [0, 2, 4, 6, 8, 10, 12, 14]
    assert "--parallel=pmap is for one process, and there are 2" in one["pmap"]
    assert one["stopped"] == other["stopped"] == [one["stopped"][0], signal.SIGTERM]
    assert 7 <= one["stopped"][0] < 1999


ALONE = """
import numpy as np
from cpcnn_jax.distributed import multihost

assert not multihost.initialize(%s)
assert multihost.process_rank() == (0, 1) and multihost.is_main()
assert multihost.local_share([3, 5]) == [3, 5]
rows = [{"x": np.float32(1)}]
assert multihost.gather(rows) is rows
with multihost.main_first("here"):
    multihost.barrier("there")
"""


def run_program(program, **variables):
    """Runs a program in a new process, where JAX is not initialized yet."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=tiny_experiment.ROOT,
        env=tiny_experiment.environment(devices=1) | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_functions_have_no_effect_in_a_single_process():
    task = {  # variables of SLURM
        f"SLURM_{name}": "2"
        for name in ("JOB_ID", "STEP_NODELIST", "NTASKS", "PROCID", "LOCALID")
    }
    for arguments, variables in (("", {}), ("num_processes=1", task)):
        ended = run_program(ALONE % arguments, **variables)
        assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("a:1", 2, None), "belong together: --process_id is missing"),
        ((None, None, 1), "together: --coordinator and --num_processes is missing"),
        (("a", 2, 0), "--coordinator=a must be HOST:PORT of process 0"),
        ((":80", 2, 0), "--coordinator=:80 must be HOST:PORT"),
        (("a:1", 2, 2), "--process_id=2 must be from 0 to 1, of --num_processes=2"),
    ],
)
def test_invalid_arguments_raise_value_error(arguments, text):
    with pytest.raises(ValueError, match=text):
        multihost.initialize(*arguments)


def test_incomplete_job_environment_raises_value_error():
    program = "from cpcnn_jax.distributed import multihost; multihost.initialize()"
    ended = run_program(program, JAX_COORDINATOR_ADDRESS="127.0.0.1:1")
    text = "cannot join the other processes: Number of processes must be defined"
    assert f"ValueError: {text}" in ended.stderr


# --- a run of several processes


def read_names(workdir):
    """The first column of predictions.csv."""
    lines = (workdir / "predictions.csv").read_text().splitlines()
    return [line.split(",")[0] for line in lines]


@pytest.mark.nightly
def test_two_processes_train_the_same_weights_as_one(whole, tmp_path):
    """Files and output come from the main process only."""
    workdir = tmp_path / "run"
    flags = (tiny_experiment.CONFIG, f"--workdir={workdir}")
    with tiny_experiment.several(2, *flags, devices=1) as processes:
        main, other = tiny_experiment.ends(processes)
    (status, out, err), (other_status, other_out, _) = main, other
    assert (status, other_status) == (0, 0), err
    printed = [line for line in other_out.splitlines() if "[Gloo]" not in line]
    assert "MAE" in out and not printed
    assert_same_weights(workdir, whole[0])
    logs = [
        [line for line in read_log(run) if "loss" in line]
        for run in (workdir, whole[0])
    ]
    for one, other in zip(*logs, strict=True):
        assert (one["stage"], one["step"]) == (other["stage"], other["step"])
        np.testing.assert_allclose(one["loss"], other["loss"], rtol=1e-4)
    metrics, expected = (
        json.loads((run / "metrics.json").read_text()) for run in (workdir, whole[0])
    )
    assert metrics["num_images"] == expected["num_images"] == 3
    np.testing.assert_allclose(metrics["mae"], expected["mae"], rtol=1e-4)
    assert read_names(workdir) == read_names(whole[0])


@pytest.mark.long
@pytest.mark.skipif(
    not shutil.which("mpirun"), reason="mpirun of openmpi-bin is missing"
)
def test_two_open_mpi_processes_equal_one_process_to_the_last_bit(tmp_path):
    """With microbatches no sum depends on the number of processes.

    Each process has four devices, since XLA splits sums over a process's threads.
    """
    alone, joined = tmp_path / "alone", tmp_path / "joined"
    flags = (*tiny_experiment.BRIEF, "--config.deterministic_microbatch=1")
    assert tiny_experiment.launch(*flags, f"--workdir={alone}", devices=4)[0] == 0
    mpirun = ("mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2")
    flags += (f"--workdir={joined}",)
    with tiny_experiment.start(*flags, devices=4, under=mpirun) as process:
        status, _, err = tiny_experiment.ends([process])[0]
    assert status == 0, err
    assert len(json.loads((joined / "environment.json").read_text())["devices"]) == 8
    one, other = (load_file(run / "weights.safetensors") for run in (alone, joined))
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


def test_processes_with_different_configurations_end(tmp_path):
    """Each ends with the reason, or with the message that another process ended."""
    flags = (tiny_experiment.CONFIG, f"--workdir={tmp_path / 'run'}")
    with tiny_experiment.several(2, *flags, devices=1) as processes:
        processes[1].kill()
        processes[1].communicate()
        main = processes[0]
        port = next(w for w in main.args if w.startswith("--coordinator"))
        more = (port, "--num_processes=2", "--process_id=1", "--config.seed=1")
        with tiny_experiment.start(*flags, *more, devices=1) as other:
            status, _, err = tiny_experiment.ends([other], timeout=100)[0]
        assert status == 1
        assert "is of process 0 and says that config.seed was 0, now 1" in err
        assert "(process 1 of 2; if another" in err and "Traceback" not in err
        status, _, err = tiny_experiment.ends([main], timeout=100)[0]
        assert status != 0 and "Traceback" not in err


SLOW = """
import runpy, sys, time
from cpcnn_jax.training import workdir

claim = workdir.claim_workdir
workdir.claim_workdir = lambda *args, **more: (time.sleep(35), claim(*args, **more))
sys.argv = sys.argv[2:]
runpy.run_path("launch.py", run_name="__main__")
"""


@pytest.mark.long
def test_processes_wait_for_a_slow_disk_of_process_0(tmp_path):
    """Gloo waits for 30 seconds only where processes open their connections."""
    steps = "--config.density.steps=2"
    flags = (*tiny_experiment.BRIEF, steps, f"--workdir={tmp_path / 'run'}")
    flags += (f"--coordinator=127.0.0.1:{tiny_experiment.free_port()}",)
    flags += ("--num_processes=2",)
    slow = (sys.executable, "-c", SLOW)
    with (
        tiny_experiment.start(*flags, "--process_id=0", devices=2, under=slow) as main,
        tiny_experiment.start(*flags, "--process_id=1", devices=2) as other,
    ):
        ended = tiny_experiment.ends([main, other])
    assert [status for status, _, _ in ended] == [0, 0], ended


def wait(processes, condition):
    """Waits for a condition while the first process runs; shows why it has ended."""
    while not condition() and processes[0].poll() is None:
        time.sleep(0.02)
    if processes[0].poll() is not None:
        time.sleep(5)  # for the last lines of the others
        for process in processes:
            process.kill()
        ended = tiny_experiment.ends(processes)
        pytest.fail("\n".join(f"{status}: {err}" for status, _, err in ended))


@pytest.mark.long
def test_run_resumes_after_a_killed_process_and_after_sigterm(brief, tmp_path):
    """SIGKILL to one of four processes, SIGTERM to one, then two processes finish."""
    workdir = tmp_path / "run"
    flags = (*tiny_experiment.BRIEF, f"--workdir={workdir}")
    with tiny_experiment.several(4, *flags, devices=2) as processes:
        wait(processes, lambda: has_reached(workdir, 2))
        processes[2].kill()
        start = time.monotonic()
        ended = tiny_experiment.ends(processes, timeout=2 * multihost.HEARTBEAT)
        assert time.monotonic() - start < 2 * multihost.HEARTBEAT
    assert ended.pop(2)[0] == -signal.SIGKILL
    for status, _, err in ended:
        assert status not in (0, -signal.SIGKILL) and "Traceback" not in err
        assert re.search("another (process|task)", err), err
    assert not (workdir / "weights.safetensors").exists()

    with tiny_experiment.several(4, *flags, devices=2) as processes:
        wait(processes, lambda: has_reached(workdir, 5))
        processes[3].send_signal(signal.SIGTERM)
        ended = tiny_experiment.ends(processes)
    assert [status for status, _, _ in ended] == [128 + signal.SIGTERM] * 4
    assert re.search(r"SIGTERM: stopped (after step \d|in the)", ended[0][2])
    assert "To resume: python launch.py " in ended[0][2]
    assert not any("stopped" in err for _, _, err in ended[1:])

    with tiny_experiment.several(2, *flags, devices=4) as processes:
        ended = tiny_experiment.ends(processes)
    assert [status for status, _, _ in ended] == [0, 0]
    assert_same_weights(workdir, brief)
