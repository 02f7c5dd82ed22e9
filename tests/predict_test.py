"""The programs of many sizes of photograph: few are kept, and each is made once."""

import numpy as np

from cpcnn_jax import predict


class _Network:
    """A network of no weights that notes the size of each program made of it."""

    def __init__(self):
        self.made = []

    def apply(self, variables, image):
        self.made.append(image.shape[1:3])
        return image.sum(-1, keepdims=True)


def test_a_size_is_compiled_once_and_few_sizes_are_kept(monkeypatch):
    monkeypatch.setattr(predict, "KEPT_SIZES", 2)
    network = _Network()
    estimate = predict.mcnn_estimator(network)
    small, middle, large = (64, 64), (64, 68), (72, 68)
    for size in (small, middle, small, middle):
        found = estimate({}, np.full((*size, 3), 51, np.uint8))
        assert found.shape == size and np.ptp(found) < 1e-4
    assert network.made == [small, middle]
    for size in (large, large, small):
        estimate({}, np.zeros((*size, 3), np.uint8))
    assert network.made == [small, middle, large, small]
