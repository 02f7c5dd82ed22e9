"""State dicts of PyTorch, and files that are refused."""

import os
import sys

import numpy as np
import pytest
import torch

from cpcnn_jax.weights.importers import torch_file


def module():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 5, (3, 2)), torch.nn.BatchNorm2d(5))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("inside", [False, True])
def test_tensors_are_read(tmp_path, zipped, inside):
    state, file = module().state_dict(), tmp_path / "a.pth"
    saved = {"epoch": 3, "state_dict": state} if inside else state
    torch.save(saved, file, _use_new_zipfile_serialization=zipped)
    assert torch_file.is_torch_file(file.read_bytes())
    arrays = torch_file.read_tensors(file)
    assert list(arrays) == list(state)
    for name, value in state.items():
        assert arrays[name].dtype == value.numpy().dtype
        np.testing.assert_array_equal(arrays[name], value)


def test_parameters_are_read_as_tensors(tmp_path):
    torch.save({"weight": torch.nn.Parameter(torch.eye(3))}, tmp_path / "a.pth")
    arrays = torch_file.read_tensors(tmp_path / "a.pth")
    np.testing.assert_array_equal(arrays["weight"], np.eye(3))


class _Command:
    def __reduce__(self):
        return os.system, ("touch hacked",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_runs_commands_is_refused(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    tree = {"a": torch.ones(1), "b": _Command()}
    torch.save(tree, "a.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match="^a.pth holds more than a dict of tensors"):
        torch_file.read_tensors("a.pth")
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize("tree", [[1, 2], {"a": 1}, 3])
def test_file_without_tensors_raises_value_error(tmp_path, tree):
    torch.save(tree, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="a.pth holds (no tensors|more than a dict)"):
        torch_file.read_tensors(tmp_path / "a.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_file_raises_one_sentence(tmp_path, zipped):
    """Damages: every 37th truncation, and 200 files with one changed byte."""
    file = tmp_path / "a.pth"
    torch.save(module().state_dict(), file, _use_new_zipfile_serialization=zipped)
    data, random = file.read_bytes(), np.random.default_rng(0)
    mutants = [data[:n] for n in range(0, len(data) - 1, 37)]
    for place in random.integers(0, len(data), 200):
        mutants.append(data[:place] + bytes([random.integers(256)]) + data[place + 1 :])
    for mutant in mutants:
        file.write_bytes(mutant)
        try:
            arrays = torch_file.read_tensors(file)
        except ValueError as error:
            assert str(error).startswith(f"{file} ") and "\n" not in str(error)
        else:
            assert all(isinstance(value, np.ndarray) for value in arrays.values())


def test_error_without_pytorch_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match="needs PyTorch: pip install torch"):
        torch_file.read_tensors(tmp_path / "a.pth")
