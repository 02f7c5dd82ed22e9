"""The paper's loss functions; means over pixels are theirs, means over a batch are not.

Maps are `[B, H, W, 1]`, the discriminator's answers `[B, h, w, 1]` probabilities given
as logits. Every loss returns one number per example, `[B]`: the caller reduces.
"""

import jax
import jax.numpy as jnp
import optax


def euclidean_loss(predicted, target):
    """L_E: the mean squared difference of two maps, per example.

    Departs from the paper: its equation is typeset as a mean of unsquared norms per
    pixel; the authors' code, and all code of the field, squares.

    Args:
      predicted: `[B, H, W, 1]`, any unit.
      target: `[B, H, W, 1]`, the same unit.

    Returns:
      `[B]`, that unit squared.

    Raises:
      ValueError: the shapes differ (they would broadcast silently).

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
    return jnp.mean(jnp.square(predicted - target), axis=(1, 2, 3))


def multiscale_loss(predicted, target, side):
    """The mean squared difference of two maps' means over cells, times the cells' side.

    Where single heads cannot be told apart yet, L_E is mostly about what lies within a
    cell, and the count about the rest. Errors that are independent from pixel to pixel
    lose side^2 of their square in a cell's mean, errors of the count nothing: the
    factor lies between.

    Departs from the paper, which has L_E alone.

    Args:
      predicted: `[B, H, W, 1]`, any unit.
      target: `[B, H, W, 1]`, the same unit.
      side: of a cell, pixels; divides H and W.

    Returns:
      `[B]`, that unit squared.

    Raises:
      ValueError: the shapes differ.

    Example:
      >>> one_right = jnp.zeros((1, 4, 4, 1)).at[:, 0, 0].set(4.0)
      >>> multiscale_loss(one_right, jnp.full((1, 4, 4, 1), 0.25), 4).tolist()
      [0.0]
    """

    def cells(x):
        blocks = x.reshape(len(x), x.shape[1] // side, side, -1, side)
        return jnp.mean(blocks, axis=(2, 4))[..., None]

    return side * euclidean_loss(cells(predicted), cells(target))


def adversarial_loss(fake_logits):
    """L_A = -log D(estimate): what the estimate pays for being told apart.

    Args:
      fake_logits: `[B, h, w, 1]`, the discriminator before its sigmoid, on estimates.

    Returns:
      `[B]`, nats, the mean over the h x w answers.

    Example:
      >>> round(float(adversarial_loss(jnp.zeros((1, 2, 2, 1)))[0]), 4)
      0.6931

    Reference: Sindagi & Patel, ICCV 2017, section 3.4, L_A.
    """
    return jnp.mean(-jax.nn.log_sigmoid(fake_logits), axis=(1, 2, 3))


def total_loss(euclidean, adversarial, *, weight):
    """L_T = L_E + lambda_a L_A, with `weight` as lambda_a.

    Example:
      >>> total_loss(2.0, 3.0, weight=0.5)
      3.5

    Reference: Sindagi & Patel, ICCV 2017, section 3.4, L_T.
    """
    return euclidean + weight * adversarial


def discriminator_loss(real_logits, fake_logits):
    """What the discriminator pays: half of -log D(truth) - log(1 - D(estimate)).

    Args:
      real_logits: `[B, h, w, 1]`, before the sigmoid, on true maps.
      fake_logits: `[B, h, w, 1]`, on estimates.

    Returns:
      `[B]`, nats; log 2 where it cannot tell.

    Example:
      >>> unsure = jnp.zeros((1, 2, 2, 1))
      >>> round(float(discriminator_loss(unsure, unsure)[0]), 4)
      0.6931

    Reference: Goodfellow et al., NeurIPS 2014, equation 1; the half as in ID-CGAN,
    Zhang, Sindagi & Patel, arXiv:1701.05957.
    """
    return (adversarial_loss(real_logits) + adversarial_loss(-fake_logits)) / 2


def classification_loss(logits, labels, weights):
    """Cross-entropy of the density class, weighted by class.

    Departs from the paper: it is recalled to put a sigmoid after the last layer and a
    cross-entropy over five classes behind it, which do not go together; this is the
    softmax cross-entropy.

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
