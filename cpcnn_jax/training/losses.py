"""Loss functions of the paper, averaged over pixels and not over the batch.

Maps are `[B, H, W, 1]`. The discriminator's outputs are logits `[B, h, w, 1]`. Every
loss returns one number per example, `[B]`. Masks `valid` are those of
`models.valid_area`; without a mask all pixels count.
"""

import jax
import jax.numpy as jnp
import optax


def euclidean_loss(
    predicted: jax.Array, target: jax.Array, valid: jax.Array | None = None
) -> jax.Array:
    """L_E: the mean squared difference of two maps, per example.

    Departs from the paper: its equation is typeset as a mean of unsquared norms per
    pixel; the authors' code, and all code of the field, squares.

    Args:
      predicted: `[B, H, W, 1]`, any unit.
      target: `[B, H, W, 1]`, the same unit.
      valid: `[B, H, W, 1]`, 1 where pixels count and 0 elsewhere.

    Returns:
      `[B]`, that unit squared.

    Raises:
      ValueError: the shapes differ. They would broadcast silently.

    Example:
      >>> euclidean_loss(jnp.ones((2, 4, 4, 1)), jnp.zeros((2, 4, 4, 1))).tolist()
      [1.0, 1.0]

    Reference: Sindagi & Patel, ICCV 2017, section 3.4, L_E.
    """
    if predicted.shape != target.shape:
        raise ValueError(
            f"euclidean_loss needs maps of one shape, got {predicted.shape} predicted "
            f"and {target.shape} target"
        )
    return _mean(jnp.square(predicted - target), valid)


def _mean(x, valid):
    """`[B]` means of `[B, H, W, 1]` over the valid pixels."""
    axes = (1, 2, 3)
    if valid is None:
        return jnp.mean(x, axis=axes)
    return jnp.sum(x * valid, axis=axes) / jnp.sum(valid, axis=axes)


def adversarial_loss(
    fake_logits: jax.Array, valid: jax.Array | None = None
) -> jax.Array:
    """L_A = -log D(prediction), the generator's adversarial loss.

    Args:
      fake_logits: `[B, h, w, 1]`, the discriminator's logits of predicted maps.
      valid: `[B, h, w, 1]`, 1 where logits count and 0 elsewhere.

    Returns:
      `[B]`, nats, the mean over the h x w outputs.

    Example:
      >>> round(float(adversarial_loss(jnp.zeros((1, 2, 2, 1)))[0]), 4)
      0.6931

    Reference: Sindagi & Patel, ICCV 2017, section 3.4, L_A.
    """
    return _mean(-jax.nn.log_sigmoid(fake_logits), valid)


def total_loss(
    euclidean: float | jax.Array, adversarial: float | jax.Array, *, weight: float
) -> float | jax.Array:
    """L_T = L_E + lambda_a L_A, with `weight` as lambda_a.

    Example:
      >>> total_loss(2.0, 3.0, weight=0.5)
      3.5

    Reference: Sindagi & Patel, ICCV 2017, section 3.4, L_T.
    """
    return euclidean + weight * adversarial


def discriminator_loss(
    real_logits: jax.Array, fake_logits: jax.Array, valid: jax.Array | None = None
) -> jax.Array:
    """The discriminator's loss: half of -log D(truth) - log(1 - D(prediction)).

    Args:
      real_logits: `[B, h, w, 1]`, logits of true maps.
      fake_logits: `[B, h, w, 1]`, logits of predicted maps.
      valid: `[B, h, w, 1]`, 1 where logits count and 0 elsewhere.

    Returns:
      `[B]`, nats; log 2 where all probabilities are 1/2.

    Example:
      >>> undecided = jnp.zeros((1, 2, 2, 1))
      >>> round(float(discriminator_loss(undecided, undecided)[0]), 4)
      0.6931

    Reference: Goodfellow et al., NeurIPS 2014, equation 1; the half as in ID-CGAN,
    Zhang, Sindagi & Patel, arXiv:1701.05957.
    """
    real, fake = (adversarial_loss(x, valid) for x in (real_logits, -fake_logits))
    return (real + fake) / 2


def classification_loss(
    logits: jax.Array, labels: jax.Array, weights: jax.Array
) -> jax.Array:
    """Softmax cross-entropy of the density class, weighted by class.

    Departs from the paper: it is recalled to put a sigmoid after the last layer and a
    cross-entropy over five classes behind it, which do not go together.

    Args:
      logits: `[..., K]`.
      labels: int32 `[...]`, density classes 0 to K - 1.
      weights: `[K]`, one per class.

    Returns:
      `[...]`, nats times the weight of the example's class.

    Example:
      >>> logits, labels = jnp.zeros((1, 5)), jnp.array([3])
      >>> round(float(classification_loss(logits, labels, jnp.ones(5))[0]), 4)
      1.6094

    Reference: Sindagi & Patel, ICCV 2017, sections 3.1 and 3.2.
    """
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return weights[labels] * cross_entropy
