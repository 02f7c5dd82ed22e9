"""Real processes, joined by JAX: what they share, where they wait, how they end."""

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
from workdir_files import logged, reached, same_weights

from cpcnn_jax.distributed import multihost

# --- the room alone

PROGRAM = """
import json, os, signal, sys, time
import numpy as np
from cpcnn_jax import checkpoint, parallel, processes

port, count, number, folder = int(sys.argv[1]), *map(int, sys.argv[2:4]), sys.argv[4]
assert multihost.host() == (0, 1)
assert multihost.join(f"127.0.0.1:{port}", count, number)
with multihost.agreed_stop() as stop:
    said = {"host": multihost.host(), "main": multihost.is_main()}
    with multihost.main_first("file"):
        if multihost.is_main():
            time.sleep(1)
            open(f"{folder}/written", "w").close()
        assert os.path.exists(f"{folder}/written")
    said["share"] = multihost.share(range(10, 15))
    found = [{"of": i, "x": i / 3} for i in said["share"] if i is not None]
    said["gathered"] = multihost.gather(found)

    strategy = parallel.jit_strategy()
    rows = np.arange(8.0, dtype=np.float32).reshape(count, -1)[number]
    step = strategy.wrap(lambda state, batch: (state + (batch**2).sum(), batch.mean()))
    state, mean = step(strategy.place_state(np.float32(1)), strategy.place_batch(rows))
    said["step"] = float(state), float(mean), strategy.num_devices
    twice = strategy.answers(lambda state, batch: state * batch, np.float32(2))
    said["answers"] = np.asarray(twice(rows)).tolist()
    try:
        parallel.pmap_strategy()
    except ValueError as error:
        said["pmap"] = str(error)

    saved = checkpoint.Checkpoints(folder, "stage")
    for calls in range(1, 2000):
        if calls == 7:  # between a save and the next call, where JAX soon looks
            saved.save(1, {"x": np.ones(2)})
            if number == count - 1:
                os.kill(os.getpid(), signal.SIGINT)
            time.sleep(2)
        if stop():
            break
        time.sleep(0.01)
    saved.close()
    said["stopped"] = calls, stop()
    print(json.dumps(said))
"""


