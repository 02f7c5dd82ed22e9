"""Folders with links, hidden files, other kinds of files and unreadable folders."""

import os

import pytest

from cpcnn_jax.io import folder_listing


@pytest.fixture
def folder(tmp_path):
    for name in ("m/b.JPG", "m/a/1.jpg", "disk/2.jpg", "disk/deep/3.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path / "m"


def names(folder):
    listing = folder_listing.list_folder(folder, (".jpg",))
    return [os.path.relpath(file, folder) for file in listing.files], listing.left_out


def test_linked_folders_are_entered_once(folder):
    (folder / "0").symlink_to("a")  # sorts before the folder itself
    (folder / "disk").symlink_to(folder.parent / "disk")
    (folder / "same").symlink_to("disk")
    (folder / "round").symlink_to(".")
    (folder / "up").symlink_to("..")
    (folder.parent / "disk" / "back").symlink_to(folder)
    files, left_out = names(folder)
    assert files == ["a/1.jpg", "b.JPG", "disk/2.jpg", "disk/deep/3.jpg"]
    assert left_out == {"folder listed already": 4, "link to a folder above": 1}


def test_broken_link_is_listed_and_a_pipe_is_not(folder):
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    (folder / "self.jpg").symlink_to("self.jpg")
    os.mkfifo(folder / "pipe.jpg")
    files, left_out = names(folder)
    assert files == ["a/1.jpg", "b.JPG", "gone.jpg", "self.jpg"]
    assert left_out == {".jpg that is a device or a pipe": 1}


def test_hidden_files_and_folders_are_left_out(folder):
    for name in ("._b.jpg", ".DS_Store", ".thumbnails/b.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    files, left_out = names(folder)
    assert files == ["a/1.jpg", "b.JPG"]
    assert left_out == {"hidden file": 2, "hidden folder": 1}
    assert names(folder / ".thumbnails")[0] == ["b.jpg"]  # named by the user


def test_unreadable_folder_is_named(folder, monkeypatch):
    def scandir(path):
        if path.endswith("/a"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    real = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    listing = folder_listing.list_folder(folder, (".jpg",))
    assert listing.files == [f"{folder}/b.JPG"]
    assert listing.unreadable == {f"{folder}/a": "Permission denied"}
    assert listing.left_out == {"folder that cannot be read": 1}


def test_description_names_kinds_and_numbers(folder):
    for name in ("1.HEIC", "2.heic", "notes", "more"):
        (folder / name).touch()
    text = folder_listing.describe(names(folder)[1])
    assert text == "2 .heic, 2 files without a suffix"
    many = {f".{number:03d}": 1 for number in range(100)}
    assert folder_listing.describe(many).endswith("1 .011, 88 of other kinds")
