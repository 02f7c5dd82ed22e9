"""Train or evaluate one experiment. The only place that reads flags.

    python launch.py --config=experiments/demo.py --workdir=runs/demo
    python launch.py --config=experiments/shanghaitech_a.py --workdir=runs/a \
        --config.data.root=DIR --config.density.steps=2000

Started again with the same words, it goes on where it was stopped.
"""

import shlex
import sys

from absl import app, flags, logging
from ml_collections import config_flags

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "The experiment, a file of experiments/.", lock_config=True
)
_WORKDIR = flags.DEFINE_string("workdir", None, "The folder that the run writes to.")
_MODE = flags.DEFINE_enum(
    "mode",
    "train",
    ["train", "evaluate"],
    "train: all stages, then evaluate; evaluate: only score the trained weights.",
)
_PARALLEL = flags.DEFINE_enum(
    "parallel", "jit", ["jit", "pmap"], "How a batch is split over the devices."
)
flags.mark_flags_as_required(["config", "workdir"])


def parse(argv):
    """Read the flags and the experiment's file; what is wrong with them is one line."""
    file = next((word for word in argv if word.startswith("--config=")), "--config")
    try:
        words = flags.FLAGS(argv)[1:]
        getattr(_CONFIG.value, "seed", None)  # raises now if the file was not read
        wrong = f"not understood: {' '.join(words)}" if words else ""
    except KeyError as error:  # ml_collections' word for an unknown field
        wrong = f"{file}: {error.args[0]}; cpcnn_jax/config.py has all fields"
    except flags.Error as error:
        wrong = str(error)
    except Exception as error:  # whatever the experiment's file raises
        wrong = f"{file}: {type(error).__name__}: {error}"
    if wrong:
        sys.exit(f"launch.py: {_one_line(wrong)} (--help lists the flags)")
    return argv[:1]


def _one_line(text):
    """What an error says first and last, without the traceback between."""
    first, *more = text.strip().splitlines()
    return " ".join([first, *(line.strip() for line in more[-1:])])


def main(_):
    """Run, and turn what a user can cause into one sentence."""
    from cpcnn_jax import interrupt

    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    try:
        with interrupt.deferred() as stop:
            _run(_CONFIG.value, _WORKDIR.value, stop)
    except interrupt.Interrupted as error:
        command = shlex.join(["python", *sys.argv])
        print(f"\n{error}.\nTo go on: {command}", file=sys.stderr)
        sys.exit(128 + error.signum)
    except (ValueError, OSError, FloatingPointError) as error:
        if flags.FLAGS.verbosity > 0:
            raise
        sys.exit(f"launch.py: {error}")


def _run(config, folder, stop):
    from cpcnn_jax import (
        evaluate,
        interrupt,
        parallel,
        scores,
        train,
        validate,
        workdir,
    )

    validate.experiment(config)
    workdir.claim(folder, config, record=_MODE.value == "train")
    if _MODE.value == "train":
        with interrupt.at_once(
            stop, "before the training: photographs were being read"
        ):
            evaluate.photographs(config.data)  # missing ones are said now, not then
        strategies = {"jit": parallel.jit_strategy, "pmap": parallel.pmap_strategy}
        train.train(config, folder, strategies[_PARALLEL.value](), stop=stop)
    found = evaluate.evaluate(config, folder, stop=stop)
    print(
        f"{scores.in_words(found)}\n"
        f"report    {folder}/report.html\n"
        f"pictures  {folder}/pictures\n"
        f"metrics   {folder}/metrics.json, {folder}/predictions.csv\n"
        f"weights   {workdir.weights_file(folder)}"
    )


if __name__ == "__main__":
    app.run(main, flags_parser=parse)
