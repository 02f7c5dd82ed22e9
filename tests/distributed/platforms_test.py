"""A platform that JAX does not have is one sentence and no traceback."""

import os
import subprocess
import sys

import pytest
import tiny_experiment

from cpcnn_jax.distributed import platforms

LAUNCH = ("launch.py", tiny_experiment.CONFIG)
EXPLAIN = "-m cpcnn_jax explain --input 3x3 --kernel 3 --stride 2".split()


@pytest.mark.parametrize("words", [LAUNCH, EXPLAIN])
def test_missing_platform_is_one_sentence(tmp_path, words):
    words = [*words, f"--workdir={tmp_path}"] if words is LAUNCH else words
    environment = os.environ | {"JAX_PLATFORMS": "none"}
    ended = subprocess.run(
        [sys.executable, *words],
        cwd=tiny_experiment.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ended.returncode in (1, 2) and not ended.stdout
    lines = [line for line in ended.stderr.splitlines() if "JAX_PLATFORMS" in line]
    name = "launch.py" if words[0] == "launch.py" else "explain"
    assert lines[0].startswith(f"{name}: JAX_PLATFORMS: Unable to initialize backend")
    assert "'none'" in lines[0] and "Traceback" not in ended.stderr


def test_other_errors_are_none_of_the_platform():
    assert platforms.describe_platform_error(RuntimeError("out of memory")) is None
