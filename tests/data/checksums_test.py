"""Links and checksums of a folder, with SHA256SUMS written by sha256sum."""

import shutil
import subprocess

import pytest

from cpcnn_jax.data import checksums


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "folder"
    (folder / "a b").mkdir(parents=True)
    (folder / "a b" / "é.txt").write_text("one")
    (folder / "two.txt").write_text("two")
    return folder


def write_sums(folder, *options):
    if not shutil.which("sha256sum"):
        pytest.skip("no sha256sum installed")
    lines = [line for line in checksums.__doc__.splitlines() if " find " in line]
    command = lines[0].replace("sha256sum {}", f"sha256sum {' '.join(options)} {{}}")
    subprocess.run(command, shell=True, cwd=folder, check=True)


def check_error(folder, path):
    with pytest.raises(ValueError) as error:
        checksums.make_checker(folder)(path)
    return str(error.value)


@pytest.mark.parametrize("options", [(), ("--binary",)])
def test_checksums_of_sha256sum_are_verified(folder, options):
    write_sums(folder, *options)
    check = checksums.make_checker(folder)
    for path in (folder / "a b" / "é.txt", folder / "two.txt"):
        assert check(path) == path
    (folder / "two.txt").write_text("2")
    expected = f"{folder}/two.txt has another SHA-256 than {folder}/SHA256SUMS says."
    assert check_error(folder, folder / "two.txt") == expected
    assert check(folder / "a b" / "é.txt")


def test_checksums_are_read_in_lower_case(folder):
    digest = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert checksums.sha256(folder / "a b" / "é.txt") == digest
    (folder / "SHA256SUMS").write_text(f"{digest.upper()} *./a b/é.txt\n")
    assert checksums.read_checksums(folder) == {folder / "a b" / "é.txt": digest}


def test_unlisted_file_is_not_checked(folder):
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  gone.txt\n")
    check = checksums.make_checker(folder)
    assert check(folder / "two.txt") and check(folder / "gone.txt")


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"abc  two.txt\n", "line 1: expected a SHA-256, two spaces and a file's name"),
        (b"\n", "line 1: expected"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_invalid_list_raises_value_error(folder, content, reason):
    (folder / "SHA256SUMS").write_bytes(content)
    with pytest.raises(ValueError) as error:
        checksums.make_checker(folder)
    assert str(error.value).startswith(f"{folder}/SHA256SUMS") and reason in str(error)


def test_link_out_of_the_folder_raises_value_error(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    link = folder / "link.txt"
    link.symlink_to("../secret")
    expected = f"{link} is a link that leads out of {folder} to {secret}: put the file"
    assert check_error(folder, link).startswith(expected)
    (folder / "outside").symlink_to(tmp_path)
    assert "leads out" in check_error(folder, folder / "outside" / "secret")


def test_link_to_itself_is_no_file(folder):
    (folder / "loop.txt").symlink_to("loop.txt")
    try:
        path = checksums.make_checker(folder)(folder / "loop.txt")
    except ValueError as error:
        assert str(error).startswith(f"{folder}/loop.txt is a link that leads nowhere")
    else:
        assert not path.is_file()  # from Python 3.13 on


def test_link_inside_the_folder_is_followed(folder, tmp_path):
    (folder / "link.txt").symlink_to("two.txt")
    assert checksums.make_checker(folder)(folder / "link.txt")
    (tmp_path / "other").symlink_to(folder)  # the folder itself may be a link
    assert checksums.make_checker(tmp_path / "other")(tmp_path / "other" / "two.txt")


def test_identical_files_are_found(folder):
    names = "two.txt", "a b/é.txt", "same.txt", "again.txt", "none.txt"
    (folder / "same.txt").write_text("two")
    (folder / "again.txt").write_text("two")
    paths = [folder / name for name in names]
    assert checksums.find_duplicates(paths) == [{paths[0], paths[2], paths[3]}]
    assert checksums.find_duplicates(paths[:2]) == []  # same size, other content


def test_two_checksums_of_one_file_raise_value_error(folder):
    lines = [
        f"{digit * 64}  {name}\n"
        for digit, name in (("0", "two.txt"), ("1", "./two.txt"))
    ]
    (folder / "SHA256SUMS").write_text("".join(lines))
    with pytest.raises(ValueError, match="line 2: ./two.txt has two SHA-256"):
        checksums.read_checksums(folder)
