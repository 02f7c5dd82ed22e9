"""A CP-CNN that begins as MCNN has its map, and learns from all it is given."""

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from resize_oracle import doubled

from cpcnn_jax import config
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.mcnn import MCNN
from cpcnn_jax.training import train_step
from cpcnn_jax.training.init import from_mcnn
from cpcnn_jax.training.init import params as init_params
from cpcnn_jax.weights import serialization

SIDE, INNER = 320, slice(100, 220)  # the border is felt for less than 100 pixels
SCALE = config.Model().density_scale


@pytest.fixture(scope="module")
def model():
    """GCE and LCE narrow, which MCNN knows nothing of; DME and F-CNN as they are."""
    sizes = dict(gce_head=(8, 8), lce_features=(4, 4, 8), lce_head=(8, 8))
    return cpcnn.build(config.Model(vgg_width=0.125, **sizes))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """MCNN's weights, drawn so that half of its map is not zero, and their file."""
    tree = MCNN().init(jax.random.key(1), np.zeros((1, 64, 64, 1), np.float32))
    found = {n: np.array(x) for n, x in flatten_dict(tree["params"], sep="/").items()}
    random = np.random.default_rng(0)
    for name, x in found.items():
        if name.endswith("bias"):
            x += random.normal(0, 0.1, x.shape).astype(np.float32)
        if name.endswith("conv1/kernel"):
            x /= 255
    file = tmp_path_factory.mktemp("mcnn") / "mcnn.safetensors"
    serialization.save_baseline(file, found, "mcnn")
    return found, file


@pytest.fixture(scope="module")
def before(model):
    return init_params.drawn(model, 0, "weights")


@pytest.fixture(scope="module")
def begun(before, trained):
    return {**before, **from_mcnn.from_mcnn(before, trained[1], density_scale=SCALE)}


def photograph():
    """Smooth colours, so that no ReLU of a deep layer is always off."""
    small = np.random.default_rng(2).random((1, 40, 40, 3), np.float32)
    return np.asarray(jax.image.resize(small, (1, SIDE, SIDE, 3), "cubic")).clip(0, 1)


def context(seed):
    shape = (1, SIDE // 4, SIDE // 4, 10)
    return np.random.default_rng(seed).random(shape, np.float32)


def test_the_map_is_mcnn_s(model, begun, trained):
    image = photograph()
    grey = 255 * image @ np.array([[0.299], [0.587], [0.114]], np.float32)
    cells = MCNN().apply(train_step.variables(trained[0]), grey)
    expected = doubled(doubled(cells))[0, INNER, INNER] / 16
    found, _ = model.apply(train_step.variables(begun), image, context=context(0))
    assert np.ptp(expected) > 0.05 * expected.max() > 0
    atol = 2e-5 * expected.max()
    np.testing.assert_allclose(found[0, INNER, INNER], expected, rtol=2e-4, atol=atol)


def test_the_context_changes_nothing_yet_and_is_learned_from_the_second_step(
    model, begun
):
    image = photograph()[:, :64, :64]

    def total(joint, context):
        params = train_step.variables({**begun, **joint})
        return model.apply(params, image, context=context)[0].sum()

    joint = {name: x for name, x in begun.items() if name.startswith("fcnn/")}
    one, two = (context(seed)[:, :16, :16] for seed in (0, 1))
    assert total(joint, one) == total(joint, two)
    of_last = jax.grad(total)(joint, one)["fcnn/conv4/kernel"]
    assert (of_last[0, 0] != 0).mean() > 0.7  # what is dead for one crop apart
    learned = {"fcnn/conv4/kernel": joint["fcnn/conv4/kernel"] + 1e-3 * of_last}
    assert total(joint | learned, one) != total(joint | learned, two)


def test_gce_and_lce_are_left_alone(before, trained):
    found = from_mcnn.from_mcnn(before, trained[1], density_scale=SCALE)
    joint = {name for name in before if name.startswith(("dme/", "fcnn/"))}
    assert found.keys() == joint
    assert all(x.shape == before[n].shape for n, x in found.items())
    assert {x.dtype for x in found.values()} == {np.dtype("float32")}


def test_kernels_keep_the_deviation_that_they_were_drawn_with(before, begun):
    for name, kernel in begun.items():
        if name.startswith("dme/") and name.endswith("kernel") and "conv3" not in name:
            assert np.std(kernel) == pytest.approx(
                float(np.std(before[name])), rel=1e-4
            )


@pytest.mark.parametrize("content", [None, "cpcnn"])
def test_what_is_no_mcnn_is_one_sentence(before, tmp_path, content):
    file = tmp_path / "other.safetensors"
    if content:
        serialization.save(file, {"fcnn/conv4/bias": np.zeros(1)}, config.Model())
    expected = f"--config.mcnn={file} is no file of MCNN's weights; .*mcnn` writes one"
    with pytest.raises(ValueError, match=expected):
        from_mcnn.from_mcnn(before, file, density_scale=SCALE)
