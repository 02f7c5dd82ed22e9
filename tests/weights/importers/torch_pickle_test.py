"""What torch.save writes is read as PyTorch reads it; what is hostile is refused."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from cpcnn_jax.weights.importers import torch_pickle


class _Module(torch.nn.Module):
    """A parameter, a number of steps, two views of one storage."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(3, 5, (3, 2))
        self.norm = torch.nn.BatchNorm2d(5)
        both = torch.arange(24.0).reshape(4, 6)
        self.register_buffer("turned", both.T)
        self.register_buffer("late", both[2:, 1::2])
        self.register_buffer("short", torch.ones(2, dtype=torch.float16))
        self.register_buffer("scalar", torch.tensor(2.5, dtype=torch.float64))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("inside", [False, True])
def test_tensors_come_back(tmp_path, zipped, inside):
    state, file = _Module().state_dict(), tmp_path / "a.pth"
    saved = {"epoch": 3, "state_dict": state} if inside else state
    torch.save(saved, file, _use_new_zipfile_serialization=zipped)
    found = torch_pickle.read(file)
    assert list(found) == list(state)
    for name, value in state.items():
        assert found[name].dtype == value.numpy().dtype
        np.testing.assert_array_equal(found[name], value)


def test_parameters_are_tensors(tmp_path):
    weight = torch.nn.Parameter(torch.eye(3))
    torch.save({"weight": weight}, tmp_path / "a.pth")
    np.testing.assert_array_equal(
        torch_pickle.read(tmp_path / "a.pth")["weight"], np.eye(3)
    )


class _Command:
    def __reduce__(self):
        return os.system, ("touch hacked",)


class _Call:
    """Pickles as a call of what torch files may name."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def forged(path, tree, *, storage=("storage", torch.FloatStorage, "0", "cpu", 4)):
    """A .pth file whose pickle is of our making; "STORAGE" in it is a storage."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return storage if isinstance(value, str) and value == "STORAGE" else None

    data = io.BytesIO()
    Pickler(data, 2).dump(tree)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data.getvalue())
        archive.writestr("archive/data/0", np.arange(4, dtype="<f4").tobytes())
    return path


def rebuilt(offset, shape, strides):
    rebuild = torch._utils._rebuild_tensor
    return {"a": _Call(rebuild, "STORAGE", offset, shape, strides)}


def test_the_forgery_is_read_where_it_is_honest(tmp_path):
    file = forged(tmp_path / "a.pth", rebuilt(1, (3,), (1,)))
    np.testing.assert_array_equal(torch_pickle.read(file)["a"], [1, 2, 3])


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_runs_commands_is_refused(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    tree = {"a": torch.ones(1), "b": _Command()}
    torch.save(tree, "a.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match="a.pth cannot .* names .*system, which is no"):
        torch_pickle.read("a.pth")
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (rebuilt(0, (5,), (1,)), "outside of its storage"),
        (rebuilt(-1, (2,), (1,)), "outside of its storage"),
        (rebuilt(3, (2,), (-1,)), "outside of its storage"),
        (rebuilt(0, (2**40,), (0,)), "larger than its storage"),
        (rebuilt(0, (2, 2), (1,)), "shorter than argument 1"),
        (rebuilt("a", (2,), (1,)), "can only concatenate str"),
        ({"a": _Call(getattr, "b", "c")}, "names __builtin__.getattr"),
        ({"a": torch.nn.Linear}, "names torch.nn.modules.linear.Linear"),
        ([1, 2], "it holds a list, not a dictionary"),
        ({"a": 1}, "holds no tensors by name"),
    ],
)
def test_hostile_tensors_are_refused(tmp_path, tree, text):
    file = forged(tmp_path / "a.pth", tree)
    with pytest.raises(ValueError, match=f"^{file} .*{text}"):
        torch_pickle.read(file)


@pytest.mark.parametrize(
    "storage",
    [
        ("module", torch.FloatStorage, "0", "cpu", 4),
        ("storage", "float", "0", "cpu", 4),
        ("storage", torch.FloatStorage, "../../secret", "cpu", 4),
        (),
    ],
)
def test_what_is_no_storage_is_refused(tmp_path, storage):
    tree = rebuilt(0, (4,), (1,))
    file = forged(tmp_path / "a.pth", tree, storage=storage)
    with pytest.raises(ValueError, match=f"^{file} cannot be read as PyTorch's: "):
        torch_pickle.read(file)


# A place in the memo that no file needs; the end in the middle; a stack that is empty;
# a length beyond the file.
@pytest.mark.parametrize(
    "code", [b"\x80\x02Nr\xff\xff\xff\x7f.", b"\x80\x02}", b"R.", b"\x8e" + b"\xff" * 8]
)
def test_broken_pickles_are_refused(tmp_path, code):
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("a/data.pkl", code)
    with pytest.raises(ValueError, match=r"a.pth cannot be read as PyTorch's: .+"):
        torch_pickle.read(tmp_path / "a.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_every_shorter_file_is_refused(tmp_path, zipped):
    whole, cut = tmp_path / "a.pth", tmp_path / "cut.pth"
    torch.save({"a": torch.ones(9)}, whole, _use_new_zipfile_serialization=zipped)
    data = whole.read_bytes()
    for size in range(0, len(data) - 1, 7):
        cut.write_bytes(data[:size])
        with pytest.raises(ValueError, match="cut.pth cannot be read as PyTorch's"):
            torch_pickle.read(cut)


def test_a_compressed_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\0" * 10_000_000)
    with pytest.raises(ValueError, match="its members are compressed"):
        torch_pickle.read(tmp_path / "a.pth")
