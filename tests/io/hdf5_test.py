"""HDF5 from elsewhere: damaged, missing, and with arrays that lie somewhere else."""

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


def test_an_array_of_the_file_itself(path):
    with hdf5.open_hdf5(path) as file:
        found = np.asarray(hdf5.read_array(file, "group/own"))
        assert hdf5.read_array(file, "group") is None
        assert hdf5.read_array(file, "nothing") is None
    np.testing.assert_array_equal(found, [[0, 1, 2], [3, 4, 5]])


def link(file, folder):
    file["wrong"] = h5py.ExternalLink(str(folder / "other.h5"), "secret")


def link_to_link(file, folder):
    file["outer"] = h5py.ExternalLink(str(folder / "other.h5"), "/")
    file["wrong"] = h5py.SoftLink("/outer/secret")


def stored_outside(file, folder):
    (folder / "bytes").write_bytes(bytes(8))
    external = [(str(folder / "bytes"), 0, 8)]
    file.create_dataset("wrong", (1,), np.float64, external=external)


def virtual(file, folder):
    layout = h5py.VirtualLayout((3,), np.float64)
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "secret", (3,))
    file.create_virtual_dataset("wrong", layout)


@pytest.mark.parametrize("write", [link, link_to_link, stored_outside, virtual])
def test_what_lies_in_another_file_is_refused(write, path):
    with h5py.File(path, "a") as file:
        write(file, path.parent)
    with pytest.raises(ValueError, match="a.h5: wrong lies in another file; refused"):
        with hdf5.open_hdf5(path) as file:
            hdf5.read_array(file, "wrong")


@pytest.mark.parametrize("content", [b"", b"text", "half"])
def test_a_damaged_file_is_named(content, path):
    whole = path.read_bytes()
    path.write_bytes(whole[:700] if content == "half" else content)
    with pytest.raises(ValueError, match=r"a\.h5 cannot be read as HDF5: "):
        with hdf5.open_hdf5(path):
            pass


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="no file at .*b.h5"):
        with hdf5.open_hdf5(tmp_path / "b.h5"):
            pass


def test_without_h5py_the_error_says_what_to_install(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ValueError, match=r"pip install 'cpcnn_jax\[convert\]'"):
        with hdf5.open_hdf5(path):
            pass
