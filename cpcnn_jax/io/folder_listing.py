"""Listing of a folder with its subfolders, and a record of what the listing omits."""

import collections
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

UNREADABLE = "folder that cannot be read"
MAX_KINDS = 12  # in a description


class Listing(NamedTuple):
    """Files of a folder, and what was left out."""

    files: list[str]  # sorted paths
    left_out: collections.Counter[str]  # kind of file or folder: number
    unreadable: dict[str, str]  # folder: the system's sentence


def list_folder(folder: str | os.PathLike[str], suffixes: Collection[str]) -> Listing:
    """Lists the files of a folder and its subfolders, by suffix.

    Linked folders are entered. No folder is entered twice, nor by a link a folder that
    contains this one. Hidden files and folders, whose names start with a full stop, are
    left out. A link to a missing file is listed, so that opening it fails.

    Args:
      folder: an existing folder, hidden or not.
      suffixes: of the files to list, in lower case, with the full stop.
    """
    listing = Listing([], collections.Counter(), {})
    real = Path(os.path.realpath(folder))
    above = {str(parent) for parent in real.parents}
    entered: set[str] = set()
    linked = [str(Path(folder))]
    while linked:  # the folders themselves come first, so that links to them are known
        start = linked.pop(0)
        if os.path.realpath(start) in above:
            listing.left_out["link to a folder above"] += 1
        else:
            linked += _list_tree(start, suffixes, entered, listing)
    listing.files.sort()
    return listing


def _list_tree(start, suffixes, entered, listing) -> list[str]:
    """Adds the files below a folder; returns the linked folders."""
    pending, linked = [start], list[str]()
    while pending:
        folder = pending.pop()
        if (real := os.path.realpath(folder)) in entered:
            listing.left_out["folder listed already"] += 1
            continue
        entered.add(real)
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            listing.left_out[UNREADABLE] += 1
            listing.unreadable[folder] = error.strerror or str(error)
            continue
        for entry in entries:
            path, is_folder = os.path.join(folder, entry.name), _is_folder(entry)
            if entry.name.startswith("."):
                kind = "hidden folder" if is_folder else "hidden file"
                listing.left_out[kind] += 1
            elif is_folder:
                (linked if entry.is_symlink() else pending).append(path)
            elif (suffix := Path(path).suffix.lower()) not in suffixes:
                listing.left_out[suffix or "file without a suffix"] += 1
            elif os.path.exists(path) and not os.path.isfile(path):
                listing.left_out[f"{suffix} that is a device or a pipe"] += 1
            else:
                listing.files.append(path)
    return linked


def _is_folder(entry):
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def describe(left_out: Mapping[str, int]) -> str:
    """Describes what was left out by kind and number.

    Example:
      >>> describe({".heic": 3, "folder that cannot be read": 1, "hidden file": 2})
      '3 .heic, 2 hidden files, 1 folder that cannot be read'
    """
    kinds = collections.Counter(left_out).most_common()
    texts = [f"{n} {_plural(kind) if n > 1 else kind}" for kind, n in kinds[:MAX_KINDS]]
    if others := sum(number for _, number in kinds[MAX_KINDS:]):
        texts.append(f"{others} of other kinds")
    return ", ".join(texts)


def _plural(kind):
    return re.sub("^(hidden )?(file|folder|link)", r"\g<0>s", kind)
