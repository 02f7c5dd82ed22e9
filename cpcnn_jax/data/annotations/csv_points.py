"""Head points from CSV: one line per head, columns x, y and image by the first line.

Without a column image the file holds the points of one image, which has its name. A
line "IMG_2.jpg,," states an image without heads; an empty line is ignored. A column
label is counted; further columns are ignored. Columns may be in upper case, and
separated by semicolons or tabs, with decimal commas. The points are on the stored
pixels.
"""

import codecs
import csv
import io
import re
from pathlib import PurePath

from cpcnn_jax.data.annotations.heads import (
    IMAGE_SUFFIXES,
    SUPPORTED,
    HeadsByImage,
    make_heads,
)

IMAGE = ("image", "filename", "file_name", "file", "image_name", "image_path", "path")
DELIMITERS = (",", ";", "\t")
_BEFORE_TABLE = re.compile(r"\A(?:[ ,;\t]*[\r\n]+|sep=.[\r\n]+)+", re.I)  # of Excel


def read(data: bytes, name: str) -> HeadsByImage:
    """Reads the head points, in pixels, from the content of a CSV file of that name.

    Raises:
      ValueError: other text than UTF-8, no columns x and y, two columns of one meaning,
        or a line without two numbers.

    Example:
      >>> read(b"image,x,y\\na.jpg,1,2\\nb.jpg,,", "all.csv")["a.jpg"].points
      array([[1., 2.]], dtype=float32)
    """
    text = _decode(data)
    content = _BEFORE_TABLE.sub("", text)
    before = len(text.splitlines()) - len(content.splitlines())  # lines
    delimiter = _find_delimiter(next(iter(content.splitlines()), ""))
    table = csv.reader(
        io.StringIO(content, newline=""), delimiter=delimiter, skipinitialspace=True
    )
    own = f"./{PurePath(name).stem}"
    heads: dict[str, tuple[list, list]] = {}  # {image: (points, labels)}
    try:
        header = [_normalize(cell) for cell in next(table)]
        columns = _find_columns(header)
        if "image" not in columns:
            heads[own] = [], []
        for cells in table:
            if any(cell.strip() for cell in cells):
                row = _parse_row(cells, columns, header, own)
                points, labels = heads.setdefault(row["image"], ([], []))
                if "image" not in columns or row["x"] or row["y"]:
                    points.append(_parse_point(row, delimiter))
                    labels.append(row.get("label"))
    except (csv.Error, ValueError) as error:
        raise ValueError(f"line {before + table.line_num}: {error}") from None
    return {
        image: make_heads(points, None, False, labels)
        for image, (points, labels) in heads.items()
    }


def _decode(data):
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        text = f"line {line} is not UTF-8: save the file as UTF-8; {SUPPORTED}"
        raise ValueError(text) from None


def _find_delimiter(first):
    """The delimiter by which the first line names the columns x and y."""
    for delimiter in DELIMITERS:
        if {"x", "y"} <= {_normalize(cell) for cell in first.split(delimiter)}:
            return delimiter
    raise ValueError(
        f"it has no columns x and y; its first line is {first[:60]!r}; {SUPPORTED}"
    )


def _normalize(name):
    return name.strip().strip('"').strip().lower()


def _find_columns(header):
    """{"x", "y", and if they exist "image" and "label": number of the column}."""
    if repeated := {name for name in header if name and header.count(name) > 1}:
        raise ValueError(f"two of the columns have the name {min(repeated)}")
    columns = {
        name: header.index(name)
        for name in ("x", "y", "label", "image")
        if name in header
    }
    if "image" not in columns:
        others = [name for name in IMAGE if name in header]
        if len(others) > 1:
            raise ValueError(f"both {others[0]} and {others[1]} may name the image")
        if others:
            columns["image"] = header.index(others[0])
    return columns


def _parse_row(cells, columns, header, own):
    """{"image", "x", "y", and if it exists "label": text without blanks}."""
    cells = [cell.strip() for cell in cells]
    if any(cells[len(header) :]):
        raise ValueError(f"{len(cells)} values for {len(header)} columns: {cells}")
    cells += [""] * (len(header) - len(cells))
    row = {"image": own} | {name: cells[number] for name, number in columns.items()}
    if not row["image"]:
        raise ValueError("the image of these x and y has no name")
    others = [] if "image" in columns else zip(header, cells, strict=False)
    for column, cell in others:
        named = cell.lower().endswith(IMAGE_SUFFIXES)
        if named and f"./{PurePath(cell).stem}" != own:
            raise ValueError(f"{cell} in the column {column!r}: name the column image")
    return row


def _parse_point(row, delimiter):
    decimal = "." if delimiter == "," else ","
    try:
        x, y = (float(row[name].replace(decimal, ".")) for name in "xy")
    except ValueError:
        text = f"x={row['x']!r}, y={row['y']!r} are not two numbers"
        raise ValueError(text) from None
    return x, y
