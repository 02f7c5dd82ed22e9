"""Losses of cells against PyTorch and NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from cpcnn_jax.training import cell_losses

RNG = np.random.default_rng(0)
PREDICTED = RNG.gamma(0.5, 0.02, (3, 32, 48, 1)).astype(np.float32)
TARGET = RNG.gamma(0.5, 0.02, (3, 32, 48, 1)).astype(np.float32)


def sums(density, side):
    pooled = torch.nn.functional.avg_pool2d(
        torch.tensor(density).permute(0, 3, 1, 2), side
    )
    return pooled[:, 0] * side**2


@pytest.mark.parametrize("side", [4, 16])
@pytest.mark.parametrize("overdispersion", [0.0, 0.3])
def test_the_loss_equals_its_definition_in_pytorch(side, overdispersion):
    predicted, target = sums(PREDICTED, side), sums(TARGET, side)
    counts = cell_losses.cell_counts(TARGET, side)
    np.testing.assert_allclose(counts, target, rtol=1e-5)
    mean = predicted.clamp(min=side / 320)
    variance = mean + overdispersion * mean**2
    expected = ((predicted - target) ** 2 / variance).mean((1, 2)) / 2
    found = cell_losses.cell_loss(
        PREDICTED, TARGET, side, overdispersion=overdispersion
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_gradient_vanishes_at_the_mean_of_the_targets():
    """Nine of ten cells are empty: the median is 0, the mean 0.4."""
    target = np.zeros((1, 16, 160, 1), np.float32)
    target[0, 8, 8] = 4

    def loss(count):
        predicted = jnp.full((1, 16, 160, 1), count / 256)
        return cell_losses.cell_loss(predicted, target, 16, overdispersion=0.02)[0]

    assert jax.grad(loss)(0.4) == pytest.approx(0, abs=1e-4)
    assert jax.grad(loss)(0.3) < 0 < jax.grad(loss)(0.5)


def test_empty_and_negative_cells_have_finite_losses():
    predicted = np.full((1, 16, 16, 1), -0.01, np.float32)
    target = np.full((1, 16, 16, 1), 0.5, np.float32)
    found = cell_losses.cell_loss(predicted, target, 16, overdispersion=0.0)
    assert float(found[0]) == pytest.approx(130.56**2 / 0.05 / 2, rel=1e-5)
