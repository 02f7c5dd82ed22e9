import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from cpcnn_jax.training import losses


def _maps(seed, shape=(3, 8, 12, 1)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_euclidean_loss_is_the_mean_square_per_example():
    x, y = _maps(0), _maps(1)
    expected = [((a - b) ** 2).mean() for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(losses.euclidean_loss(x, y), expected, rtol=1e-6)


def test_euclidean_loss_refuses_to_broadcast():
    with pytest.raises(ValueError, match=r"\(3, 8, 12\) predicted and \(3, 8, 12, 1\)"):
        losses.euclidean_loss(_maps(0)[..., 0], _maps(1))


def test_adversarial_and_discriminator_equal_torch_cross_entropy():
    real, fake = _maps(2), _maps(3)
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    for i in range(len(real)):
        r, f = torch.tensor(real[i]), torch.tensor(fake[i])
        wants = bce(f, torch.ones_like(f)).item()
        judge = (bce(r, torch.ones_like(r)) + bce(f, torch.zeros_like(f))).item() / 2
        np.testing.assert_allclose(losses.adversarial_loss(fake)[i], wants, rtol=1e-5)
        got = losses.discriminator_loss(real, fake)[i]
        np.testing.assert_allclose(got, judge, rtol=1e-5)


def test_adversarial_is_finite_where_sigmoid_underflows():
    sure = jnp.full((1, 2, 2, 1), -200.0)
    value, grad = jax.value_and_grad(lambda x: losses.adversarial_loss(x)[0])(sure)
    assert value == 200.0
    assert np.isfinite(grad).all()


def test_total_loss_weights_the_adversarial_loss():
    assert losses.total_loss(1.0, 10.0, weight=0.25) == 3.5


def test_classification_equals_torch_per_class_weights():
    logits = _maps(4, (6, 5))
    labels, weights = np.array([0, 1, 2, 3, 4, 4]), np.array([1, 2, 3, 4, 5.0])
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(logits),
        torch.tensor(labels),
        weight=torch.tensor(weights, dtype=torch.float32),
        reduction="none",
    )
    got = losses.classification_loss(logits, labels, jnp.asarray(weights, jnp.float32))
    np.testing.assert_allclose(got, expected, rtol=1e-5)
