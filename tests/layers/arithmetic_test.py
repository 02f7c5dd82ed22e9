"""Arithmetic against counted positions, sizes of PyTorch, and Jacobians."""

import itertools
import math

import numpy as np
import pytest

from cpcnn_jax.layers import arithmetic as ar
from cpcnn_jax.layers.arithmetic import Cost, Layer

DIRECT = [
    (i, k, s, p, d)
    for i, k, s, p, d in itertools.product(
        range(1, 9), range(1, 6), range(1, 5), range(5), range(1, 4)
    )
    if i + 2 * p >= k + (k - 1) * (d - 1)
]


def count_windows(i, k, s, p, d):
    """Counts the places where the kernel fits."""
    starts = range(-p, i + p, s)
    return sum(start + d * (k - 1) <= i + p - 1 for start in starts)


def matrix(i, k, s, p, d):
    """Matrix C of a convolution with taps 1, 2, ..., from its definition."""
    low, high = (p, p) if isinstance(p, int) else p
    rows = (i + low + high - d * (k - 1) - 1) // s + 1
    c = np.zeros((rows, i), int)
    for o, m in itertools.product(range(rows), range(k)):
        if 0 <= s * o - low + d * m < i:
            c[o, s * o - low + d * m] = m + 1
    return c


def test_direct_size_is_the_number_of_places_where_the_kernel_fits():
    for i, k, s, p, d in DIRECT:
        assert ar.direct_size(i, k, s, p, d) == count_windows(i, k, s, p, d)
        assert ar.relationship_15(i, k, s, p, d) == count_windows(i, k, s, p, d)


def test_relationships_1_to_7_are_cases_of_15():
    for i, k, s, p, d in DIRECT:
        o = count_windows(i, k, s, p, d)
        if d > 1:
            continue
        assert ar.relationship_6(i, k, s, p) == o
        if p == 0:
            assert ar.relationship_5(i, k, s) == ar.relationship_7(i, k, s) == o
        if s == 1:
            assert ar.relationship_2(i, k, p) == o
        if s == 1 and p == 0:
            assert ar.relationship_1(i, k) == o
        if s == 1 and k == 2 * p + 1:
            assert ar.relationship_3(i, k) == o
        if s == 1 and p == k - 1:
            assert ar.relationship_4(i, k) == o


def test_relationships_8_to_14_restore_the_input_size():
    for i, k, s, p, d in DIRECT:
        if d > 1:
            continue
        o = count_windows(i, k, s, p, d)
        a = ar.output_padding(i, k, s, p)
        assert ar.relationship_14(o, k, s, p, a) == i
        if a == 0:
            assert ar.relationship_13(o, k, s, p) == i
        if a == 0 and p == 0:
            assert ar.relationship_12(o, k, s) == i
        if s == 1:
            assert ar.relationship_9(o, k, p) == i
        if s == 1 and p == 0:
            assert ar.relationship_8(o, k) == i
        if s == 1 and k == 2 * p + 1:
            assert ar.relationship_10(o, k) == i
        if s == 1 and p == k - 1:
            assert ar.relationship_11(o, k) == i


def test_transposed_size_is_that_of_the_direct_one_on_the_stretched_input():
    """Relationships 6 and then 14 restore i, as the size by zero insertion does."""
    for i, k, s, p, d in DIRECT:
        o = count_windows(i, k, s, p, d)
        a = ar.output_padding(i, k, s, p, d)
        assert ar.transposed_size(o, k, s, p, a, d) == i
        low, high = ar.effective_padding(k, p, a, d)
        padded = ar.stretched_size(o, s) + low + high
        assert padded - ar.effective_kernel(k, d) + 1 == i
        assert ar.output_padding_for(i, o, k, s, p, d) == a


def test_scatter_equals_zero_insertion_with_the_flipped_kernel():
    """Each row of C^T is the window of `taps` on the stretched input."""
    for i, k, s, p, d in DIRECT:
        c = matrix(i, k, s, p, d)
        layer = Layer(k, s, p, ar.output_padding(i, k, s, p, d), d, transposed=True)
        rebuilt = np.zeros_like(c.T)
        for o in range(i):
            for m, j in ar.taps(o, layer):
                if 0 <= j < c.shape[0]:
                    rebuilt[o, j] += k - m  # the flipped kernel holds k, ..., 2, 1
        np.testing.assert_array_equal(rebuilt, c.T)


