"""Heads from CSV: a line per head, columns by the names in the first line.

    image,x,y              of several photographs
    IMG_1.jpg,12.5,30
    IMG_2.jpg,,            IMG_2.jpg has no heads

    x,y                    of one, named like the file
    12.5,30

Other columns are ignored, the order is free, and coordinates are in pixels.
"""

import csv
import io

from cpcnn_jax.data.annotations import heads as heads_lib


def read(data, name):
    """Reads the heads.

    Args:
      data: the file's bytes.
      name: the file's, for the photograph where there is no column image.

    Returns:
      {photograph's name: `heads.Heads`}.

    Raises:
      ValueError: it has no columns x and y, or a line is no head.

    Example:
      >>> read(b"image,x,y\\na.jpg,1,2\\nb.jpg,,", "all.csv")["a.jpg"].points
      array([[1., 2.]], dtype=float32)
    """
    text = data.decode("utf-8-sig", errors="replace")
    table = csv.DictReader(io.StringIO(text, newline=""))
    try:
        columns = table.fieldnames or ()
        if not {"x", "y"} <= set(columns):
            raise ValueError(f"it has no columns x and y; {heads_lib.UNDERSTOOD}")
        found = {} if "image" in columns else {name: []}
        for row in table:
            points = found.setdefault(row.get("image", name), [])
            points += _head(row, table.line_num)
    except csv.Error as error:
        raise ValueError(f"line {table.line_num}: {error}") from None
    return {image: heads_lib.make_heads(points) for image, points in found.items()}


def _head(row, line):
    """The head of a line, or none if x and y are empty and it names a photograph."""
    x, y = row["x"], row["y"]
    if row.get("image") and not x and not y:
        return []
    try:
        return [(float(x), float(y))]
    except (TypeError, ValueError):
        raise ValueError(f"line {line}: x={x!r}, y={y!r} are not two numbers") from None
