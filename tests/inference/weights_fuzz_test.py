"""Damaged weights files are loaded, or refused in a sentence."""

import json

import fuzzing
import numpy as np
import pytest
import tiny_experiment

from cpcnn_jax import config
from cpcnn_jax.inference import counter
from cpcnn_jax.models import cpcnn
from cpcnn_jax.weights import serialization

FULL = 10_000  # files of the nightly test
MODEL = config.Model(
    dme_columns=(((1, 3), (1, 3), (1, 1)),),
    use_gce=False,
    use_lce=False,
    use_fcnn=False,
)


@pytest.fixture(scope="module")
def seed(tmp_path_factory):
    """Content of a file with 42 weights."""
    file = tmp_path_factory.mktemp("weights") / "w.safetensors"
    weights = tiny_experiment.drawn(cpcnn.build(MODEL))
    serialization.save(file, weights, MODEL)
    return file.read_bytes()


def damaged(file, content, number, seed):
    """Yields (path, content): bytes changed, or the configuration in the header."""
    rng = np.random.default_rng(seed)
    length = int.from_bytes(content[:8], "little")
    header, arrays = json.loads(content[8 : 8 + length]), content[8 + length :]
    for _ in range(number):
        if rng.random() < 0.5:
            yield file, fuzzing.mutate(rng, content, content[::-1], head=length)
            continue
        text = fuzzing.mutate_text(rng, header["__metadata__"]["model"].encode())
        metadata = {"model": text.decode(errors="replace")}
        changed = json.dumps(header | {"__metadata__": metadata}).encode()
        yield file, len(changed).to_bytes(8, "little") + changed + arrays


def test_undamaged_file_is_loaded(tmp_path, seed):
    result = fuzzing.fuzz([(tmp_path / "w.safetensors", seed)], counter.load)
    assert result == (1, [])


@pytest.mark.parametrize("number", [200, pytest.param(FULL, marks=pytest.mark.nightly)])
def test_damaged_files_are_loaded_or_refused(tmp_path, seed, number):
    file = tmp_path / "w.safetensors"
    result, growth = fuzzing.fuzz_new_process(damaged, file, seed, number, counter.load)
    print(f"{result.read} read, {len(result.refused)} refused")
    assert result.read > number / 200 and len(result.refused) > number / 20
    assert growth is None or growth < fuzzing.MAX_GROWTH
