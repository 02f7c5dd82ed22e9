"""Random folders of files, links, pipes, sockets, hidden and unreadable things."""

import os
import stat

SUFFIXES = (".jpg", ".PNG", ".dng", ".csv", ".mov", ".tar.gz", "", ".", ". x", ".\xe9")


def make_tree(folder, rng, entries=14):
    """Fills a folder; returns the folders that are to be unreadable."""
    folders, locked = [os.fsencode(folder)], set()
    made = []
    for _ in range(rng.integers(1, entries)):
        place = folders[rng.integers(len(folders))]
        path = os.path.join(place, _name(rng))
        if os.path.lexists(path):
            continue
        match rng.choice(("file", "file", "folder", "link", "loop", "pipe", "socket")):
            case "file":
                os.close(os.open(path, os.O_CREAT))
            case "folder":
                os.mkdir(path)
                folders.append(path)
                if rng.random() < 0.2:
                    locked.add(os.fsdecode(path))
            case "link":
                target = [*made, *folders, os.path.dirname(folders[0]), b"gone.jpg"]
                os.symlink(target[rng.integers(len(target))], path)
            case "loop":
                os.symlink(os.path.basename(path), path)
            case "pipe":
                os.mkfifo(path)
            case "socket":
                os.mknod(path, stat.S_IFSOCK | 0o600)
        made.append(path)
    return locked


def _name(rng):
    """A name of any bytes but the slash and zero, often of a usual form."""
    if rng.random() < 0.7:
        stem = bytes(rng.choice([*b"ab."], rng.integers(1, 3)).tolist())
    else:
        stem = bytes(rng.integers(1, 256, rng.integers(1, 9)).tolist())
    suffix = SUFFIXES[rng.integers(len(SUFFIXES))].encode("latin-1")
    name = stem.replace(b"/", b"_") + suffix
    return b"train" if rng.random() < 0.1 else name if name.strip(b".") else b"name"


def lock(monkeypatch, locked):
    """Lets the system refuse to list some folders, also to the superuser."""
    real = os.scandir

    def scandir(path):
        if os.path.realpath(path) in locked:
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
