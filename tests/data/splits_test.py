"""The validation split: a function of names, apart from the training images."""

import hashlib

import numpy as np
import pytest

from cpcnn_jax import config, data
from cpcnn_jax.data import splits


class Named:
    """A data set whose record i is i."""

    def __init__(self, *names):
        self.names, self.skipped = list(names), ("IMG_0.jpg is not an image.",)
        self.shapes = [(64 + i, 64) for i in range(len(names))]
        self.points = [np.full((i, 2), i, np.float32) for i in range(len(names))]

    def __len__(self):
        return len(self.names)

    def __getitem__(self, i):
        return i


NAMES = [f"IMG_{i}" for i in range(1, 301)]


def test_images_with_the_smallest_hashes_are_held_out():
    training, validation = splits.split(Named(*NAMES), 10)
    assert (len(training), len(validation)) == (270, 30)
    assert {*training.names} | {*validation.names} == {*NAMES}
    digests = [hashlib.sha256(name.encode()).hexdigest() for name in NAMES]
    smallest = {NAMES[i] for i in sorted(range(300), key=digests.__getitem__)[:30]}
    assert {*validation.names} == smallest
    assert "IMG_87" in smallest  # its SHA-256 is the smallest: 005...


def test_both_parts_are_data_sets_in_the_original_order():
    dataset = Named(*NAMES)
    for part in splits.split(dataset, 25):
        numbers = [part[i] for i in range(len(part))]
        assert numbers == sorted(numbers)
        assert part.names == [NAMES[i] for i in numbers]
        assert part.shapes == [dataset.shapes[i] for i in numbers]
        assert [len(points) for points in part.points] == numbers
        assert part.skipped == dataset.skipped


def test_choice_depends_on_names_and_not_on_order():
    one = splits.split(Named(*NAMES), 10)[1]
    other = splits.split(Named(*NAMES[::-1]), 10)[1]
    assert {*one.names} == {*other.names}


@pytest.mark.parametrize(
    "count, percent, held", [(6, 10, 1), (6, 0, 0), (10, 99, None)]
)
def test_percentage_is_rounded_up(count, percent, held):
    dataset = Named(*NAMES[:count])
    if held is None:
        text = "--config.validation.percent=99 holds out 10 of 10 .* none is left"
        with pytest.raises(ValueError, match=text):
            splits.split(dataset, percent)
    else:
        assert len(splits.split(dataset, percent)[1]) == held


def test_records_are_unchanged():
    dataset = data.open_dataset(config.SyntheticCrowd(num_train=4), "train")
    training, validation = splits.split(dataset, 50)
    for part in (training, validation):
        for i, name in enumerate(part.names):
            record = part[i]
            original = dataset[dataset.names.index(name)]
            assert record["name"] == name
            np.testing.assert_array_equal(record["image"], original["image"])
            np.testing.assert_array_equal(part.points[i], record["points"])


def test_named_images_are_held_out(tmp_path):
    file = tmp_path / "names.txt"
    file.write_text("IMG_30\n\n IMG_2 \n")
    training, validation = splits.split_by_names(Named(*NAMES), file)
    assert validation.names == ["IMG_2", "IMG_30"]
    assert len(training) == 298 and not {*training.names} & {*validation.names}


@pytest.mark.parametrize(
    "text, error",
    [
        ("IMG_2\nIMG_2", "has 'IMG_2' twice"),
        ("IMG_2\nimg_3", "has 'img_3', which is no training image; .* like 'IMG_1'"),
        ("\n", "holds out 0 of 300"),
        ("\n".join(NAMES), "holds out 300 of 300"),
        (None, "cannot be read: .*No such file"),
        (b"\xff\xfe", "cannot be read: .*decode"),
    ],
)
def test_wrong_list_of_names_is_refused(tmp_path, text, error):
    file = tmp_path / "names.txt"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=f"names_file=.*names.txt {error}"):
        splits.split_by_names(Named(*NAMES), file)
