import json

import numpy as np
from PIL import Image

from cpcnn_jax.io import density_file


def test_npy_and_png_restore_the_density_map(tmp_path):
    density = np.random.default_rng(0).normal(0.01, 0.02, (9, 12)).astype(np.float32)
    density_file.save_density(tmp_path / "deep" / "1.jpg", density)
    np.testing.assert_array_equal(np.load(tmp_path / "deep" / "1.jpg.npy"), density)
    description = json.loads((tmp_path / "deep" / "1.jpg.json").read_text())
    with Image.open(tmp_path / "deep" / "1.jpg.png") as image:
        levels = np.asarray(image)
    assert levels.dtype == np.uint16 and levels.min() == 0 and levels.max() == 65535
    restored = description["offset"] + description["scale"] * levels
    np.testing.assert_allclose(restored, density, atol=0.51 * np.ptp(density) / 65535)
    np.testing.assert_allclose(description["count"], density.sum(), rtol=1e-6)
    assert len(list((tmp_path / "deep").iterdir())) == 3


def test_constant_density_map(tmp_path):
    density_file.save_density(tmp_path / "a", np.full((2, 2), 0.5, np.float32))
    description = json.loads((tmp_path / "a.json").read_text())
    with Image.open(tmp_path / "a.png") as image:
        restored = description["offset"] + description["scale"] * np.asarray(image)
    np.testing.assert_array_equal(restored, np.full((2, 2), 0.5))
