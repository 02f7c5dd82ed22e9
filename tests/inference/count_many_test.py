"""Counting with a local Ray cluster: real workers, of which some are killed."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import tiny_experiment

import cpcnn_jax as cp
from cpcnn_jax.inference import count_many
from cpcnn_jax.inference.count_files import FileCount
from cpcnn_jax.weights import serialization

CROWD = Path(__file__).parents[2] / "docs" / "crowd.jpg"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    model = tiny_experiment.get_config().model
    serialization.save(file, tiny_experiment.networks()[1], model)
    return file


@pytest.fixture
def photos(tmp_path):
    """Forty images, of which one is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(39):
        shutil.copy(CROWD, folder / f"{number:02}.jpg")
    (folder / "zebra.jpg").write_text("not an image")
    return folder


def start(*words, cwd):
    command = [sys.executable, "-m", "cpcnn_jax", "count-many", *map(str, words)]
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=tiny_experiment.environment(1),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition, process, timeout=300):
    end = time.monotonic() + timeout
    while not (found := condition()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def workers_in(cwd):
    """Numbers of the processes of Ray's workers that a run in a folder started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            worker = (folder / "cmdline").read_bytes().startswith(b"ray::_Worker")
            if worker and (folder / "cwd").readlink() == cwd:
                found.append(int(folder.name))
    return found


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_killed_run_goes_on_and_killed_worker_is_replaced(photos, weights, tmp_path):
    out, parts = tmp_path / "counts.parquet", tmp_path / "counts.parquet.parts"
    words = (photos, "--weights", weights, "--out", out, "--workers", 2)
    words += ("--shard-size", 2)
    with start(*words, cwd=tmp_path) as process:
        wait_until(lambda: [*parts.glob("*.parquet")], process)
        process.kill()
    kept = {file: file.stat().st_mtime_ns for file in parts.glob("*.parquet")}
    assert not out.exists() and 0 < len(kept) < 20
    with start(*words, cwd=tmp_path) as process:
        wait_until(lambda: len([*parts.glob("*.parquet")]) > len(kept), process)
        os.kill(wait_until(lambda: workers_in(tmp_path), process)[0], signal.SIGKILL)
        same = [file for file in kept if file.exists()]
        assert [file.stat().st_mtime_ns for file in same] == [kept[f] for f in same]
        text, errors = process.communicate(timeout=400)
    assert process.returncode == 1 and "zebra.jpg is not a " in errors, errors
    assert text == f"39 of 40 counted: {out}\n" and not parts.exists()
    table = pq.read_table(out).to_pylist()
    assert [row["file"] for row in table] == sorted(map(str, photos.iterdir()))
    expected = cp.load(weights).count(CROWD).count
    for row in table[:-1]:
        assert row["count"] == pytest.approx(expected, rel=1e-5)
        assert row["error"] is None and (row["width"], row["height"]) == (640, 480)
    assert table[-1]["count"] is None and "zebra.jpg is not a" in table[-1]["error"]


@pytest.mark.long
def test_networks_that_cannot_be_loaded_end_the_run(weights, tmp_path):
    out = tmp_path / "counts.parquet"
    words = (CROWD, "--weights", weights, "--out", out, "--tile-size", 10)
    with start(*words, cwd=tmp_path) as process:
        text, errors = process.communicate(timeout=300)
    assert process.returncode == 1 and text == "" and not out.exists()
    assert "count-many: expected tiles of at least" in errors
    assert "Traceback" not in errors


DEADLY = """
import os, sys
from pathlib import Path
from cpcnn_jax.inference import count_many
from cpcnn_jax.inference.count_files import FileCount

class Deadly(str):
    def __reduce__(self):  # ends the process that receives the name
        return os._exit, (1,)

crowd, weights, folder = sys.argv[1:]
rows = [FileCount(crowd), FileCount(Deadly("x.jpg")), FileCount(crowd)]
plan, progress = count_many.Plan(weights, "0", shard_size=1), lambda *n: print(*n)
with count_many.connect(None, 1):
    count_many.count_many(rows, plan, Path(folder), workers=1, progress=progress)
count_many.merge_shards(Path(folder), rows, plan, folder + ".parquet")
"""


@pytest.mark.nightly
def test_shard_that_kills_its_workers_gets_errors(weights, tmp_path):
    command = [sys.executable, "-c", DEADLY, CROWD, weights, tmp_path / "parts"]
    environment = tiny_experiment.environment(1)
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    first, second, third = pq.read_table(tmp_path / "parts.parquet").to_pylist()
    assert first["count"] == third["count"] > 0 and second["count"] is None
    assert second["error"] == "x.jpg: the worker died with its shard"
    lines = [line for line in done.stdout.splitlines() if "raylet" not in line]
    assert sorted(lines) == ["1 0", "1 0", "1 1"]


def test_parts_of_another_table_are_refused(tmp_path):
    rows = [FileCount("a.jpg"), FileCount("b.jpg")]
    plan = count_many.Plan("tiny", "0")
    count_many._claim_folder(tmp_path, rows, count_many.Plan("other", "9"))
    count_many._claim_folder(tmp_path, rows, plan)  # no part was written
    (tmp_path / "000000.parquet").touch()
    count_many._claim_folder(tmp_path, rows, plan)
    for other, changed, part in (
        (count_many.Plan("tiny", "0", shard_size=2), rows, "shard_size"),
        (count_many.Plan("tiny", "1"), rows, "weights_sha256"),
        (plan, rows[:1], "the list of files"),
    ):
        with pytest.raises(ValueError, match=f"another table .it differs in {part}.:"):
            count_many._claim_folder(tmp_path, changed, other)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--workers=0", "x.jpg"), "--workers: expected at least 1, got 0"),
        (("--shard-size=0", "x.jpg"), "--shard-size: expected at least 1, got 0"),
        (("--max-size=10", "x.jpg"), "--max-size: expected at least 64, got 10"),
        ((), "no images: name files or folders, or a --list"),
        (("x.jpg", "--out=no/x.parquet"), "there is no folder"),
        (("x.jpg", "--out=old.parquet"), "--out=old.parquet exists: remove it or name"),
        (("x.jpg", "--out=new.csv"), "--out=new.csv: expected a name that ends in .pa"),
        (("x.jpg", "--address=auto"), "--address: needs absolute paths"),
        (("none.jpg", "none"), "there is no file or folder none.jpg"),
    ],
)
def test_wrong_use_is_one_sentence(words, message, tmp_path, monkeypatch, capsys):
    from cpcnn_jax import __main__ as commands

    monkeypatch.chdir(tmp_path)
    Path("old.parquet").write_text("old")
    Path("x.jpg").write_text("no image")
    status = commands.main(["count-many", "--out=new.parquet", *words])
    error = capsys.readouterr().err
    assert status == 2 and message in error and error.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"old.parquet", "x.jpg"}


def test_missing_list_and_weights_are_named(tmp_path, monkeypatch, capsys):
    from cpcnn_jax import __main__ as commands

    monkeypatch.chdir(tmp_path)
    run = ["count-many", "--out=new.parquet"]
    assert commands.main([*run, "--list=none.txt"]) == 1
    assert "none.txt" in capsys.readouterr().err
    Path("x.jpg").write_text("no image")
    assert commands.main([*run, "x.jpg", "--weights=none.safetensors"]) == 1
    assert "no weights at none.safetensors" in capsys.readouterr().err
    for address in ("127.0.0.1:9", "127.0.0.1:x"):
        words = [f"--address={address}", str(tmp_path / "x.jpg")]
        assert commands.main([*run, *words]) == 1
        message = capsys.readouterr().err
        assert f"count-many: --address={address}: no Ray cluster: " in message
        assert "Traceback" not in message
    assert [path.name for path in tmp_path.iterdir()] == ["x.jpg"]
