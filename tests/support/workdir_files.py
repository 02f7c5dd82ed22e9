"""The files that a run writes, read and compared."""

import json

import numpy as np
from safetensors.numpy import load_file


def same_weights(one, other):
    """Equal but for the order of float32 sums, which Adam enlarges.

    To a tenth of one of its steps of 1e-3, of which a run has many: one that was left
    out or taken twice would be seen.
    """
    one, other = (load_file(run / "weights.safetensors") for run in (one, other))
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert np.sqrt(np.mean((value - other[name]) ** 2)) < 1e-4, name


def logged(workdir):
    """The dicts of metrics.jsonl."""
    return list(map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines()))


def reached(workdir, step):
    lines = workdir / "metrics.jsonl"
    return lines.exists() and f'"density", "step": {step}' in lines.read_text()
