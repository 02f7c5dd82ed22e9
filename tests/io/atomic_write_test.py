import pytest

from cpcnn_jax.io import atomic_write


def test_existing_file_is_replaced(tmp_path):
    file = tmp_path / "a.json"
    for data in (b"one", b"two"):
        atomic_write.write_atomic(file, data)
        assert file.read_bytes() == data
    assert list(tmp_path.iterdir()) == [file]


def test_full_disk_leaves_the_previous_file(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    file.write_bytes(b"old")

    def open_on_full_disk(path, mode):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_write, "open", open_on_full_disk, raising=False)
    with pytest.raises(OSError, match="No space left on device: '.*a.json'"):
        atomic_write.write_atomic(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_path_inside_a_file_raises_not_a_directory(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file/a.json"):
        atomic_write.write_atomic(tmp_path / "file" / "a.json", b"")


def test_failed_write_leaves_the_previous_file(tmp_path):
    file = tmp_path / "map.npy"
    file.write_bytes(b"old")
    with pytest.raises(OSError, match="5 requested and 3 written: '.*map.npy'"):
        with atomic_write.open_atomic(file) as temporary:
            temporary.write(b"new")
            raise OSError("5 requested and 3 written")  # numpy's text
    with pytest.raises(KeyboardInterrupt), atomic_write.open_atomic(file):
        raise KeyboardInterrupt
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_json_and_csv_end_in_a_newline(tmp_path):
    atomic_write.write_json(tmp_path / "a.json", {"a": [1, None]})
    expected = '{\n  "a": [\n    1,\n    null\n  ]\n}\n'
    assert (tmp_path / "a.json").read_text() == expected
    atomic_write.write_csv(tmp_path / "a.csv", [("x", "y"), (1.5, 'a,"b')])
    assert (tmp_path / "a.csv").read_bytes() == b'x,y\n1.5,"a,""b"\n'
