"""Networks that an experiment names by their import paths."""

import jax
import numpy as np
import pytest
from PIL import Image

from cpcnn_jax import config
from cpcnn_jax.inference.custom_estimator import CustomEstimator
from cpcnn_jax.models import custom_network, networks
from cpcnn_jax.models.csrnet import CSRNet
from cpcnn_jax.models.mcnn import MCNN
from cpcnn_jax.models.params import param_shapes, to_variables

pytestmark = pytest.mark.quick_compile


def build(name):
    return networks.build(config.Model(f"own_networks:{name}"))


def drawn(model):
    rng = np.random.default_rng(0)
    return {
        name: np.float32(rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape))
        for name, shape in param_shapes(model, channels=3).items()
    }


def image(*size):
    return np.random.default_rng(size).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("path", "network", "cell"),
    [
        ("cpcnn_jax.models.mcnn:MCNN", MCNN(), 4),
        ("cpcnn_jax.models.csrnet:CSRNet", CSRNet(), 8),
    ],
)
def test_baselines_are_built_by_their_import_path(path, network, cell):
    model = networks.build(config.Model(path))
    assert model.network == network
    assert custom_network.cell_side(model) == cell


def test_density_has_the_people_of_the_cells():
    model = build("Small")
    weights, x = drawn(model), np.float32(image(64, 96))[None] / 255
    density, aux = model.apply(to_variables(weights), x)
    inner = to_variables(weights, scope="network/")
    cells = model.network.clone(parent=None, name=None).apply(inner, x)
    assert density.shape == (1, 64, 96, 1) and aux == {}
    assert cells.shape == (1, 32, 48, 1)
    blocks = np.asarray(density).reshape(1, 32, 2, 48, 2)
    np.testing.assert_allclose(blocks.sum((2, 4)), cells[..., 0], rtol=1e-5)
    np.testing.assert_array_equal(blocks[:, :, 0], blocks[:, :, 1])


def test_mcnn_turns_rgb_into_the_gray_levels_of_pil():
    pixels = image(64, 64)
    gray = np.asarray(Image.fromarray(pixels).convert("L"), np.float32)[None, ..., None]
    mcnn = MCNN()
    variables = mcnn.init(jax.random.key(0), gray)
    of_gray = mcnn.apply(variables, gray)
    of_rgb = mcnn.apply(variables, np.float32(pixels)[None] / 255)
    error = np.abs(of_rgb - of_gray).max() / np.abs(of_gray).max()
    assert error < 0.01  # PIL rounds to whole levels


def test_tiles_give_the_density_of_the_whole_image():
    weights, pixels = drawn(build("Small")), image(173, 258)
    whole, _ = CustomEstimator(build("Small")).estimate(weights, pixels)
    tiled = CustomEstimator(build("Chained"), tile_size=64)
    seen = []

    def progress(jobs):
        seen.extend(jobs)
        return jobs

    density, _ = tiled.estimate(weights, pixels, progress)
    assert len(seen) > 10 and density.shape == (173, 258)
    np.testing.assert_allclose(density, whole, rtol=1e-5, atol=1e-9)
    model, x = build("Small"), np.float32(pixels[:172])[None] / 255
    expected = model.apply(to_variables(weights), x)[0][0, ..., 0]
    inner = slice(168), slice(248)  # far from the padding to multiples of 4
    np.testing.assert_allclose(whole[inner], expected[inner], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("own_networks:Unet", "own_networks has no Unet"),
        ("no_such_package.unet:Unet", "there is no module no_such_package, installed"),
        ("own_networks.unet:Unet", "there is no module own_networks.unet|is not a pac"),
        ("own_networks:not_a_network", "expected a flax.linen.Module, got int"),
        (
            "own_networks:failing",
            r"RuntimeError: no such file: backbone.npz \(.*own_networks.py, line \d",
        ),
        ("own_networks:Unlearned", "has no parameters to train"),
        ("own_networks:Narrow", "has parameters of bfloat16: keep them in float32"),
        (
            "own_networks:Dropping",
            r"all sizes and no random key; .*own_networks.py, li",
        ),
        (
            "own_networks:Positional",
            r"of all sizes .* \(1, 128, 192, 3\): ScopeParamSh",
        ),
        ("own_networks:Pair", r"of shape \(2, 64, 128, 3\) gave tuple"),
        ("own_networks:Normalized", "variables of batch_stats; only parameters"),
        ("own_networks:Classifier", r"expected people per cell .* gave \(2, 10\)"),
        ("own_networks:absolute_loss", "missing 2 required positional arguments"),
    ],
)
def test_objects_that_are_no_network_are_explained(path, message):
    with pytest.raises(ValueError, match=message) as caught:
        networks.build(config.Model(path))
    text = str(caught.value)
    assert text.startswith(f"--config.model.architecture={path}") and "\n" not in text
