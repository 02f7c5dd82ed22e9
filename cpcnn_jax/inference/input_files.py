"""Files that command-line arguments name, and names of their results."""

import collections
import glob
import os
from collections.abc import Sequence
from pathlib import Path

from cpcnn_jax.io.image import SUFFIXES

STDIN = "-"


def find_files(argument: str) -> list[str]:
    """Lists the files that one command-line argument names.

    Args:
      argument: a file; a folder, for every image in it and its subfolders; a pattern
        with *, ? or **; or "-", standard input.

    Returns:
      Sorted paths. A file is listed whatever its suffix.

    Raises:
      ValueError: the folder or the pattern contains no file.

    Example:
      >>> find_files("square.jpg")
      ['square.jpg']
    """
    path = Path(argument)
    if path.is_dir():
        images = (p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
        files = sorted(str(image) for image in images if image.is_file())
        if not files:
            raise ValueError(f"{argument} contains no images ({', '.join(SUFFIXES)})")
        return files
    if argument == STDIN or path.exists() or not glob.has_magic(argument):
        return [argument]
    matches = glob.glob(argument, recursive=True)
    files = sorted(match for match in matches if Path(match).is_file())
    if not files:
        raise ValueError(f"{argument} matches no file")
    return files


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
