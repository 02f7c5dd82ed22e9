"""Losses of cells against NumPy and SciPy, and what their minima are."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
import scipy.stats

from cpcnn_jax.training import count_losses


def maps(seed, shape=(2, 8, 12, 1)):
    return np.random.default_rng(seed).random(shape, np.float32)


def cells(density, side):
    """People in cells by loops."""
    batch, height, width, _ = density.shape
    return np.array(
        [
            [
                [
                    density[i, top : top + side, left : left + side].sum(dtype=float)
                    for left in range(0, width, side)
                ]
                for top in range(0, height, side)
            ]
            for i in range(batch)
        ]
    )


def test_variance_weighted_loss_divides_by_the_prediction_and_the_floor():
    predicted, target = maps(0) - 0.5, maps(1)
    count, true = cells(predicted, 4), cells(target, 4)
    assert (count < 0).any()
    expected = ((count - true) ** 2 / (np.maximum(count, 0) + 0.25)).mean((1, 2))
    value = count_losses.variance_weighted_loss(predicted, target, 4, floor=0.25)
    np.testing.assert_allclose(value, expected, rtol=1e-4)


def test_variance_has_no_gradient():
    """Its gradient is 2 (c - t) / (c + floor) of each cell, over their number."""
    predicted, target = maps(0), maps(1)
    gradient = jax.grad(
        lambda x: count_losses.variance_weighted_loss(x, target, 4).sum()
    )(predicted)
    count, true = cells(predicted, 4), cells(target, 4)
    expected = 2 * (count - true) / (count + 0.5) / 6
    np.testing.assert_allclose(gradient[:, ::4, ::4, 0], expected, rtol=1e-4)


def minimum(loss):
    """The constant density per cell at which the gradient of a loss is zero."""
    low, high = 0.0, 10.0
    gradient = jax.jit(jax.grad(loss))
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if gradient(middle) < 0 else (low, middle)
    return low


def test_minimum_of_the_variance_weighted_loss_is_the_mean():
    people = np.float32([0, 0, 0, 1, 0, 7, 0, 2]).reshape(1, 2, 4, 1)

    def loss(value):
        predicted = jnp.full((1, 2, 4, 1), value)
        return count_losses.variance_weighted_loss(predicted, people, 1)[0]

    np.testing.assert_allclose(minimum(loss), people.mean(), rtol=1e-4)


def test_zero_inflated_loss_equals_the_likelihood_of_scipy():
    rng = np.random.default_rng(2)
    count = rng.uniform(0.5, 9, (2, 3, 5))
    true = rng.poisson(2, count.shape) * rng.integers(0, 2, count.shape)
    logits = rng.normal(size=count.shape).astype(np.float32)
    empty = scipy.special.expit(logits)
    likelihood = (1 - empty) * scipy.stats.poisson.pmf(true, count) + empty * (true == 0)
    constant = scipy.special.gammaln(true + 1)
    expected = -(np.log(likelihood) + constant).mean((1, 2))

    def spread(people):
        """Puts the people of a cell of 4x4 pixels into one pixel."""
        density = np.zeros((2, 12, 20, 1), np.float32)
        density[:, 1::4, 2::4, 0] = people
        return density

    value = count_losses.zero_inflated_poisson_loss(
        spread(count), logits, spread(true), 4
    )
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_zero_inflated_loss_is_finite_for_negative_predictions():
    predicted, target = -maps(0), maps(1)
    logits = jnp.full((2, 2, 3), 200.0)
    value, gradient = jax.value_and_grad(
        lambda x: count_losses.zero_inflated_poisson_loss(predicted, x, target, 4).sum()
    )(logits)
    assert np.isfinite(value) and np.isfinite(gradient).all()
