import pytest

from cpcnn_jax import files


def test_a_file_is_replaced(tmp_path):
    file = tmp_path / "a.json"
    for data in (b"one", b"two"):
        files.replace(file, data)
        assert file.read_bytes() == data
    assert list(tmp_path.iterdir()) == [file]


def test_what_was_there_outlives_a_full_disk(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    file.write_bytes(b"old")

    def full(path, data):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left on device: '.*a.json'"):
        files.replace(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_none(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file/a.json"):
        files.replace(tmp_path / "file" / "a.json", b"")
