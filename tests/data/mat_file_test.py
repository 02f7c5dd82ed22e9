"""MATLAB files are read as by SciPy; damaged ones are refused before SciPy ends."""

import io
import struct
import warnings

import numpy as np
import pytest
import scipy.sparse
from scipy.io import loadmat, savemat

from cpcnn_jax.data import mat_file, readers

VARIABLES = {
    "annPoints": np.arange(6.0).reshape(3, 2),
    "image_info": np.array([[{"location": np.ones((2, 2)), "number": 2}]], object),
    "cells": np.array([{"q": 1}, "abc", np.zeros((0, 0))], object),
    "complex": 1j * np.ones((2, 2), np.float32),
    "texts": np.array(["abc", "def"]),
    "sparse": scipy.sparse.csc_matrix(np.eye(3)),
    "small": np.uint8([1, 2]),
}


def encode(variables, **options):
    file = io.BytesIO()
    savemat(file, variables, **options)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_variables_equal_those_of_scipy(tmp_path, compressed):
    path = tmp_path / "a.mat"
    path.write_bytes(encode(VARIABLES, do_compression=compressed))
    variables, expected = mat_file.load_mat(path), loadmat(path)
    assert variables.keys() == expected.keys()
    assert repr(variables) == repr(expected)
    np.testing.assert_array_equal(variables["annPoints"], VARIABLES["annPoints"])


def test_version_4_is_read(tmp_path):
    path = tmp_path / "a.mat"
    path.write_bytes(encode({"annPoints": VARIABLES["annPoints"]}, format="4"))
    np.testing.assert_array_equal(readers.read_points(path), VARIABLES["annPoints"])


POINTS = encode({"annPoints": VARIABLES["annPoints"]})
# Places of numbers in POINTS: size of the variable, class, dimensions, type and size of
# the values.
SIZE, CLASS, ROWS, TYPE, BYTES = 132, 144, 160, 192, 196


@pytest.mark.parametrize(
    ("place", "value", "text"),
    [
        (TYPE, 8, "an array has other elements than it declares"),
        (TYPE, 14, "an array has other elements than it declares"),
        (TYPE, 0xA01EE2E8, "an element declares 40990 bytes and is truncated"),
        (BYTES, 49, "an element declares 49 bytes and is truncated"),
        (BYTES, 0, "an element declares .* and is truncated"),
        (SIZE, 0xFFFFFFFF, "an element declares 4294967295 bytes and is truncated"),
        (SIZE, 0, "a variable is damaged"),
        (128, 3, "a variable is damaged"),
        (CLASS, 17, "an array of class 17 is not supported"),
        (CLASS, 1, "an array has other elements than it declares"),
        (CLASS, 2, "a struct has no names of fields"),
        (CLASS, 0x806, "an array has other elements than it declares"),
        (ROWS, 2**30, r"an array declares \(1073741824, 2\) values"),
        (ROWS, 0xFFFFFFFF, r"an array declares \(-1, 2\) values"),
    ],
)
def test_damaged_number_is_refused(tmp_path, place, value, text):
    data, path = bytearray(POINTS), tmp_path / "a.mat"
    struct.pack_into("<I", data, place, value)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"^{path} holds no head points: .*: {text}"):
        readers.read_points(path)


@pytest.mark.parametrize("end", [129, 140, 180, 199, len(POINTS) - 1])
def test_truncated_file_is_refused(tmp_path, end):
    path = tmp_path / "a.mat"
    path.write_bytes(POINTS[:end])
    with pytest.raises(ValueError, match="truncated"):
        readers.read_points(path)


def test_deeply_nested_arrays_are_refused(tmp_path):
    """SciPy would call itself once for each."""
    flags = struct.pack("<IIIIIIii", 6, 8, 1, 0, 5, 8, 1, 1)
    data, path = b"", tmp_path / "a.mat"
    for _ in range(20_000):
        data = (
            struct.pack("<II", 14, len(data) + 40)
            + flags
            + bytes((1, 0, 0, 0))
            + (bytes(4) + data)
        )
    path.write_bytes(POINTS[:128] + data)
    with pytest.raises(ValueError, match="RecursionError"):
        readers.read_points(path)


def test_compressed_variable_has_a_limit(tmp_path, monkeypatch):
    path = tmp_path / "a.mat"
    path.write_bytes(encode({"annPoints": np.zeros((9999, 2))}, do_compression=True))
    assert readers.read_points(path).shape == (9999, 2)
    monkeypatch.setattr(mat_file, "MAX_SIZE", 100_000)
    with pytest.raises(ValueError, match="truncated"):
        readers.read_points(path)


def test_warnings_of_scipy_are_errors(tmp_path):
    path = tmp_path / "a.mat"
    path.write_bytes(POINTS + POINTS[128:])
    with warnings.catch_warnings(), pytest.raises(ValueError, match="Duplicate"):
        warnings.simplefilter("ignore")
        readers.read_points(path)
