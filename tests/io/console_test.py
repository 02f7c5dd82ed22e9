"""Standard streams whose reader has gone or whose disk is full, and Ctrl-C."""

import io
import os
import subprocess
import sys

import pytest

from cpcnn_jax import __main__
from cpcnn_jax.cli import check_data
from cpcnn_jax.io import console


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_closed_pipe_is_silent(name, monkeypatch):
    reader, writer = os.pipe()
    stream = open(writer, "w", encoding="ascii")
    monkeypatch.setattr(sys, name, stream)
    console.tolerate_closed_pipes()
    print("caf\udce9 \u4eba", file=getattr(sys, name), flush=True)
    assert os.read(reader, 100) == b"caf\\udce9 \\u4eba\n"
    os.close(reader)
    print("x" * 100_000, file=getattr(sys, name), flush=True)
    assert getattr(sys, name).fileno() == writer
    assert not getattr(sys, name).isatty()
    stream.close()


def test_closed_and_captured_streams_are_possible(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    console.tolerate_closed_pipes()
    print("nobody reads this")
    print("kept", file=sys.stderr)
    assert sys.stderr.getvalue() == "kept\n"
    sys.stdout.close()


def test_command_survives_a_closed_pipe():
    command = [sys.executable, "-m", "cpcnn_jax", "count", "--help"]
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, b"")


def test_messages_leave_standard_output_to_a_result(capsys):
    with console.redirect_messages(None, "a.json"):
        print("one")
    with console.redirect_messages(None, "-"):
        print("two")
    print("three")
    assert capsys.readouterr() == ("one\nthree\n", "two\n")


def test_full_disk_is_one_sentence():
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    command = [sys.executable, "-m", "cpcnn_jax", "explain", "--input=3x3"]
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [*command, "--kernel=3", "--stride=2"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    expected = b"the output cannot be written: No space left on device\n"
    assert (result.returncode, result.stderr) == (1, expected)


def test_ctrl_c_ends_a_command_in_a_sentence(monkeypatch, capsys):
    def stop(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr(check_data, "main", stop)
    assert __main__.main(["check-data"]) == 130
    assert capsys.readouterr() == ("", "check-data: stopped by Ctrl-C\n")