def test_processes_share_wait_and_stop_together(tmp_path):
    port = str(tiny_experiment.free_port())
    ours = [
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
    ended = tiny_experiment.ends(ours, timeout=100)
    assert [status for status, _, _ in ended] == [0, 0], ended
    one, other = (json.loads(out.splitlines()[-1]) for _, out, _ in ended)
    assert (one["host"], other["host"]) == ([0, 2], [1, 2])
    assert (one["main"], other["main"]) == (True, False)
    assert (one["share"], other["share"]) == ([10, 12, 14], [11, 13, None])
    whole = [{"of": i, "x": i / 3} for i in range(10, 15)]  # in order, and exact
    assert one["gathered"] == other["gathered"] == whole
    assert one["step"] == other["step"] == [1 + 140, 3.5, 4]  # 0 + 1 + 4 ... + 49
    assert one["answers"] + other["answers"] == [0, 2, 4, 6, 8, 10, 12, 14]
    assert "--parallel=pmap is for one process, and there are 2" in one["pmap"]
    assert one["stopped"] == other["stopped"] == [one["stopped"][0], signal.SIGTERM]
    assert 7 <= one["stopped"][0] < 1999


ALONE = """
import numpy as np
from cpcnn_jax.distributed import multihost

assert not multihost.join(%s)
assert multihost.host() == (0, 1) and multihost.is_main()
assert multihost.share([3, 5]) == [3, 5]
rows = [{"x": np.float32(1)}]
assert multihost.gather(rows) is rows
with multihost.main_first("here"):
    multihost.wait("there")
"""


def alone(program, **variables):
    """A process of its own: in this one JAX computes already."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=tiny_experiment.ROOT,
        env=tiny_experiment.environment(devices=1) | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_process_alone_does_nothing():
    task = {  # of SLURM's
        f"SLURM_{name}": "2"
        for name in ("JOB_ID", "STEP_NODELIST", "NTASKS", "PROCID", "LOCALID")
    }
    for words, variables in (("", {}), ("num_processes=1", task)):
        ended = alone(ALONE % words, **variables)
        assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (("a:1", 2, None), "belong together: --process_id is missing"),
        ((None, None, 1), "together: --coordinator and --num_processes is missing"),
        (("a", 2, 0), "--coordinator=a must be HOST:PORT of process 0"),
        ((":80", 2, 0), "--coordinator=:80 must be HOST:PORT"),
        (("a:1", 2, 2), "--process_id=2 must be from 0 to 1, of --num_processes=2"),
    ],
)
def test_what_cannot_be_joined(given, text):
    with pytest.raises(ValueError, match=text):
        multihost.initialize(*given)


def test_a_cluster_that_says_too_little():
    program = "from cpcnn_jax.distributed import multihost; multihost.join()"
    ended = alone(program, JAX_COORDINATOR_ADDRESS="127.0.0.1:1")
    text = "cannot join the other processes: Number of processes must be defined"
    assert f"ValueError: {text}" in ended.stderr


# --- a run of several


def names(workdir):
    """The first column of predictions.csv."""
    lines = (workdir / "predictions.csv").read_text().splitlines()
    return [line.split(",")[0] for line in lines]


@pytest.mark.long
def test_two_processes_learn_what_one_does(whole, tmp_path):
    """And of what is written once, nothing is written twice."""
    workdir = tmp_path / "run"
    words = (tiny_experiment.CONFIG, f"--workdir={workdir}")
    with tiny_experiment.several(2, *words, devices=1) as ours:
        (status, out, err), (other_status, other_out, _) = tiny_experiment.ends(ours)
    assert (status, other_status) == (0, 0), err
    said = [line for line in other_out.splitlines() if "[Gloo]" not in line]
    assert "MAE" in out and not said
    same_weights(workdir, whole[0])
    for one, other in zip(logged(workdir), logged(whole[0]), strict=True):
        assert (one["stage"], one["step"]) == (other["stage"], other["step"])
        np.testing.assert_allclose(one["loss"], other["loss"], rtol=1e-4)
    found, expected = (
        json.loads((run / "metrics.json").read_text()) for run in (workdir, whole[0])
    )
    assert found["num_images"] == expected["num_images"] == 3
    np.testing.assert_allclose(found["mae"], expected["mae"], rtol=1e-4)
    assert names(workdir) == names(whole[0])


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("mpirun"), reason="no mpirun: openmpi-bin has it")
def test_open_mpi_starts_what_is_one_process_to_the_last_bit(tmp_path):
    """In units no sum depends on who computes it (`gradients`).

    Each process has four devices, since XLA divides a sum by a process's threads.
    """
    alone, joined = tmp_path / "alone", tmp_path / "joined"
    words = (*tiny_experiment.BRIEF, "--config.deterministic_microbatch=1")
    assert tiny_experiment.launch(*words, f"--workdir={alone}", devices=4)[0] == 0
    mpirun = ("mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2")
    with tiny_experiment.start(
        *words, f"--workdir={joined}", devices=4, under=mpirun
    ) as ours:
        status, _, err = tiny_experiment.ends([ours])[0]
    assert status == 0, err
    assert len(json.loads((joined / "environment.json").read_text())["devices"]) == 8
    one, other = (load_file(run / "weights.safetensors") for run in (alone, joined))
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


def test_processes_that_are_told_different_things(tmp_path):
    """Each ends at once and says why, or that another has ended."""
    words = (tiny_experiment.CONFIG, f"--workdir={tmp_path / 'run'}")
    with tiny_experiment.several(2, *words, devices=1) as ours:
        ours[1].kill()
        ours[1].communicate()
        port = next(w for w in ours[0].args if w.startswith("--coordinator"))
        more = (port, "--num_processes=2", "--process_id=1", "--config.seed=1")
        with tiny_experiment.start(*words, *more, devices=1) as other:
            status, _, err = tiny_experiment.ends([other], timeout=100)[0]
        assert status == 1
        assert "is of process 0 and says that config.seed was 0, now 1" in err
        assert "(process 1 of 2; if another" in err and "Traceback" not in err
        status, _, err = tiny_experiment.ends(ours[:1], timeout=100)[0]
        assert status != 0 and "Traceback" not in err


def until(process, seen):
    while not seen() and process.poll() is None:
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()


@pytest.mark.long
def test_one_of_four_is_killed_and_all_go_on(brief, tmp_path):
    """kill -9, then SIGTERM to one, then on two processes to the end."""
    workdir = tmp_path / "run"
    words = (*tiny_experiment.BRIEF, f"--workdir={workdir}")
    with tiny_experiment.several(4, *words, devices=2) as ours:
        until(ours[0], lambda: reached(workdir, 2))
        ours[2].kill()
        began = time.monotonic()
        ended = tiny_experiment.ends(ours, timeout=2 * multihost.HEARTBEAT)
        assert time.monotonic() - began < 2 * multihost.HEARTBEAT
    assert ended.pop(2)[0] == -signal.SIGKILL
    for status, _, err in ended:
        assert status not in (0, -signal.SIGKILL) and "Traceback" not in err
        assert re.search("another (process|task)", err), err
    assert not (workdir / "weights.safetensors").exists()

    with tiny_experiment.several(4, *words, devices=2) as ours:
        until(ours[0], lambda: reached(workdir, 5))
        ours[3].send_signal(signal.SIGTERM)
        ended = tiny_experiment.ends(ours)
    assert [status for status, _, _ in ended] == [128 + signal.SIGTERM] * 4
    assert re.search(r"SIGTERM: stopped (after step \d|in the)", ended[0][2])
    assert "To go on: python launch.py " in ended[0][2]
    assert not any("stopped" in err for _, _, err in ended[1:])

    with tiny_experiment.several(2, *words, devices=4) as ours:
        assert [status for status, _, _ in tiny_experiment.ends(ours)] == [0, 0]
    same_weights(workdir, brief)
