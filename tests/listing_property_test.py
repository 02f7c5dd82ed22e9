"""Nothing in a folder is passed over in silence, by `count` and by data sets.

Each entry is listed, refused by name, or left out by kind, and the numbers add up.
"""

import collections
import os
import shutil
from pathlib import Path

import numpy as np
import random_trees

from cpcnn_jax.data.datasets import folder_files
from cpcnn_jax.inference import count_files
from cpcnn_jax.io import folder_listing, image

NUMBER = 2000  # trees


def walk(folder, locked, within=None):
    """All entries but the folders that are entered, by a plain walk.

    Linked folders are entered. A folder is entered once and not if it is hidden.
    """
    pending, known, entries = [str(folder)], set(), []
    above = {str(parent) for parent in Path(os.path.realpath(folder)).parents}
    while pending:
        place = pending.pop()
        known.add(os.path.realpath(place))
        for name in os.listdir(place):
            path = os.path.join(place, name)
            real = os.path.realpath(path)
            barred = name.startswith(".") or real in locked or real in above
            if within and not Path(real).is_relative_to(os.path.realpath(within)):
                barred = True
            if os.path.isdir(path) and not barred and real not in known:
                pending.append(path)
                known.add(real)
            else:
                entries.append(path)
    return entries


def identify(path):
    folder, name = os.path.split(path)
    return os.path.realpath(folder), name


def check_count(folder, entries, locked):
    rows, left_out = count_files.list_files([str(folder)])
    counted = [row.file for row in rows if not row.error]
    refused = [row for row in rows if row.error and row.file != str(folder)]
    if not rows[0].error or refused:  # a folder without images is one error
        assert len(counted) + len(refused) + left_out.total() == len(entries)
    assert all(row.file in row.error for row in refused)
    wanted = [
        path
        for path in entries
        if Path(path).suffix.lower() in image.readable_suffixes()
        and not os.path.basename(path).startswith(".")
        and (os.path.isfile(path) or not os.path.exists(path))
    ]
    assert {*map(identify, counted)} == {*map(identify, wanted)}
    assert {os.path.realpath(row.file) for row in refused} <= locked
    assert min(left_out.values(), default=1) > 0
    assert folder_listing.describe(left_out).isprintable() or not left_out
    return len(counted), len(refused), left_out


def check_data_set(folder, entries):
    files = folder_files.list_folder(folder)
    listed = [path for paths in files.images.values() for path in paths]
    listed += [path for paths in files.heads.values() for path in paths]
    refused = [path for path in listed if path.is_dir()]
    assert len({*map(identify, map(str, listed))}) == len(listed)
    assert len(listed) + files.left_out.total() == len(entries)
    named = {path for path, _ in files.unused}
    for paths in files.other_images.values():
        assert all({path, *path.parents} & named for path in paths)
    return len(refused)


def test_all_entries_of_random_folders_add_up(tmp_path, monkeypatch):
    rng, totals = np.random.default_rng(0), collections.Counter()
    for number in range(NUMBER):
        folder = tmp_path / str(number)
        folder.mkdir()
        locked = random_trees.make_tree(folder, rng)
        own = walk(folder, locked)
        with monkeypatch.context() as patch:
            random_trees.lock(patch, locked)
            counted, refused, left_out = check_count(folder, own, locked)
            inside = walk(folder, locked, within=folder)
            refused += check_data_set(folder, inside)
        totals.update(left_out)
        totals.update(counted=counted, refused=refused)
        shutil.rmtree(folder)
    kinds = ("counted", "refused", "hidden file", "hidden folder", ".dng", ".mov")
    links = ("folder listed already", "link to a folder above")
    assert all(totals[kind] > 20 for kind in (*kinds, *links)), totals
    assert any("socket" in kind and totals[kind] > 20 for kind in totals)
