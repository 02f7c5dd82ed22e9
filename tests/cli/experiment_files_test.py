"""Experiments by name, from any folder, and never from the current one by accident."""

import sys

import pytest

from cpcnn_jax.cli import experiment_files


def test_a_name_is_an_experiment_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").write_text("not this file")
    file = experiment_files.find_experiment("demo")
    assert file.is_absolute() and "get_config" in file.read_text()
    assert experiment_files.find_experiment("./demo").samefile(tmp_path / "demo")


def test_a_path_is_a_file(tmp_path):
    with pytest.raises(ValueError, match="no file .*/mine.py$"):
        experiment_files.find_experiment(str(tmp_path / "mine.py"))
    with pytest.raises(ValueError, match="no file experiments/dmo.py"):
        experiment_files.find_experiment("experiments/dmo.py")
    with pytest.raises(ValueError, match=f"{tmp_path} is a folder: name a file in it"):
        experiment_files.find_experiment(str(tmp_path))


def test_an_unknown_name_lists_the_experiments():
    with pytest.raises(ValueError, match="no experiment named folde, did you mean fol"):
        experiment_files.find_experiment("folde")
    with pytest.raises(ValueError, match="named zzz: expected a file or .*demo, fol"):
        experiment_files.find_experiment("zzz")


def test_experiments_are_found_where_a_wheel_installs_them(tmp_path, monkeypatch):
    class File(type(tmp_path)):
        def locate(self):
            return self

    folder = tmp_path / "share" / "cpcnn_jax" / "experiments"
    folder.mkdir(parents=True)
    (folder / "demo.py").touch()
    files = [File(folder / "demo.py"), File(tmp_path / "cpcnn_jax" / "counter.py")]
    monkeypatch.setattr(experiment_files, "_CLONE", tmp_path / "none")
    monkeypatch.setattr(experiment_files.metadata, "files", lambda name: files)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert experiment_files.list_experiments() == {"demo": folder / "demo.py"}
    experiment_files.make_importable()
    experiment_files.make_importable()
    assert sys.path.count(str(folder.parent)) == 1
