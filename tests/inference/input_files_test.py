"""Arguments of the command line as files, and names of the results."""

import os

import pytest

from cpcnn_jax.inference import input_files


@pytest.fixture
def tree(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt", "deep/er/c.tiff", "none/x.mat"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_files_folders_and_patterns_are_listed(tree):
    def below(path):
        files = input_files.find_files(str(path)).files
        return [file.removeprefix(f"{tree}/") for file in files]

    assert below(tree) == ["a.png", "b.JPG", "deep/er/c.tiff"]
    assert below(tree / "*.[Jp]*") == ["a.png", "b.JPG"]
    assert below(tree / "**" / "*.tiff") == ["deep/er/c.tiff"]
    assert below(tree / "notes.txt") == ["notes.txt"]  # whatever its suffix
    assert below(tree / "gone.jpg") == ["gone.jpg"]  # opening it fails later
    assert input_files.find_files("-").files == ["-"]


def test_file_named_like_a_pattern_is_that_file(tree):
    (tree / "[1].jpg").touch()
    name = str(tree / "[1].jpg")
    assert input_files.find_files(name).files == [name]


def test_argument_without_a_file_raises_value_error(tree):
    with pytest.raises(ValueError, match=r"none contains no images .*, only 1 \.mat"):
        input_files.find_files(str(tree / "none"))
    with pytest.raises(ValueError, match=r"\*.gif matches no file"):
        input_files.find_files(str(tree / "*.gif"))


def test_folders_that_a_pattern_matches_are_left_out(tree):
    listing = input_files.find_files(str(tree / "*"))
    assert len(listing.files) == 3 and listing.left_out == {"folder": 2}
    assert input_files.find_files(str(tree)).left_out == {".txt": 1, ".mat": 1}


def test_pattern_of_subfolders_lists_each_folder_once(tree, monkeypatch):
    """Two links to the folder itself have 2^40 paths."""
    for name in ("round", "again"):
        (tree / name).symlink_to(tree)
    (tree / "linked").symlink_to(tree / "deep")
    (tree / ".hidden.tiff").touch()
    listing = input_files.find_files(str(tree / "**" / "*.tiff"))
    assert listing.files == [str(tree / "deep" / "er" / "c.tiff")]
    assert listing.left_out == {
        **{"link to a folder above": 2, "folder listed already": 1, "hidden file": 1}
    }
    monkeypatch.chdir(tree)
    for pattern, expected in (
        ("**/*.png", ["a.png"]),
        ("**", ["a.png", "b.JPG", "deep/er/c.tiff", "none/x.mat", "notes.txt"]),
        ("d*/**/er/*", ["deep/er/c.tiff"]),
        ("**/d*/**/c.*", ["deep/er/c.tiff"]),
        ("deep/er/**", ["deep/er/c.tiff"]),
    ):
        assert input_files.find_files(pattern).files == expected


@pytest.mark.parametrize("pattern", ["*/*.tiff", "deep/*/c.tiff", "d*/**/c.tiff"])
def test_unreadable_folder_of_a_pattern_is_named(tree, monkeypatch, pattern):
    def scandir(path):
        if str(path) == str(tree / "deep"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    real, access = os.scandir, os.access
    monkeypatch.setattr(os, "scandir", scandir)
    locked = str(tree / "deep")
    monkeypatch.setattr(os, "access", lambda p, m: p != locked and access(p, m))
    listing = input_files.find_files(str(tree / pattern))
    assert not listing.files and listing.refused == {locked: "Permission denied"}


def test_long_and_strange_arguments_are_files():
    for name in ("x" * 5000, "a\0b"):
        assert input_files.find_files(name).files == [name]


def test_output_names_are_different(tmp_path):
    names = ["a/x/1.jpg", "a/y/1.JPG", "a/1.png", "2.jpg", "a/x/2.jpg", "-"]
    files = [name if name == "-" else str(tmp_path / name) for name in names]
    outputs = [path.as_posix() for path in input_files.output_names(files).values()]
    expected = ["x/1.jpg", "y/1.JPG", "1.png", "2.jpg", "a/x/2.jpg", "standard_input"]
    assert outputs == expected
    assert len({path.casefold() for path in outputs}) == len(outputs)
