"""The order of examples: epochs, seeds, resuming and rounds."""

import collections

import numpy as np
import pytest

from cpcnn_jax.data.example_order import VISIT, ExampleOrder


def order_of(groups, *, windows=6, batch_size=4, seed=0):
    return ExampleOrder(groups, windows=windows, batch_size=batch_size, seed=seed)


def stream(order, steps):
    """[(group, place, window)] of the first steps."""
    return [
        (part.group, *pair)
        for part in order.rounds(0, steps)
        for step in range(part.first, part.stop)
        for pair in order.examples(part.group, step).tolist()
    ]


def test_each_epoch_holds_every_window_once_in_a_new_order():
    order = order_of([[7, 3, 9, 1]])
    seen = stream(order, 12)  # 48 examples are two epochs of 24
    assert len(set(seen[:24])) == len(set(seen[24:])) == 24
    assert seen[:24] != seen[24:]
    assert seen != stream(order_of([[7, 3, 9, 1]], seed=1), 12)


def test_a_batch_may_lie_in_several_epochs():
    order = order_of([[5]], windows=3, batch_size=8)
    pairs = np.concatenate([order.examples(0, step) for step in range(3)])
    assert collections.Counter(pairs[:, 1].tolist()) == {0: 8, 1: 8, 2: 8}
    for start in range(0, 24, 3):
        assert set(pairs[start : start + 3, 1].tolist()) == {0, 1, 2}


def test_examples_depend_on_the_step_alone():
    order = order_of([[0, 1, 2]])
    late = order.examples(0, 1000)
    for step in range(5):
        order.examples(0, step)
    np.testing.assert_array_equal(order.examples(0, 1000), late)
    assert late.dtype == np.int32 and late.shape == (4, 2)


GROUPS = [[0, 1, 2], [3, 4], [5, 6, 7, 8]]


@pytest.mark.parametrize("first", [0, 1, 23, 24, 71, 72, 73, 200])
def test_rounds_resume_at_any_step(first):
    order, stop = order_of(GROUPS), 300
    whole = {
        step: part.group
        for part in order.rounds(0, stop)
        for step in range(part.first, part.stop)
    }
    assert sorted(whole) == list(range(stop))
    resumed = {
        step: part.group
        for part in order.rounds(first, stop)
        for step in range(part.first, part.stop)
    }
    assert resumed == {step: whole[step] for step in range(first, stop)}


def test_rounds_visit_all_groups_in_each_cycle_and_every_window_equally():
    order = order_of(GROUPS)
    cycle = sum(len(group) * VISIT // 4 for group in GROUPS)
    rounds = list(order.rounds(0, 6 * cycle))
    assert len(rounds) == 18
    orders = {tuple(part.group for part in rounds[n : n + 3]) for n in range(0, 18, 3)}
    assert len(orders) > 1 and all(sorted(o) == [0, 1, 2] for o in orders)
    seen = collections.Counter(stream(order, 6 * cycle))
    assert len(seen) == 9 * 6
    assert set(seen.values()) == {VISIT}  # 6 cycles of 32 windows, 6 windows an image


def test_used_examples_are_those_of_the_steps():
    order = order_of(GROUPS)
    used = order.used_examples(30)
    seen = stream(order, 30)
    for group, pairs in enumerate(used):
        expected = {(place, window) for g, place, window in seen if g == group}
        assert {tuple(pair) for pair in pairs.tolist()} == expected
        assert len(pairs) == len(expected)


def test_no_steps_have_no_rounds():
    assert list(order_of([[0]]).rounds(5, 5)) == []
    assert list(order_of(GROUPS).rounds(5, 5)) == []
