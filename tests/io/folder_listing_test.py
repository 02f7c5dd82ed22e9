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
    assert left_out == {"folder listed already": 2, "link to a folder above": 3}


def test_broken_link_is_listed_and_a_pipe_is_not(folder):
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    (folder / "self.jpg").symlink_to("self.jpg")
    os.mkfifo(folder / "pipe.jpg")
    files, left_out = names(folder)
    assert files == ["a/1.jpg", "b.JPG", "gone.jpg", "self.jpg"]
    assert left_out == {".jpg that is a device, a pipe or a socket": 1}


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
    assert listing.refused == {f"{folder}/a": "Permission denied"}
    assert not listing.left_out


def test_description_names_kinds_and_numbers(folder):
    for name in ("1.HEIC", "2.heic", "notes", "more"):
        (folder / name).touch()
    text = folder_listing.describe(names(folder)[1])
    assert text == "2 .heic, 2 files without a suffix"
    (folder / "Mr. Li, Tuesday").touch()
    assert names(folder)[1]["file with another suffix"] == 1
    many = {f".{number:03d}": 1 for number in range(100)}
    assert folder_listing.describe(many).endswith("1 .011, 88 of other kinds")


def test_all_files_are_listed_without_suffixes(folder):
    for name in ("notes", "a.txt", ".hidden"):
        (folder / name).touch()
    os.mkfifo(folder / "pipe")
    listing = folder_listing.list_folder(folder)
    listed = [os.path.relpath(file, folder) for file in listing.files]
    assert listed == ["a.txt", "a/1.jpg", "b.JPG", "notes"]
    kinds = {"hidden file": 1, "that is a device, a pipe or a socket": 1}
    assert listing.left_out == kinds


def test_first_folders_keep_their_names(folder):
    """A link in one of them is entered before the same folder beside them."""
    for name in ("train", "more"):
        (folder / name).mkdir()
        (folder / name / "1.jpg").touch()
    (folder / "train" / "linked").symlink_to("../more")
    (folder / "train" / "round").symlink_to("..")
    listing = folder_listing.list_folder(folder, (".jpg",), first=[folder / "train"])
    listed = [os.path.relpath(file, folder) for file in listing.files]
    assert listed == ["a/1.jpg", "b.JPG", "train/1.jpg", "train/linked/1.jpg"]
    assert listing.left_out == {"link to a folder above": 1, "folder listed already": 1}


def test_link_that_leads_out_is_refused(folder):
    (folder / "disk").symlink_to("../disk/deep")
    (folder / "again").symlink_to("a")
    listing = folder_listing.list_folder(folder, (".jpg",), within=folder)
    assert len(listing.files) == 2
    reason = f"it is a link that leads out of {folder}"
    assert listing.refused == {f"{folder}/disk": reason}
    assert listing.left_out == {"folder listed already": 1}
