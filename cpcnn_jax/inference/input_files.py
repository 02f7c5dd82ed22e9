"""Files that command-line arguments name, and names of their results."""

import collections
import glob
import os
from collections.abc import Sequence
from pathlib import Path

from cpcnn_jax.io import folder_listing
from cpcnn_jax.io.image import SUFFIXES

STDIN = "-"


def find_files(argument: str) -> folder_listing.Listing:
    """Lists the files that one command-line argument names.

    Args:
      argument: a file; a folder, for every image in it and its subfolders; a pattern
        with *, ? or **; or "-", standard input.

    Returns:
      Sorted paths, and what a folder or a pattern has beside them. A file is listed
      whatever its suffix.

    Raises:
      ValueError: the folder or the pattern contains no file.

    Example:
      >>> find_files("square.jpg").files
      ['square.jpg']
    """
    if os.path.isdir(argument):
        listing = folder_listing.list_folder(argument, SUFFIXES)
        if not listing.files and not listing.unreadable:
            text = f"{argument} contains no images ({', '.join(SUFFIXES)})"
            others = folder_listing.describe(listing.left_out)
            raise ValueError(text + (f", only {others}" if others else ""))
        return listing
    left_out = collections.Counter[str]()
    files = [argument]
    if argument != STDIN and not os.path.exists(argument) and glob.has_magic(argument):
        matches = sorted(glob.glob(argument, recursive=True))
        files = [match for match in matches if not os.path.isdir(match)]
        if not files:
            raise ValueError(f"{argument} matches no file")
        left_out.update({"folder": len(matches) - len(files)})
    return folder_listing.Listing(files, +left_out, {})


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
        namesakes[Path(file).name.casefold()].append(file)  # some disks ignore case
    names = {}
    for file in files:
        if file == STDIN:
            names[file] = Path("standard_input")
            continue
        same = [os.path.abspath(f) for f in namesakes[Path(file).name.casefold()]]
        common = os.path.commonpath([os.path.dirname(path) for path in same])
        names[file] = Path(os.path.relpath(os.path.abspath(file), common))
    return names
