"""Times what the host does for a training step, with a device that takes no time.

    python benchmarks/host_time.py [--steps=N] [--json=FILE]

The training is that of experiments/shanghaitech_a_gpu.py, with 32 crops of synthetic
images a step and 50 steps a call as on an accelerator. A program that returns its state
and zeros at once takes the place of the steps. What remains is the time of the host: it
chooses the examples, calls the program and writes the log. An accelerator computes the
next call meanwhile, and waits for the host if it is faster than this rate.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import gpu_tables
import jax
import jax.numpy as jnp
import synthetic_experiment

from cpcnn_jax import config
from cpcnn_jax.data.experiment_splits import open_splits
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.training import step_loop, train, workdir

STAGES = ("gce", "density")


def experiment(stage: str, steps: int) -> config.Experiment:
    """Builds an experiment with one stage, "gce" or "density", without context."""
    result = synthetic_experiment.get_config()
    for name, settings in result.stages().items():
        settings.steps, settings.warmup_steps = steps if name == stage else 0, 0
    result.model.use_gce, result.model.use_lce = stage == "gce", False
    result.validation = config.Validation()
    result.checkpoint_every = steps
    return result


def without_device(strategy: data_parallel.Strategy) -> data_parallel.Strategy:
    """Replaces the steps of a strategy by a program that computes nothing."""

    def wrap(steps):
        def nothing(*args):
            _, metrics = jax.eval_shape(steps, *args)
            zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), metrics)
            return args[0], zeros

        return strategy.wrap(nothing)

    return strategy._replace(wrap=wrap)


def host_rates(settings: config.Experiment, folder: Path) -> list[float]:
    """Trains without a device; returns the images a second of each line of the log.

    Args:
      settings: the experiment.
      folder: a new workdir.
    """
    workdir.claim_workdir(folder, settings)
    strategy = without_device(data_parallel.jit_strategy(jax.devices()[:1]))
    splits = open_splits(settings)
    train.train(settings, folder, strategy, splits, stop=lambda: None)
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    found = [json.loads(line).get("images_per_second") for line in lines]
    return [rate for rate in found if rate]


def row(stage: str, rates: list[float], size: int) -> list[str]:
    """Formats the cells of a stage from the rates of its lines, images a second.

    Args:
      stage: its name.
      rates: the rates.
      size: images of a step.
    """
    median = statistics.median(rates)
    call = 1e3 * step_loop.ACCELERATOR * size / median
    return [stage, f"{call:.1f}", f"{median:,.0f}"]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5000, help="steps of a stage")
    parser.add_argument("--json", type=Path, help="file of all rates")
    flags = parser.parse_args()
    if flags.steps < step_loop.ACCELERATOR:
        parser.error(f"--steps={flags.steps}: a call has {step_loop.ACCELERATOR} steps")
    step_loop.STEPS_PER_CALL["cpu"] = step_loop.ACCELERATOR
    head = f"stage,ms of {step_loop.ACCELERATOR} steps,images/s"
    rows, found = [head.split(",")], dict[str, Any]()
    for stage in STAGES:
        settings = experiment(stage, flags.steps)
        with tempfile.TemporaryDirectory() as folder:
            found[stage] = host_rates(settings, Path(folder) / "run")
        size = getattr(settings, stage).batch_size
        rows.append(row(stage, found[stage][1:], size))
    print(gpu_tables.markdown(rows))
    if flags.json:
        flags.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
