"""Atomic writes to files, links, pipes and devices."""

import io
import os
import stat
import subprocess
import sys

import numpy as np
import pytest

from cpcnn_jax.io import atomic_write


def test_existing_file_is_replaced(tmp_path):
    file = tmp_path / "a.json"
    for data in (b"one", b"two"):
        atomic_write.write_atomic(file, data)
        assert file.read_bytes() == data
    assert list(tmp_path.iterdir()) == [file]


def test_full_disk_leaves_the_previous_file(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    file.write_bytes(b"old")

    def open_on_full_disk(path, mode):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_write, "open", open_on_full_disk, raising=False)
    with pytest.raises(OSError, match="No space left on device: '.*a.json'"):
        atomic_write.write_atomic(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_path_inside_a_file_raises_not_a_directory(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file/a.json"):
        atomic_write.write_atomic(tmp_path / "file" / "a.json", b"")


def test_failed_write_leaves_the_previous_file(tmp_path):
    file = tmp_path / "map.npy"
    file.write_bytes(b"old")
    with pytest.raises(OSError, match="5 requested and 3 written: '.*map.npy'"):
        with atomic_write.open_atomic(file) as temporary:
            temporary.write(b"new")
            raise OSError("5 requested and 3 written")  # numpy's text
    with pytest.raises(KeyboardInterrupt), atomic_write.open_atomic(file):
        raise KeyboardInterrupt
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_json_and_csv_end_in_a_newline(tmp_path):
    atomic_write.write_json(tmp_path / "a.json", {"a": [1, None]})
    expected = '{\n  "a": [\n    1,\n    null\n  ]\n}\n'
    assert (tmp_path / "a.json").read_text() == expected
    atomic_write.write_csv(tmp_path / "a.csv", [("x", "y"), (1.5, 'a,"b')])
    assert (tmp_path / "a.csv").read_bytes() == b'x,y\n1.5,"a,""b"\n'


@pytest.mark.parametrize("target", ["shared/t.csv", "gone/../shared/new.csv", "hop"])
def test_link_stays_and_the_file_behind_it_is_replaced(tmp_path, target):
    for folder in ("shared", "gone"):
        (tmp_path / folder).mkdir()
    (tmp_path / "shared" / "t.csv").write_text("old")
    (tmp_path / "hop").symlink_to("shared/t.csv")
    link = tmp_path / "latest.csv"
    link.symlink_to(target)
    atomic_write.write_atomic(link, b"new")
    assert link.is_symlink() and (tmp_path / target).read_bytes() == b"new"
    assert (tmp_path / "hop").is_symlink()
    assert len(list((tmp_path / "shared").iterdir())) == 1 + ("new" in target)


def test_output_over_an_input_is_refused(tmp_path):
    file, link = tmp_path / "a.csv", tmp_path / "link"
    file.write_text("old")
    link.symlink_to(file)
    for path, inputs in ((file, [file]), (link, [tmp_path, file]), (file, [str(link)])):
        with pytest.raises(ValueError, match=f"{path} is an input: write the results"):
            atomic_write.check_not_input(path, inputs)
    atomic_write.check_not_input(tmp_path / "b.csv", [file, tmp_path / "b.csv"])
    atomic_write.check_not_input("/dev/null", ["/dev/null"])


@pytest.mark.parametrize("through_link", [False, True])
def test_fifo_stays_and_its_reader_gets_the_content(tmp_path, through_link):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    (tmp_path / "link").symlink_to(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_write.open_atomic(tmp_path / "link" if through_link else fifo) as file:
        np.save(file, np.arange(3))  # needs a file that seeks
    assert stat.S_ISFIFO(fifo.lstat().st_mode)
    array = np.load(io.BytesIO(os.read(reader, 1 << 16)))
    os.close(reader)
    assert array.tolist() == [0, 1, 2]


# No path of /dev here: a fault would replace the machine's own devices by files.
def test_own_standard_output_is_written_through(tmp_path, capfd):
    (tmp_path / "out").symlink_to("/proc/self/fd/1")
    print("before")
    atomic_write.write_atomic(tmp_path / "out", b"table\n")
    print("after")
    assert capfd.readouterr().out == "before\ntable\nafter\n"
    assert (tmp_path / "out").is_symlink()


def test_device_is_written_through(tmp_path):
    master, slave = os.openpty()
    (tmp_path / "terminal").symlink_to(os.ttyname(slave))
    atomic_write.write_atomic(tmp_path / "terminal", b"table\n")
    assert os.read(master, 100) == b"table\r\n"
    assert stat.S_ISCHR(os.stat(tmp_path / "terminal").st_mode)
    os.close(master)
    os.close(slave)


def test_read_only_file_is_refused(tmp_path):
    file = tmp_path / "a.json"
    file.write_text("old")
    file.chmod(0o444)
    (tmp_path / "link").symlink_to(file)
    for path in (file, tmp_path / "link"):
        with pytest.raises(PermissionError, match=f"is read-only: '{path}'"):
            atomic_write.write_atomic(path, b"new")
    assert file.read_text() == "old"


def test_mode_and_neighbors_of_a_file_stay(tmp_path):
    file, neighbor = tmp_path / "a.json", tmp_path / "a.json.tmp"
    file.touch()
    file.chmod(0o640)
    neighbor.write_text("the user's")
    atomic_write.write_atomic(file, b"new")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert neighbor.read_text() == "the user's"
    assert sorted(tmp_path.iterdir()) == [file, neighbor]


def test_dash_is_standard_output(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    print("before")
    atomic_write.check_writable("-")
    atomic_write.write_json("-", [1])
    assert capfd.readouterr().out == "before\n[\n  1\n]\n"
    assert not list(tmp_path.iterdir())


def test_reader_that_closed_the_pipe_is_no_error():
    program = (
        "import sys; sys.stdin.read()\n"
        "from cpcnn_jax.io import atomic_write\n"
        "atomic_write.write_atomic('-', bytes(10**6))\n"
        "print('worked on', file=sys.stderr)"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1) as process:
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == b"worked on\n"
