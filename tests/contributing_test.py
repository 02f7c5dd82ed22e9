"""The examples of CONTRIBUTING.md, applied to a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# An instruction ends with the block of code that it is about.
STEP = re.compile(
    r"(?:Create\s`(?P<new>[^`\n]+)`"
    r"|In\s+`(?P<file>[^`\n]+)`,\s+(?:in\s+`(?P<function>[^`\n]+)`,\s+)?"
    r"(?P<verb>add\s+below|replace)\s+"
    r"(?P<tick>`{1,2})(?P<line>.+?)(?P=tick)(?:\sby)?)"
    r":\n\n```\w+\n(?P<code>.*?)```$"
    r"|^```bash\n(?P<commands>.*?)```$",
    re.MULTILINE | re.DOTALL,
)
NOT_COPIED = {".git", ".venv", ".mypy_cache", "build", "runs", "weights"}


def sections():
    """The sections with instructions, by title."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    parts = re.split(r"^## (.*)\n", text, flags=re.M)[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return {title: part for title, part in pairs if STEP.search(part)}


def run(copy, command, **environment):
    """Runs a command in the copy, with its package and this Python first."""
    folder = str(Path(sys.executable).parent)
    result = subprocess.run(
        ["bash", "-ec", command],
        cwd=copy,
        env=os.environ
        | {
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(copy),
            "JAX_PLATFORMS": "cpu",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def find_lines(lines, step):
    """Numbers of the lines that an instruction names, in its function if it has one."""
    inside, numbers = not step["function"], []
    for number, line in enumerate(lines):
        if step["function"] and line.startswith(("def ", "class ")):
            inside = line.startswith(f"def {step['function']}(")
        if inside and line.rstrip("\n") == step["line"]:
            numbers.append(number)
    return numbers


def change_file(path, step):
    """Adds the code below the line that the instruction names, or replaces the line."""
    lines = path.read_text().splitlines(keepends=True)
    places = find_lines(lines, step)
    assert places, f"{path.name} has no line {step['line']!r}"
    first = places[0] + (step["verb"] != "replace")
    lines[first : places[0] + 1] = step["code"]
    path.write_text("".join(lines))


def follow(copy, text):
    """Follows the instructions of a section in their order."""
    for step in STEP.finditer(text):
        if step["commands"]:
            run(copy, step["commands"])
        elif step["new"]:
            path = copy / step["new"]
            assert not path.exists()
            path.write_text(step["code"])
        else:
            change_file(copy / step["file"], step)


@pytest.fixture
def copy(tmp_path):
    """A copy of the repository's files, without results and environments."""
    folder = tmp_path / "copy"

    def ignore(path, names):
        return NOT_COPIED & {*names} if Path(path) == ROOT else {"__pycache__"}

    shutil.copytree(ROOT, folder, ignore=ignore)
    return folder


@pytest.fixture(scope="module")
def mypy_cache(tmp_path_factory):
    """Types of the modules that no instruction changes, read once."""
    return str(tmp_path_factory.mktemp("mypy"))


def test_every_block_of_code_belongs_to_an_instruction():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    blocks = re.findall(r"^```(?:python|markdown|bash)\n", text, re.M)
    assert len(blocks) == len([*STEP.finditer(text)]) > 30
    assert [*sections()] == ["A network", "A loss", "A data set", "An experiment"]


def test_instructions_name_lines_that_exist():
    for step in STEP.finditer((ROOT / "CONTRIBUTING.md").read_text()):
        if step["file"]:
            lines = (ROOT / step["file"]).read_text().splitlines()
            assert len(find_lines(lines, step)) == 1, step["line"]
        elif step["new"]:
            assert not (ROOT / step["new"]).exists()


@pytest.mark.long
@pytest.mark.parametrize(
    "title",
    [
        "A network",
        pytest.param("A loss", marks=pytest.mark.nightly),
        "A data set",
        pytest.param("An experiment", marks=pytest.mark.nightly),
    ],
)
def test_instructions_work(title, copy, mypy_cache):
    follow(copy, sections()[title])
    run(copy, "python -m ruff check . && python -m ruff format --check .")
    run(copy, "python -m mypy", MYPY_CACHE_DIR=mypy_cache)
    run(copy, "python -m pytest -q tests/architecture_test.py tests/language_test.py")
