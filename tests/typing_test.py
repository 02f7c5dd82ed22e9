"""The types of the public interface, read by mypy from a user's script."""

import subprocess
import sys

SCRIPT = """\
import numpy as np
from flax import linen as nn

import cpcnn_jax as cp

layer = cp.FractionallyStridedConv(features=8, strides=2)
target: np.ndarray = cp.density_map([[12, 30], [99, 80]], shape=(480, 641))
counter = cp.load("runs/demo")
result = counter.count("photo.jpg")
people: float = result.count
module, variables = cp.converters.from_flax(nn.ConvTranspose(2, (3,)), {})
params, options = cp.converters.from_torch(np.ones((2, 3, 4)), stride=2)
print(people, result.density.shape, target.sum(), layer.features)
"""


def check_types(folder, script):
    """Runs mypy on a script outside the repository; returns its status and lines."""
    (folder / "script.py").write_text(script)
    words = ["--cache-dir", ".mypy_cache", "--no-error-summary", "script.py"]
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not result.stderr
    return result.returncode, result.stdout.splitlines()


def test_script_of_a_user_has_types(tmp_path):
    assert check_types(tmp_path, SCRIPT) == (0, [])
    untyped = SCRIPT + "reveal_type(result)\nreveal_type(layer)\nreveal_type(target)\n"
    untyped += "reveal_type(module)\nreveal_type(options)\n"
    _, lines = check_types(tmp_path, untyped)
    shown = [line.split('"')[1].partition("[")[0] for line in lines]
    assert shown == [
        "cpcnn_jax.inference.counter.Count",
        "cpcnn_jax.layers.fractionally_strided.FractionallyStridedConv",
        "numpy.ndarray",
        "cpcnn_jax.layers.fractionally_strided.FractionallyStridedConv",
        "dict",
    ]
    wrong = SCRIPT.replace("strides=2", 'strides="two"')
    status, lines = check_types(tmp_path, wrong)
    assert status == 1
    (error,) = lines
    line = 1 + wrong.splitlines().index(
        'layer = cp.FractionallyStridedConv(features=8, strides="two")'
    )
    assert error.startswith(f"script.py:{line}: error: ") and "strides" in error