def test_taps_of_a_direct_layer_rebuild_its_matrix():
    for i, k, s, p, d in DIRECT[::3]:
        rebuilt = np.zeros_like(matrix(i, k, s, p, d))
        for o in range(rebuilt.shape[0]):
            for m, j in ar.taps(o, Layer(k, s, p, d=d)):
                if 0 <= j < i:
                    rebuilt[o, j] = m + 1
        np.testing.assert_array_equal(rebuilt, matrix(i, k, s, p, d))


def test_sizes_with_asymmetric_padding():
    for i, k, s, low, high in itertools.product(
        range(1, 6), range(1, 5), range(1, 4), range(4), range(4)
    ):
        if i + low + high < k:
            continue
        o = matrix(i, k, s, (low, high), 1).shape[0]
        assert ar.direct_size(i, k, s, (low, high)) == o
        a = ar.output_padding(i, k, s, (low, high))
        assert ar.transposed_size(o, k, s, (low, high), a) == i


def test_sizes_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    checked = 0
    for i, k, s, p, a, d in itertools.product(
        (1, 2, 5), (1, 2, 3, 4), (1, 2, 3), (0, 1, 2), (0, 1, 2), (1, 2, 3)
    ):
        arguments = dict(stride=s, padding=p, output_padding=a, dilation=d)
        x, w = torch.ones(1, 1, i), torch.ones(1, 1, k)
        try:
            expected = torch.nn.functional.conv_transpose1d(x, w, **arguments).shape[-1]
        except RuntimeError:
            with pytest.raises(ValueError):
                ar.transposed_size(i, k, s, p, a, d)
            continue
        assert ar.transposed_size(i, k, s, p, a, d) == expected
        checked += 1
    assert checked > 500


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_solve_gives_all_solutions_and_no_other(factor):
    multiplies = [
        (k, p, a)
        for k, p, a in itertools.product(range(factor, 10), range(10), range(factor))
        if p < k
        and all(
            factor * (i - 1) + a + k - 2 * p == factor * i  # as PyTorch documents it
            for i in range(1, 20)
        )
    ]
    assert sorted(ar.solve(factor)) == sorted(multiplies)


def test_solutions_for_factor_2():
    known = [(2, 0, 0), (3, 1, 1), (4, 1, 0), (5, 2, 1), (6, 2, 0), (7, 3, 1)]
    assert ar.solve(2) == [*known, (8, 3, 0), (9, 4, 1)]


def chain_jacobian(layers, size):
    """Mask `[output, input]` of the dependencies in a chain of PyTorch layers."""
    torch = pytest.importorskip("torch")
    f, x = torch.nn.functional, torch.eye(size)[:, None]  # one impulse per input
    for k, s, p, a, d, transposed in layers:
        w = torch.ones(1, 1, k)
        x = (
            f.conv_transpose1d(x, w, None, s, p, a, 1, d)
            if transposed
            else f.conv1d(x, w, None, s, p, d)
        )
    return x[:, 0].T.numpy() != 0


