"""The validation photographs: the same for everybody, and never learned from."""

import hashlib

import numpy as np
import pytest

from cpcnn_jax import config, data
from cpcnn_jax.data import splits


class Named:
    """A source of nothing but names; photograph i is i."""

    def __init__(self, *names):
        self.names, self.skipped = list(names), ("IMG_0.jpg is no photograph.",)
        self.shapes = [(64 + i, 64) for i in range(len(names))]
        self.points = [np.full((i, 2), i, np.float32) for i in range(len(names))]

    def __len__(self):
        return len(self.names)

    def __getitem__(self, i):
        return i


NAMES = [f"IMG_{i}" for i in range(1, 301)]


def test_the_smallest_hashes_are_held_out():
    learn, validate = splits.split(Named(*NAMES), 10)
    assert (len(learn), len(validate)) == (270, 30)
    assert {*learn.names} | {*validate.names} == {*NAMES}
    digests = [hashlib.sha256(name.encode()).hexdigest() for name in NAMES]
    smallest = {NAMES[i] for i in sorted(range(300), key=digests.__getitem__)[:30]}
    assert {*validate.names} == smallest
    assert "IMG_87" in smallest  # by sha256sum its hash is the first: 005...


def test_parts_are_sources_in_the_order_of_the_whole():
    source = Named(*NAMES)
    for part in splits.split(source, 25):
        numbers = [part[i] for i in range(len(part))]
        assert numbers == sorted(numbers)
        assert part.names == [NAMES[i] for i in numbers]
        assert part.shapes == [source.shapes[i] for i in numbers]
        assert [len(points) for points in part.points] == numbers
        assert part.skipped == source.skipped


def test_the_choice_follows_names_not_places():
    one = splits.split(Named(*NAMES), 10)[1]
    other = splits.split(Named(*NAMES[::-1]), 10)[1]
    assert {*one.names} == {*other.names}


@pytest.mark.parametrize("count, share, held", [(6, 10, 1), (6, 0, 0), (10, 99, None)])
def test_a_share_is_rounded_up(count, share, held):
    source = Named(*NAMES[:count])
    if held is None:
        text = "--config.validation.percent=99 holds out 10 of 10 .* none is left"
        with pytest.raises(ValueError, match=text):
            splits.split(source, share)
    else:
        assert len(splits.split(source, share)[1]) == held


def test_photographs_come_through_whole():
    source = data.open_dataset(config.SyntheticCrowd(num_train=4), "train")
    learn, validate = splits.split(source, 50)
    for part in (learn, validate):
        for i, name in enumerate(part.names):
            record = part[i]
            whole = source[source.names.index(name)]
            assert record["name"] == name
            np.testing.assert_array_equal(record["image"], whole["image"])
            np.testing.assert_array_equal(part.points[i], record["points"])
