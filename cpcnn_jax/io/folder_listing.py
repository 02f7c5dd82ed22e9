"""Listing of a folder with its subfolders, and a record of what the listing omits."""

import collections
import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

MAX_KINDS = 12  # in a description
_SUFFIX = re.compile(r"\.\w{1,10}")  # that names a kind of file


class Listing(NamedTuple):
    """Files of a folder; each other entry is refused or left out."""

    files: list[str]  # sorted paths
    left_out: collections.Counter[str]  # kind of file or folder: number
    refused: dict[str, str]  # folder: the reason why it is not entered


def list_folder(
    folder: str | os.PathLike[str],
    suffixes: Collection[str] | None = None,
    *,
    first: Iterable[str | os.PathLike[str]] = (),
    within: str | os.PathLike[str] | None = None,
) -> Listing:
    """Lists the files of a folder and its subfolders, by suffix.

    Linked folders are entered. No folder is entered twice, nor by a link this folder or
    one that contains it. Hidden files and folders, whose names start with a full stop,
    are left out. A link to a missing file is listed, so that opening it fails.

    Args:
      folder: an existing folder, hidden or not.
      suffixes: of the files to list, in lower case, with the full stop; None: all.
      first: folders in it, not hidden, that are entered first and by their own names.
      within: folder; links to folders outside it are refused. None: no link is.
    """
    listing = Listing([], collections.Counter(), {})
    starts = [str(Path(place)) for place in (*first, folder)]
    reals = [Path(os.path.realpath(start)) for start in starts]
    above = {str(parent) for real in reals for parent in (*real.parents, reals[-1])}
    inside = within and os.path.realpath(within)
    entered: set[str] = set()
    for linked in (starts[:-1], starts[-1:]):
        while linked:  # a folder comes before the links in it, so that it is known
            start = linked.pop(0)
            real = os.path.realpath(start)
            if start != starts[-1] and real in above:
                listing.left_out["link to a folder above"] += 1
            elif inside and not Path(real).is_relative_to(inside):
                listing.refused[start] = f"it is a link that leads out of {within}"
            else:
                linked += _list_tree(start, suffixes, entered, {*starts}, listing)
    listing.files.sort()
    return listing


def _list_tree(start, suffixes, entered, starts, listing) -> list[str]:
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
            listing.refused[folder] = error.strerror or str(error)
            continue
        for entry in entries:
            path = os.path.join(folder, entry.name)
            if not _is_folder(entry):
                _add_file(path, suffixes, listing)
            elif entry.name.startswith("."):
                listing.left_out["hidden folder"] += 1
            elif str(Path(path)) not in starts:  # which have their own turn
                (linked if entry.is_symlink() else pending).append(path)
    return linked


def _is_folder(entry):
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _add_file(path, suffixes, listing):
    """Adds a file to the files or to what is left out."""
    suffix = Path(path).suffix.lower()
    if os.path.basename(path).startswith("."):
        listing.left_out["hidden file"] += 1
    elif suffixes is not None and suffix not in suffixes:
        listing.left_out[describe_suffix(path)] += 1
    elif os.path.exists(path) and not os.path.isfile(path):
        listing.left_out[f"{suffix} that is a device, a pipe or a socket".strip()] += 1
    else:
        listing.files.append(path)


def describe_suffix(path: str | os.PathLike[str]) -> str:
    """Describes the kind of a file by its suffix.

    Example:
      >>> [describe_suffix(name) for name in ("a.HEIC", "notes", "Mr. Li, Tuesday")]
      ['.heic', 'file without a suffix', 'file with another suffix']
    """
    suffix = Path(path).suffix.lower()
    if not suffix:
        return "file without a suffix"
    return suffix if _SUFFIX.fullmatch(suffix) else "file with another suffix"


def describe(left_out: Mapping[str, int]) -> str:
    """Describes what was left out by kind and number.

    Example:
      >>> describe({".heic": 3, "link to a folder above": 1, "hidden file": 2})
      '3 .heic, 2 hidden files, 1 link to a folder above'
    """
    kinds = collections.Counter(left_out).most_common()
    texts = [f"{n} {_plural(kind) if n > 1 else kind}" for kind, n in kinds[:MAX_KINDS]]
    if others := sum(number for _, number in kinds[MAX_KINDS:]):
        texts.append(f"{others} of other kinds")
    return ", ".join(texts)


def _plural(kind):
    return re.sub("^(hidden )?(file|folder|link|result)", r"\g<0>s", kind)
