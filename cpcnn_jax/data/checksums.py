"""Protection of a data set's folder: no links out of it, and optional checksums.

A file SHA256SUMS in the folder lists the SHA-256 of files, as written by
    find . -type f ! -name SHA256SUMS -exec sha256sum {} + > SHA256SUMS
"""

import collections
import contextlib
import functools
import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def make_checker(folder: str | Path) -> Callable[[Path], Path]:
    """Creates the check of the files in a data set's folder.

    Returns:
      Function that returns its path argument. It raises a ValueError if the path leads
      out of the folder or if its SHA-256 differs from SHA256SUMS.

    Raises:
      ValueError: SHA256SUMS exists and does not have sha256sum's format.
    """
    folder = Path(folder)
    return functools.partial(_check, folder, folder.resolve(), read_checksums(folder))


def read_checksums(folder: str | Path) -> dict[Path, str]:
    """Reads SHA256SUMS of a folder.

    Returns:
      {absolute path: SHA-256 in hexadecimal}; empty without a file SHA256SUMS.

    Raises:
      ValueError: SHA256SUMS exists and does not have sha256sum's format.
    """
    path = Path(folder) / SUMS
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}.") from None
    digests: dict[Path, str] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if not match:
            raise ValueError(
                f"{path}, line {number}: expected a SHA-256, two spaces and a file's "
                f"name, as sha256sum writes them."
            )
        file, digest = path.parent.resolve() / match[2], match[1].lower()
        if digests.setdefault(file, digest) != digest:
            raise ValueError(f"{path}, line {number}: {match[2]} has two SHA-256.")
    return digests


def sha256(path: str | Path) -> str:
    """Computes the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_duplicates(paths: Iterable[Path]) -> list[set[Path]]:
    """Finds sets of two or more identical files; skips files that cannot be read."""
    groups = [[path for path in paths if path.is_file()]]
    for key in (lambda path: path.stat().st_size, sha256):  # few files share a size
        groups = [same for group in groups for same in _group_by(key, group)]
    return [set(group) for group in groups]


def _group_by(key, paths):
    groups = collections.defaultdict(list)
    for path in paths:
        with contextlib.suppress(OSError):
            groups[key(path)].append(path)
    return [group for group in groups.values() if len(group) > 1]


def _check(folder, resolved, digests, path):
    try:
        target = path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError before Python 3.13
        raise ValueError(f"{path} is a link that leads nowhere: {error}.") from None
    if not target.is_relative_to(resolved):
        raise ValueError(
            f"{path} is a link that leads out of {folder} to {target}: put the file "
            "itself there."
        )
    if target in digests and target.is_file():
        try:
            digest = sha256(path)
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error}.") from None
        if digest != digests[target]:
            raise ValueError(f"{path} has another SHA-256 than {folder / SUMS} says.")
    return path
