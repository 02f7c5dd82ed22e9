"""Files that command-line arguments name, and names of their results."""

import collections
import errno
import fnmatch
import glob
import os
from collections.abc import Sequence
from pathlib import Path

from cpcnn_jax.io import folder_listing
from cpcnn_jax.io.image import HEIF, HEIF_HINT, readable_suffixes
from cpcnn_jax.io.stream_address import StreamAddress, check_scheme, is_address

STDIN = "-"


def find_files(argument: str) -> folder_listing.Listing:
    """Lists the files that one command-line argument names.

    Args:
      argument: a file; a folder, for every image in it and its subfolders; a pattern
        with *, ? or **; the address of a stream; or "-", standard input.

    Returns:
      Sorted paths, what a folder or a pattern has beside them, and the folders that
      cannot be read. A file is listed whatever its suffix.

    Raises:
      ValueError: the folder or the pattern contains no file, or a URL has an unknown
        scheme.

    Example:
      >>> find_files("square.jpg").files
      ['square.jpg']
    """
    if is_address(argument) and not os.path.exists(argument):
        address = StreamAddress(argument)
        return folder_listing.Listing([address], collections.Counter(), {})
    if os.path.isdir(argument):
        suffixes = readable_suffixes()
        listing = folder_listing.list_folder(argument, suffixes)
        if not listing.files and not listing.refused:
            text = f"{argument} contains no images ({', '.join(suffixes)})"
            others = folder_listing.describe(listing.left_out)
            text += f", only {others}" if others else ""
            raise ValueError(text + _describe_heif(listing.left_out))
        return listing
    if not os.path.exists(argument):
        check_scheme(argument)
    if argument == STDIN or os.path.exists(argument) or not glob.has_magic(argument):
        return folder_listing.Listing([argument], collections.Counter(), {})
    listing = _match_pattern(argument)
    if not listing.files and not listing.refused:
        raise ValueError(f"{argument} matches no file")
    return listing


def _describe_heif(left_out):
    return f"; {HEIF_HINT}" if left_out.keys() & {*HEIF} else ""


def _match_pattern(pattern) -> folder_listing.Listing:
    """Lists the files that a pattern matches, and the folders that it cannot search."""
    parts = Path(pattern).parts
    if "**" in parts:
        return _match_below(parts[: parts.index("**")], parts[parts.index("**") :])
    matches = sorted(glob.glob(pattern))
    files = [match for match in matches if not os.path.isdir(match)]
    left_out = collections.Counter(folder=len(matches) - len(files))
    return folder_listing.Listing(files, +left_out, _find_unreadable(parts))


def _match_below(start, parts):
    """Lists folders with their subfolders, each once: links may lead round."""
    start = os.path.join(*start) if start else os.curdir
    merged = folder_listing.Listing([], collections.Counter(), {})
    merged.refused.update(_find_unreadable(Path(start).parts))
    for folder in [start] if os.path.isdir(start) else sorted(glob.glob(start)):
        listing = folder_listing.list_folder(folder)
        for file in listing.files:
            if _matches(os.path.relpath(file, folder).split(os.sep), parts):
                merged.files.append(str(Path(file)))
        merged.left_out.update(listing.left_out)
        merged.refused.update(listing.refused)
    return merged


def _matches(names: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether the names of a path match the parts of a pattern, of which ** is any."""
    if not parts:
        return not names
    if parts[0] == "**":
        ends = range(len(names)) if parts[1:] else [len(names)]
        return any(_matches(names[n:], parts[1:]) for n in ends)
    return (
        bool(names)
        and fnmatch.fnmatch(names[0], parts[0])
        and _matches(names[1:], parts[1:])
    )


def _find_unreadable(parts) -> dict[str, str]:
    """Finds the folders that a pattern searches and that cannot be listed."""
    searched = (
        folder
        for depth in range(1, len(parts))
        if glob.has_magic(parts[depth])
        for folder in glob.glob(os.path.join(*parts[:depth]))
    )
    return {
        folder: os.strerror(errno.EACCES)
        for folder in filter(os.path.isdir, searched)
        if not os.access(folder, os.R_OK | os.X_OK)
    }


def output_names(files: Sequence[str]) -> dict[str, Path]:
    """Chooses different names for the results of different files.

    Args:
      files: different paths; "-" is standard input.

    Returns:
      Relative paths by file. A path is the file's name with its suffix, because a.jpg
      and a.png are two images. Files of one name get their paths below their common
      folder.

    Example:
      >>> names = output_names(["a/1.jpg", "b/1.jpg", "b/1.png"])
      >>> [name.as_posix() for name in names.values()]
      ['a/1.jpg', 'b/1.jpg', '1.png']
    """
    namesakes = collections.defaultdict(list)
    for file in files:
        namesakes[_name(file)].append(_path(file))
    names = {}
    for file in files:
        if file == STDIN:
            names[file] = Path("standard_input")
            continue
        same = [os.path.abspath(f) for f in namesakes[_name(file)]]
        common = os.path.commonpath([os.path.dirname(path) for path in same])
        names[file] = Path(os.path.relpath(os.path.abspath(_path(file)), common))
    return names


def _path(file):
    return file.path if isinstance(file, StreamAddress) else file


def _name(file):
    return Path(_path(file)).name.casefold()  # some disks ignore case
