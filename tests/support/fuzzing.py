"""Random damage to files, identical in every run, and readers that must survive it."""

import concurrent.futures
import faulthandler
import multiprocessing
import re
import resource
import sys
import time
import warnings
from typing import NamedTuple

WORDS = (
    *(b"0", b"-1", b"1e999", b"1e-400", b"NaN", b"0x10", b"1_0", b"9" * 30, b'"7"'),
    *(b"null", b"true", b"[]", b"{}", b"[1,2]", b'""', b'"\\ud800"', b'"\\u0000"'),
    *(b"\n", b"\x00", b"\xff", b"<", b",", b";", b"[" * 50, b"&a;", b"\xef\xbb\xbf"),
)
_TOKEN = re.compile(rb'-?\d+(?:\.\d+)?|"[^"\n]*"|\[\]|null|\w+')
MEGABYTE = 2**20
LIMIT = 10  # seconds of the processor for one file
MAX_GROWTH = 100  # megabytes; the memory of one large frame may stay reserved


class Result(NamedTuple):
    """Outcome of reading many damaged files."""

    read: int
    refused: list[str]  # the sentences


def mutate(rng, data, others, head=64):
    """A copy with bytes changed, removed, repeated or added, or with another end.

    Half of the damage is in the first bytes, `head`, which hold sizes in many formats.
    """
    mutant = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        place = int(rng.integers(len(mutant)))
        if rng.random() < 0.5:
            place = place % head
        length = int(rng.integers(1, 17))
        match rng.integers(7):
            case 0:
                mutant[place] ^= 1 << rng.integers(8)
            case 1:
                mutant[place : place + length] = rng.bytes(length)
            case 2:
                del mutant[place : place + length]
            case 3:
                mutant[place:place] = mutant[place : place + length]
            case 4:  # numbers at integer limits
                number = rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
                order = ["little", "big"][rng.integers(2)]
                mutant[place : place + 4] = int(number).to_bytes(4, order)
            case 5:
                del mutant[max(place, 1) :]
            case 6:
                mutant[place:] = others[place:]
        if not mutant:
            break
    return bytes(mutant)


def mutate_text(rng, text):
    """A copy of a text with one or two numbers, strings or words replaced."""
    for _ in range(rng.integers(1, 3)):
        tokens = [*_TOKEN.finditer(text)]
        if not tokens:
            break
        old, other = (tokens[rng.integers(len(tokens))] for _ in range(2))
        new = other[0] if rng.random() < 0.3 else WORDS[rng.integers(len(WORDS))]
        text = text[: old.start()] + new + text[old.end() :]
    return text


def fuzz(files, read):
    """Reads damaged files; each is read, or refused in a sentence that names it.

    Args:
      files: yields (path, content).
      read: function of the path.
    """
    number, refused = 0, []
    for path, content in files:
        path.write_bytes(content)
        faulthandler.dump_traceback_later(30 * LIMIT, exit=True, file=sys.__stderr__)
        start = time.process_time()
        try:
            read(path)
            number += 1
        except (ValueError, OSError) as error:
            assert str(path) in str(error) and "\n" not in str(error), error
            refused.append(str(error))
        finally:
            faulthandler.cancel_dump_traceback_later()
        assert time.process_time() - start < LIMIT, path
    return Result(number, refused)


def fuzz_new_process(damaged, place, seeds, number, read):
    """Reads `number` damaged files in a process that did nothing else before.

    The heap of a test process is what earlier tests left of it: only a new one shows
    whether reading keeps memory.

    Args:
      damaged: function of `place`, `seeds`, a number of files and a seed that yields
        (path, content); it and `read` are functions of a module.

    Returns:
      (Result, megabytes by which the process grew, or None where the system hides it).
    """
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        task = pool.submit(_fuzz_and_measure, damaged, place, seeds, number, read)
        return task.result()


def _fuzz_and_measure(damaged, place, seeds, number, read):
    warnings.simplefilter("error")  # as in setup.cfg
    fuzz(damaged(place, seeds, number // 10, seed=1), read)
    before = resident_megabytes()
    result = fuzz(damaged(place, seeds, number, seed=2), read)
    return result, before and resident_megabytes() - before


def resident_megabytes():
    """The resident memory of this process, or None where the system hides it."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / MEGABYTE
    except FileNotFoundError:
        return None
