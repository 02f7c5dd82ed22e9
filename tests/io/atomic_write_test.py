import pytest

from cpcnn_jax.io import atomic_write


def test_a_file_is_replaced(tmp_path):
    file = tmp_path / "a.json"
    for data in (b"one", b"two"):
        atomic_write.write_atomic(file, data)
        assert file.read_bytes() == data
    assert list(tmp_path.iterdir()) == [file]


def test_what_was_there_outlives_a_full_disk(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    file.write_bytes(b"old")

    def full(path, mode):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_write, "open", full, raising=False)
    with pytest.raises(OSError, match="No space left on device: '.*a.json'"):
        atomic_write.write_atomic(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_none(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file/a.json"):
        atomic_write.write_atomic(tmp_path / "file" / "a.json", b"")


def test_what_was_there_outlives_half_a_file(tmp_path):
    file = tmp_path / "map.npy"
    file.write_bytes(b"old")
    with pytest.raises(OSError, match="5 requested and 3 written: '.*map.npy'"):
        with atomic_write.open_atomic(file) as half:
            half.write(b"new")
            raise OSError("5 requested and 3 written")  # as numpy says it
    with pytest.raises(KeyboardInterrupt), atomic_write.open_atomic(file):
        raise KeyboardInterrupt
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
