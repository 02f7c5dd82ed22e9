"""Losses of cells against PyTorch and NumPy."""

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
def test_losses_equal_those_of_pytorch(side):
    predicted, target = sums(PREDICTED, side), sums(TARGET, side)
    counts = cell_losses.cell_counts(TARGET, side)
    np.testing.assert_allclose(counts, target, rtol=1e-5)
    l1 = torch.nn.functional.l1_loss(predicted, target, reduction="none")
    found = cell_losses.absolute_loss(PREDICTED, TARGET, side)
    np.testing.assert_allclose(found, l1.mean((1, 2)), rtol=1e-5)
    poisson = torch.nn.functional.poisson_nll_loss(
        predicted, target, log_input=False, eps=0, reduction="none"
    )
    found = cell_losses.poisson_loss(PREDICTED, TARGET, side)
    np.testing.assert_allclose(found, poisson.mean((1, 2)), rtol=1e-4, atol=1e-5)


def test_empty_and_negative_cells_have_finite_losses():
    predicted = np.full((1, 16, 16, 1), -0.01, np.float32)
    target = np.full((1, 16, 16, 1), 0.5, np.float32)
    found = float(cell_losses.poisson_loss(predicted, target, 16)[0])
    assert found == pytest.approx(2.56 - 128 * np.log(0.01), rel=1e-5)
