"""Every command in README, docs and experiments parses."""

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cpcnn_jax import __main__ as commands
from cpcnn_jax import config
from cpcnn_jax.config import validate

ROOT = Path(__file__).parents[1]
EXPERIMENTS = sorted((ROOT / "experiments").glob("[a-z]*.py"))


def typed():
    """Commands of the documents' sh blocks and of docstrings."""
    pages = (
        "README.md",
        "CONTRIBUTING.md",
        *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
    )
    for name in pages:
        path = ROOT / name
        text = path.read_text() if path.exists() else ""
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
            yield from lines(block)
    for path in (ROOT / "launch.py", *EXPERIMENTS):
        yield from lines(ast.get_docstring(ast.parse(path.read_text())))


def lines(text):
    """Lines joined at backslashes, split into words without comments."""
    for line in re.sub(r"\\\n\s*| {8,}(?=--)", " ", text).splitlines():
        if line.strip().startswith(("python ", "make ", "cpcnn_jax ")):
            yield shlex.split(line, comments=True)


def of(*start):
    unique = {tuple(words) for words in typed() if words[: len(start)] == [*start]}
    return sorted(words[len(start) :] for words in unique)


def test_launch_commands_parse(tmp_path):
    """One process parses all commands, each in a fork, because flags parse once."""
    program = (
        "import json, os, sys\n"
        "for words in json.loads(sys.stdin.read()):\n"
        "    if not os.fork():\n"
        "        from cpcnn_jax.cli.train_flags import CommandLine\n"
        "        CommandLine(('launch.py',), tuple(words)).parse()\n"
        "        os._exit(0)\n"
        "    if os.wait()[1]: sys.exit(f'wrong: {words}')\n"
    )
    found = of("python", "launch.py")
    assert found
    result = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(found),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for words in found:
        flags = dict(word.partition("=")[::2] for word in words)
        assert (ROOT / flags["--config"]).is_file()
        assert flags["--workdir"]


def package_commands():
    return of("cpcnn_jax") + of("python", "-m", "cpcnn_jax")


@pytest.mark.parametrize("words", package_commands(), ids=" ".join)
def test_package_commands_exist(words):
    assert words[0] in commands.COMMANDS
    with pytest.raises(SystemExit) as done:
        commands.main([words[0], "--help"])
    assert done.value.code == 0


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_a_wrong_flag_is_one_sentence_and_status_2(name, capsys):
    with pytest.raises(SystemExit) as done:
        commands.main([name, "--no_such_flag=1"])
    assert done.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{name}: ") and error.count("\n") == 1


@pytest.mark.parametrize("words", of("make"), ids=" ".join)
def test_make_targets_exist(words):
    assert re.search(rf"^{words[0]}:", (ROOT / "Makefile").read_text(), re.M)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_loads_and_documents_its_command(path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    space = {}
    exec(compile(path.read_text(), path, "exec"), space)
    experiment = space["get_config"]()
    assert isinstance(experiment, config.Experiment)
    validate.check_experiment(experiment)
    assert space["get_config"]() is not experiment
    (command,) = lines(space["__doc__"])
    assert f"--config=experiments/{path.name}" in command
    weights = [word for word in command if "pretrained_vgg16=" in word]
    assert all(word.endswith("pretrained_vgg16=vgg16") for word in weights)
    assert "Paper's row" in space["__doc__"] or path.stem in (
        *("demo", "folder", "shared_backbone"),
    )
