"""Which photographs a user's words mean, and where what is made of them goes."""

import collections
import glob
import os
from pathlib import Path

from cpcnn_jax.io.image import SUFFIXES

STDIN = "-"


def find_files(word):
    """The photographs that one word of a command line stands for.

    Args:
      word: a file; a folder, for every photograph in it and its subfolders; a pattern
        with *, ? or **; or "-", standard input.

    Returns:
      Their paths, sorted; a file is believed to be one, whatever its name.

    Raises:
      ValueError: the folder or the pattern holds none.

    Example:
      >>> find_files("square.jpg")
      ['square.jpg']
    """
    path = Path(word)
    if path.is_dir():
        found = sorted(str(p) for p in path.rglob("*") if _is_photograph(p))
        if not found:
            raise ValueError(f"{word} holds no photographs ({', '.join(SUFFIXES)})")
        return found
    if word == STDIN or path.exists() or not glob.has_magic(word):
        return [word]
    found = sorted(p for p in glob.glob(word, recursive=True) if Path(p).is_file())
    if not found:
        raise ValueError(f"{word} matches no file")
    return found


def _is_photograph(path):
    return path.suffix.lower() in SUFFIXES and path.is_file()


def output_names(files):
    """Where in a folder each file's results go, so that no two share a place.

    Args:
      files: paths, no two the same; "-" is standard input.

    Returns:
      Dict of file to a relative path: its name with its suffix, since a.jpg and a.png
      are two photographs; for files of one name, their paths below what they share.

    Example:
      >>> found = output_names(["a/1.jpg", "b/1.jpg", "b/1.png"])
      >>> [path.as_posix() for path in found.values()]
      ['a/1.jpg', 'b/1.jpg', '1.png']
    """
    namesakes = collections.defaultdict(list)
    for file in files:
        namesakes[Path(file).name.casefold()].append(file)  # some disks ignore case
    found = {}
    for file in files:
        if file == STDIN:
            found[file] = Path("standard_input")
            continue
        same = [os.path.abspath(f) for f in namesakes[Path(file).name.casefold()]]
        common = os.path.commonpath([os.path.dirname(path) for path in same])
        found[file] = Path(os.path.relpath(os.path.abspath(file), common))
    return found
