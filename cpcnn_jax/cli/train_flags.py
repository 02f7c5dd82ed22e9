"""Flags of `cpcnn_jax train` and launch.py, and the experiment that they name."""

import dataclasses
import itertools
import re
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from absl import flags
from ml_collections import config_flags

from cpcnn_jax.cli import experiment_files
from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.config import DataSet, Experiment
from cpcnn_jax.distributed import cluster_jobs
from cpcnn_jax.io.suggestion import suggest

EXPERIMENT = (
    "File with the experiment, or the name of one that comes with the package. "
    "--config.FIELD=VALUE sets a field of the experiment."
)
_NUMBERS = {  # {Python's error for a value that is no number: what a flag expects}
    r"invalid literal for int\(\)": "a whole number",
    r"could not convert string to float": "a number",
}


def define_flags(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Defines the flags.

    Args:
      values: the flags are added to it.
      words: the command line, which names fields of the experiment and of the job.
    """
    config_flags.DEFINE_config_file(
        "config", None, EXPERIMENT, values, sys_argv=words, lock_config=True
    )
    flags.DEFINE_string("workdir", None, "Folder of the run's output.", values)
    flags.DEFINE_enum(
        "mode",
        "train",
        ["train", "evaluate"],
        "train: run all stages, then evaluate; evaluate: evaluate the trained weights.",
        values,
    )
    flags.DEFINE_enum(
        "eval_split",
        "test",
        ["test", "validation"],
        "Images that the evaluation scores. Choose settings by validation, not by "
        "test.",
        values,
    )
    flags.DEFINE_enum(
        "parallel",
        "jit",
        ["jit", "pmap"],
        "Placement of a batch on the devices.",
        values,
    )
    flags.DEFINE_multi_string(
        "sweep",
        [],
        "FIELD=VALUE,VALUE... of the experiment: one run per value, each in a folder "
        "of the workdir. Several flags give one run per combination.",
        values,
    )
    _define_process_flags(values, words)


def _define_process_flags(values, words):
    """Defines the flags of several processes and of clusters."""
    text = "HOST:PORT of process 0, for processes started by hand."
    flags.DEFINE_string("coordinator", None, text, values)
    flags.DEFINE_integer(
        "num_processes", None, "Number of processes.", flag_values=values
    )
    text = "Number of this process, from 0."
    flags.DEFINE_integer("process_id", None, text, flag_values=values)
    flags.DEFINE_enum(
        "cluster",
        None,
        ["slurm", "kubernetes", "tpu"],
        "Cluster that runs the command. slurm submits a job; the others need "
        "--dry_run.",
        values,
    )
    text = "Print the job of --cluster and do nothing else."
    flags.DEFINE_bool("dry_run", False, text, values)
    config_flags.DEFINE_config_dataclass(
        "job",
        cluster_jobs.Job(),
        "Resources of the cluster: --job.FIELD=VALUE, with the fields of "
        "distributed/cluster_jobs.py.",
        values,
        sys_argv=words,
    )


def make_parser() -> Parser:
    """Makes a parser of the flags, for help and shell completion."""
    parser = Parser(
        prog="cpcnn_jax train",
        description="Train an experiment and evaluate it. The same command resumes a "
        "stopped run.",
        epilog=f"Experiments: {', '.join(experiment_files.list_experiments())}.",
    )
    values = flags.FlagValues()
    define_flags(values, [])
    for name in sorted(values):
        flag = values[name]
        choices = getattr(flag.parser, "enum_values", None)
        options: dict[str, Any] = {"choices": choices}
        if flag.boolean:
            options = {"action": "store_true"}
        text = re.sub(r"^<.*?>: |;\s+repeat this option.*", "", flag.help)
        parser.add_argument(f"--{name}", help=text.replace("%", "%%"), **options)
    return parser


def _describe_field(words):
    """Names the first field that no experiment has, and the most similar one."""
    known = [f"--config.{field}" for field in _list_fields(Experiment())]
    for name in (word.partition("=")[0] for word in words):
        if name.startswith("--config.") and name not in known:
            near = suggest(name, known) or "; cpcnn_jax/config has all"
            return f"no field {name}{near}"
    return ""


def _describe_value(text):
    """Rewrites the error of a flag whose value is no number; returns others as is."""
    for error, expected in _NUMBERS.items():
        if match := re.fullmatch(rf"flag (--.*): {error}.*", text):
            return f"{match[1]}: expected {expected}"
    return text


def _find_config(words):
    """The experiment's file as it was typed, such as --config=demo."""
    for word, following in itertools.pairwise([*words, ""]):
        flag, given, value = word.partition("=")
        if flag in ("--config", "-config"):
            return f"--config={value if given else following}"
    return "--config"


def _list_fields(tree, prefix=""):
    """Names of all fields of an experiment, such as "density.steps"."""
    for field in dataclasses.fields(tree):
        value, name = getattr(tree, field.name), f"{prefix}{field.name}"
        kinds = typing.get_args(DataSet) if field.name == "data" else ()
        for inner in [kind() for kind in kinds] or [value]:
            if dataclasses.is_dataclass(inner):
                yield from _list_fields(inner, f"{name}.")
        yield name


def _is_experiment(module):
    """Whether a module is the experiment's file, by the name that the flag gives it."""
    return getattr(module, "__name__", None) == "config_config"


@dataclasses.dataclass(frozen=True)
class CommandLine:
    """The words of a user, and what they mean.

    Attributes:
      program: words that start the program, such as ("python", "launch.py").
      words: the words after it, as typed.
    """

    program: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the program, for messages."""
        return Path(self.program[-1]).name

    def parse(self) -> None:
        """Reads the flags and the experiment's file, or exits with one sentence."""
        try:
            words = self._words_with_file()
        except ValueError as error:
            self._exit(f"--config: {error}")
        try:
            define_flags(flags.FLAGS, words)
            rest = flags.FLAGS([self.name, *words])[1:]
            if flags.FLAGS["config"].present:
                getattr(flags.FLAGS.config, "seed", None)  # raises if it was not read
        except Exception as error:  # includes errors of the experiment's file
            self._exit(self._describe_error(error))
        if rest:
            self._exit(f"not understood: {' '.join(rest)}")
        for flag in ("config", "workdir"):
            if flags.FLAGS[flag].value is None:
                self._exit(f"--{flag} is missing")

    def _exit(self, text) -> NoReturn:
        print(f"{self.name}: {text} (--help lists the flags)", file=sys.stderr)
        sys.exit(2)

    def experiment(self, overrides: Sequence[str] = ()) -> Experiment:
        """Reads the experiment, with more flags for a point of a sweep.

        Raises:
          ValueError: a flag does not fit the experiment.
        """
        words = [self.name, *self._words_with_file(), *overrides]
        own = flags.FlagValues()
        config = config_flags.DEFINE_config_file(
            "config", flag_values=own, sys_argv=words
        )
        try:
            own(words, known_only=True)
            return config.value
        except (KeyError, flags.Error) as error:
            raise ValueError(self._describe_error(error, overrides)) from None

    def without(self, *dropped: str) -> list[str]:
        """Returns the words without some flags."""
        kept, words = [], iter(self.words)
        for word in words:
            name, given, _ = word.lstrip("-").partition("=")
            if name.partition(".")[0] not in dropped:
                kept.append(word)
            elif not given and name != "dry_run":
                next(words, None)
        return kept

    def _words_with_file(self):
        """The words, with the experiment's file in place of its name."""
        experiment_files.make_importable()
        words = list(self.words)
        for i, word in enumerate(words):
            flag, given, value = word.partition("=")
            if flag not in ("--config", "-config"):
                continue
            if given:
                words[i] = f"--config={experiment_files.find_experiment(value)}"
            elif i + 1 < len(words):
                words[i + 1] = str(experiment_files.find_experiment(words[i + 1]))
        return words

    def _describe_error(self, error, words=()):
        """One sentence for an error of the flags or of the experiment's file."""
        words = [*self.words, *words]
        file = _find_config(words)
        match error:
            case KeyError() if "cluster_jobs.Job" in str(error):
                fields = "cpcnn_jax/distributed/cluster_jobs.py has all fields"
                text = f"--job: {error.args[0]}; {fields}"
            case KeyError():
                text = f"{file}: {_describe_field(words) or error.args[0]}"
            case flags.Error():
                text = _describe_value(str(error))
            case AttributeError(name="get_config") if _is_experiment(error.obj):
                text = f"{file} has no function get_config"
            case _:
                text = f"{file}: {type(error).__name__}: {error}"
        first, *more = text.strip().splitlines()  # without the traceback
        return " ".join([first, *(line.strip() for line in more[-1:])])
