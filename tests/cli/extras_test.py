"""Extras of the installation: complete, optional, and named where one is missing."""

import configparser
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from cpcnn_jax import __main__ as front
from cpcnn_jax.cli import extras

ROOT = Path(__file__).parents[2]
FLAX_NEEDS = {
    "absl",
    "importlib_resources",
    "optax",
    "orbax",
    "yaml",
}  # modules of an extra that flax installs


def requirements(text):
    """Names of the distributions in a list of setup.cfg."""
    lines = (line.strip() for line in text.splitlines())
    return {re.match(r"[\w-]+", line)[0] for line in lines if line}


@pytest.fixture(scope="module")
def options():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_requirement_of_an_extra_has_its_module(options):
    names = metadata.packages_distributions()

    def normalize(name):
        return re.sub("[-_.]+", "-", name).lower()

    for extra, modules in extras.EXTRAS.items():
        needed = requirements(options["options.extras_require"][extra])
        known = {normalize(d) for module in modules for d in names.get(module, [])}
        assert {normalize(name) for name in needed} <= known, extra
        assert all(module in names for module in modules), extra


def test_all_takes_all(options):
    section = options["options.extras_require"]
    for name in ("all", "test"):
        assert name in section
    listed = re.search(r"\[(.*)\]", section["all"])[1].split(",")
    assert {*listed} == extras.EXTRAS.keys() == section.keys() - {"all", "test"}


def test_base_imports_no_extra():
    """The library and the commands that need no extra, without all others."""
    blocked = {m for parts in extras.EXTRAS.values() for m in parts} - FLAX_NEEDS
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(blocked)}))\n"
        "import cpcnn_jax as cp\n"
        "[getattr(cp, name) for name in cp.__all__]\n"
        "from cpcnn_jax.cli.commands import import_command\n"
        "for name in 'count doctor explain export serve compare release'.split():\n"
        "    import_command(name).make_parser()\n"
        "import_command('import-weights')\n"
        "from cpcnn_jax.inference import overlay\n"
        "from cpcnn_jax.cli import completion\n"
        "assert '--overlay' in completion.make_script('bash')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "module", "extra"),
    [
        (["check-data", "x"], "tensorflow_datasets", "train"),
        (["report", "x"], "matplotlib", "train"),
        (["train", "--config=demo"], "ml_collections", "train"),
    ],
)
def test_missing_extra_is_one_sentence(words, module, extra):
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from cpcnn_jax import __main__\n"
        f"sys.exit(__main__.main({words}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT
    )
    text = f"{words[0]}: {module} is missing: pip install 'cpcnn_jax[{extra}]'\n"
    assert (done.returncode, done.stderr) == (1, text)


def test_other_missing_modules_stay_errors(monkeypatch):
    def fail(name):
        raise ModuleNotFoundError("No module named 'x'", name="x")

    monkeypatch.setattr(front, "import_command", fail)
    with pytest.raises(ModuleNotFoundError, match="'x'"):
        front.main(["count"])
