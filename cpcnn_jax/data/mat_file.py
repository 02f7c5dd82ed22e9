"""MATLAB files of version 5 to 7, checked before SciPy reads them.

SciPy's reader trusts the sizes and types in a file, so that a damaged file can end the
process. The check walks through the elements that the reader will take.

Reference: MathWorks, MAT-File Format, 2024, "Level 5 MAT-File Format".
"""

import io
import math
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scipy.io import loadmat

MAX_SIZE = 2**28  # bytes of a compressed variable, and values of an array
_MATRIX, _COMPRESSED = 14, 15  # data types of an element
_NUMBERS = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13}
_TEXT = _NUMBERS | {16, 17, 18}
_COMPLEX = 0x800  # flag of an array of numbers
_CONTENT = {  # {class of an array: (data types of its content, elements of numbers)}
    **dict.fromkeys((1, 2, 3), ({_MATRIX}, 0)),  # cell, struct and object
    4: (_TEXT, 1),
    5: (_NUMBERS, 3),  # sparse: rows, columns and values
    **dict.fromkeys(range(6, 16), (_NUMBERS, 1)),
}


def load_mat(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads the variables of a MATLAB file.

    Raises:
      ValueError: the file is damaged, or has an array of an unsupported class. SciPy
        raises further types.
      OSError: the file cannot be read.
    """
    data = Path(path).read_bytes()
    # SciPy checks version 4 and refuses 7.3, whose number is 2.
    if len(data) >= 128 and 0 not in data[:4] and 2 not in data[124:126]:
        _check_variables(memoryview(data))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Unreadable|Duplicate|We do not")
        return loadmat(io.BytesIO(data))


def _check_variables(data):
    order = "<" if data[126:128] == b"IM" else ">"
    place = 128
    while place < len(data):
        kind, element, place = _read_element(order, data, place)
        if kind == _COMPRESSED:
            inside = memoryview(_decompress(element))
            kind, element, _ = _read_element(order, inside, 0)
        if kind != _MATRIX or not element:
            raise ValueError("a variable is damaged")
        _check_array(order, element)


def _read_element(order, data, place):
    """The data type, the content and the end of an element."""
    kind, size = _read_numbers(order, data[place : place + 8], "II")
    end = place + 8 + size
    if end > len(data):
        raise ValueError(f"an element declares {size} bytes and is truncated")
    return kind, data[place + 8 : end], end


def _decompress(data):
    try:
        return zlib.decompressobj().decompress(data, MAX_SIZE)
    except zlib.error as error:
        raise ValueError(f"a variable cannot be decompressed: {error}") from None


def _read_numbers(order, data, kinds):
    try:
        return struct.unpack(order + kinds, data)
    except struct.error:
        raise ValueError("an element is truncated") from None


def _split_elements(order, data) -> Iterator[tuple[int, memoryview]]:
    """Yields the (data type, content) of each element in an array."""
    place = 0
    while place < len(data):
        (kind,) = _read_numbers(order, data[place : place + 4], "I")
        if size := kind >> 16:  # of at most four bytes
            if size > 4 or place + 8 > len(data):
                raise ValueError(f"an element declares {size} bytes and is truncated")
            yield kind & 0xFFFF, data[place + 4 : place + 4 + size]
            place += 8
        else:
            kind, content, end = _read_element(order, data, place)
            yield kind, content
            place = end + -len(content) % 8


def _check_array(order, data):
    """Checks the elements of an array, and the arrays in it."""
    if not data:  # an empty array in another one
        return
    elements = [*_split_elements(order, data)]
    if len(elements) < 3 or elements[0][0] != 6 or elements[1][0] not in (5, 6):
        raise ValueError("an array has no flags, dimensions and name")
    flags, _ = _read_numbers(order, elements[0][1], "II")
    kind = flags & 0xFF
    if kind not in _CONTENT:
        raise ValueError(f"an array of class {kind} is not supported")
    types, number = _CONTENT[kind]
    count, content = _count_values(order, elements[1][1]), elements[3:]
    if kind in (2, 3):  # struct and object, which has the name of its class
        content = content[kind - 2 :]
        count *= _count_fields(order, content[:2])
        content = content[2:]
    number = number + bool(flags & _COMPLEX) if number else count
    if len(content) != number or not {type_ for type_, _ in content} <= types:
        raise ValueError("an array has other elements than it declares")
    for type_, array in content:
        if type_ == _MATRIX:
            _check_array(order, array)


def _count_values(order, content):
    """The number of values in an array, from its dimensions."""
    dimensions = _read_numbers(order, content, f"{min(len(content) // 4, 32)}i")
    count = math.prod(dimensions)
    if min(dimensions, default=-1) < 0 or count > MAX_SIZE:
        raise ValueError(f"an array declares {dimensions} values")
    return count


def _count_fields(order, elements):
    """The number of fields of a struct, from the elements that name them."""
    if [kind for kind, _ in elements] not in ([5, 1], [5, 2]):
        raise ValueError("a struct has no names of fields")
    (length,) = _read_numbers(order, elements[0][1], "i")
    if length < 1:
        raise ValueError(f"a struct declares names of {length} bytes")
    return len(elements[1][1]) // length
