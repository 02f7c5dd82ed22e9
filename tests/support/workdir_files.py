"""Readers and comparisons of the files that a run writes."""

import json

import numpy as np
from safetensors.numpy import load_file


def assert_same_weights(workdir, expected):
    """Compares the weights of two runs up to the order of float32 sums.

    Adam enlarges such differences. The tolerance is a tenth of one of its steps of
    1e-3, so that one missing or repeated step fails.
    """
    weights, others = (
        load_file(folder / "weights.safetensors") for folder in (workdir, expected)
    )
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        assert np.sqrt(np.mean((value - others[name]) ** 2)) < 1e-4, name


def read_log(workdir):
    """The dicts of metrics.jsonl."""
    return list(map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines()))


def has_reached(workdir, step):
    """True if the run has logged this step of the density stage."""
    lines = workdir / "metrics.jsonl"
    return lines.exists() and f'"density", "step": {step}' in lines.read_text()