@pytest.mark.parametrize(
    "layers",
    [
        [Layer(9, p=4), Layer(2, 2), Layer(7, p=3), Layer(2, 2), Layer(7, p=3)],
        [Layer(3, 2, 1), Layer(3, d=2), Layer(4, 2, 1, transposed=True)],
        [Layer(4, 2, 1, transposed=True), Layer(3, p=1)],
        [Layer(3, 3, 1, 1, transposed=True), Layer(2), Layer(5, 2, 2, 1, 1, True)],
        [Layer(2, 2, 0, 1, 3, transposed=True), Layer(3, 2)],
        [Layer(1, 2, transposed=True)],
    ],
)
def test_receptive_field_and_stride_are_those_of_the_jacobian(layers):
    mask = chain_jacobian(layers, size=128)
    inner = [row.nonzero()[0] for row in mask[len(mask) // 4 : -len(mask) // 4]]
    assert ar.receptive_field(layers) == max(np.ptp(x) + 1 for x in inner if len(x))
    period = math.prod(layer.s for layer in layers if layer.transposed)
    step = period * ar.effective_stride(layers)
    for inputs, shifted in zip(inner, inner[period:], strict=False):
        np.testing.assert_array_equal(inputs + int(step), shifted)


def test_spans_are_those_of_the_jacobian():
    layers = [Layer(4, p=(1, 2)), Layer(2, 2), Layer(3, p=1)]
    layers += [Layer(4, 2, 1, transposed=True), Layer(5, p=2)]
    mask = chain_jacobian([Layer(4, p=2), *layers[1:]], size=64)
    for output in range(20, 40):
        inputs = mask[output].nonzero()[0]
        # PyTorch pads both sides by 2: one more unit before the first layer.
        assert ar.span(output, layers) == (inputs[0] + 1, inputs[-1] + 2)
    first, last = ar.span(20, layers), ar.span(39, layers)
    assert ar.span(range(20, 40), layers) == (first[0], last[1])
    assert ar.span(1, [Layer(1, 2, transposed=True)]) == (0, 0)


def test_receptive_field_of_vgg16():
    block = [Layer(3, p=1)] * 2 + [Layer(2, 2)]
    blocks = [Layer(3, p=1)] * 3 + [Layer(2, 2)]
    assert ar.receptive_field([*block, *block, *blocks, *blocks, *blocks]) == 212
    assert ar.effective_stride([*block, *block, *blocks, *blocks, *blocks]) == 32


def test_cost_equals_the_counted_products():
    for k, s, p, a, d in itertools.product(
        (1, 2, 3), (1, 2, 3), (0, 1), (0, 1), (1, 2)
    ):
        if a >= max(s, d):
            continue
        layer = Layer(k, s, p, a, d, transposed=True)
        try:
            o = ar.output_size(3, layer)
        except ValueError:
            continue
        useful = sum(
            0 <= s * j - p + d * m < o for j, m in itertools.product(range(3), range(k))
        )
        assert ar.cost([3], [layer]) == Cost(o * k, useful)
        assert ar.cost([3, 3], [layer] * 2, (4, 6), 2) == Cost(
            12 * (o * k) ** 2, 12 * useful**2
        )


def test_useful_cost_of_a_direct_layer_excludes_padding():
    layer = Layer(3, s=1, p=1)
    assert ar.cost([5], [layer]) == Cost(literal=15, useful=13)
    assert np.count_nonzero(matrix(5, 3, 1, 1, 1)) == 13


@pytest.mark.parametrize(
    ("layer", "number"),
    [
        (Layer(3), 1),
        (Layer(4, p=2), 2),
        (Layer(3, p=1), 3),
        (Layer(3, p=2), 4),
        (Layer(3, 2), 5),
        (Layer(3, 2, 1), 6),
        (Layer(3, d=2), 15),
        (Layer(3, transposed=True), 8),
        (Layer(4, p=2, transposed=True), 9),
        (Layer(3, p=(0, 1), transposed=True), 9),
        (Layer(3, p=1, transposed=True), 10),
        (Layer(3, p=2, transposed=True), 11),
        (Layer(3, 2, transposed=True), 12),
        (Layer(3, 2, 1, transposed=True), 13),
        (Layer(3, 2, 1, 1, transposed=True), 14),
    ],
)
def test_number_of_the_relationship(layer, number):
    assert ar.relationship(layer) == number


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ar.direct_size(2, 5),
            "got a kernel that spans 5 on an input padded to 2: expected at most 2; "
            "take a smaller k or d, or a larger p",
        ),
        (
            lambda: ar.transposed_size(3, 3, 2, 1, 2),
            "got output padding a = 2, expected 0 <= a < max(s, d) = 2",
        ),
        (
            lambda: ar.transposed_size(1, 2, 1, 1),
            "got padding p = 1 that leaves an output of size 0, expected at least 1; "
            "take a smaller p",
        ),
        (
            lambda: ar.output_padding_for(9, 3, 3, 2, 1),
            "got output size 9 for input size 3 with k=3, s=2, p=1, d=1: "
            "expected 5 to 6",
        ),
        (lambda: ar.stretched_size(0, 2), "got i = 0, expected at least 1"),
        (lambda: ar.effective_kernel(3, 0), "got d = 0, expected at least 1"),
        (lambda: ar.solve(0), "got factor = 0, expected at least 1"),
        (
            lambda: ar.relationship_14(3, 3, 2, 1, 2),
            "got a = 2, expected 0 <= a < s = 2",
        ),
        (
            lambda: ar.relationship_3(5, 4),
            "got k = 4, expected an odd kernel: half padding needs one",
        ),
    ],
)
def test_error_texts(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == message


def test_numbers_of_numpy_do_not_overflow():
    small = np.uint8
    size = ar.transposed_size(small(200), small(3), small(2), small(3))
    assert size == ar.transposed_size(200, 3, 2, 3) == 395
    assert ar.transposed_size(5, 3, 2, np.array([1, 0])) == 10
    assert ar.effective_padding(small(1), small(2)) == (-2, -2)
    assert ar.output_padding_for(small(6), small(3), 3, small(2), 1) == 1
    with pytest.raises(ValueError, match=r"got k 3\.0, expected an integer"):
        ar.transposed_size(5, 3.0)
