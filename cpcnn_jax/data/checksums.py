"""Which files of a folder may be read: those in it, with the checksum it gives them.

A folder from elsewhere may hold a link to any file of this machine, so a link that
leads out of it is refused. A file SHA256SUMS in the folder, written by

    find . -type f ! -name SHA256SUMS -exec sha256sum {} + > SHA256SUMS

is believed: a file that it names must have that SHA-256.
"""

import collections
import contextlib
import functools
import hashlib
import re
from pathlib import Path

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def make_checker(folder):
    """The check of a folder's files.

    Args:
      folder: the data set's.

    Returns:
      check(path): the path, or a ValueError in one sentence if it leads out of the
      folder or has another SHA-256 than the folder's SHA256SUMS says.

    Raises:
      ValueError: SHA256SUMS is there and not as sha256sum writes it.
    """
    folder = Path(folder)
    return functools.partial(_check, folder, folder.resolve(), read_checksums(folder))


def read_checksums(folder):
    """The checksums that a folder gives its files.

    Args:
      folder: which may hold a file SHA256SUMS.

    Returns:
      {absolute path: SHA-256 in hexadecimal}, empty without that file.

    Raises:
      ValueError: SHA256SUMS is there and not as sha256sum writes it.
    """
    path = Path(folder) / SUMS
    if not path.is_file():
        return {}
    found = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}.") from None
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if not match:
            raise ValueError(
                f"{path}, line {number}: expected a SHA-256, two spaces and a file's "
                f"name, as sha256sum writes them."
            )
        found[path.parent.resolve() / match[2]] = match[1].lower()
    return found


def sha256(path):
    """Of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_duplicates(paths):
    """Finds files that are the same, byte for byte.

    Args:
      paths: of files; those that are not there or cannot be read are left out.

    Returns:
      A list of sets of two paths or more.
    """
    groups = [[path for path in paths if path.is_file()]]
    for key in (lambda path: path.stat().st_size, sha256):  # few share their size
        groups = [alike for group in groups for alike in _alike(group, key)]
    return [set(group) for group in groups]


def _alike(paths, key):
    found = collections.defaultdict(list)
    for path in paths:
        with contextlib.suppress(OSError):
            found[key(path)].append(path)
    return [group for group in found.values() if len(group) > 1]


def _check(folder, inside, expected, path):
    try:
        target = path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError before Python 3.13
        raise ValueError(f"{path} is a link that leads nowhere: {error}.") from None
    if not target.is_relative_to(inside):
        raise ValueError(
            f"{path} is a link that leads out of {folder} to {target}: put the file "
            "itself there."
        )
    if target in expected and target.is_file():
        try:
            found = sha256(path)
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error}.") from None
        if found != expected[target]:
            raise ValueError(f"{path} has another SHA-256 than {folder / SUMS} says.")
    return path
