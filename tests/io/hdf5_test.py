"""HDF5 files that are damaged, missing or refer to other files."""

import sys

import numpy as np
import pytest

from cpcnn_jax.io import hdf5

h5py = pytest.importorskip("h5py")


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/own"] = np.arange(6.0).reshape(2, 3)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.ones(3)
    return tmp_path / "a.h5"


def test_read_array_returns_an_array_of_the_file(path):
    with hdf5.open_hdf5(path) as file:
        array = np.asarray(hdf5.read_array(file, "group/own"))
        assert hdf5.read_array(file, "group") is None
        assert hdf5.read_array(file, "nothing") is None
    np.testing.assert_array_equal(array, [[0, 1, 2], [3, 4, 5]])


def add_link(file, folder):
    file["wrong"] = h5py.ExternalLink(str(folder / "other.h5"), "secret")


def add_link_to_link(file, folder):
    file["outer"] = h5py.ExternalLink(str(folder / "other.h5"), "/")
    file["wrong"] = h5py.SoftLink("/outer/secret")


def add_external_data(file, folder):
    (folder / "bytes").write_bytes(bytes(8))
    external = [(str(folder / "bytes"), 0, 8)]
    file.create_dataset("wrong", (1,), np.float64, external=external)


def add_virtual(file, folder):
    layout = h5py.VirtualLayout((3,), np.float64)
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "secret", (3,))
    file.create_virtual_dataset("wrong", layout)


@pytest.mark.parametrize(
    "add", [add_link, add_link_to_link, add_external_data, add_virtual]
)
def test_array_in_another_file_raises_value_error(add, path):
    with h5py.File(path, "a") as file:
        add(file, path.parent)
    with pytest.raises(ValueError, match="a.h5: wrong lies in another file; refused"):
        with hdf5.open_hdf5(path) as file:
            hdf5.read_array(file, "wrong")


@pytest.mark.parametrize("content", [b"", b"text", "half"])
def test_damaged_file_raises_value_error(content, path):
    data = path.read_bytes()
    path.write_bytes(data[:700] if content == "half" else content)
    with pytest.raises(ValueError, match=r"a\.h5 cannot be read as HDF5: "):
        with hdf5.open_hdf5(path):
            pass


def test_missing_file_raises_value_error(tmp_path):
    with pytest.raises(ValueError, match="no file at .*b.h5"):
        with hdf5.open_hdf5(tmp_path / "b.h5"):
            pass


def test_missing_h5py_error_names_the_extra(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ValueError, match=r"pip install 'cpcnn_jax\[convert\]'"):
        with hdf5.open_hdf5(path):
            pass
