"""Head points from CSV: one line per head, columns x, y and image by the first line.

Without a column image the file holds the points of one image, which has its name. A
line "IMG_2.jpg,," states an image without heads. Further columns are ignored.
"""

import csv
import io

from cpcnn_jax.data.annotations.heads import SUPPORTED, HeadsByImage, make_heads


def read(data: bytes, name: str) -> HeadsByImage:
    """Reads the head points, in pixels, from the content of a CSV file of that name.

    Raises:
      ValueError: no columns x and y, or a line without two numbers.

    Example:
      >>> read(b"image,x,y\\na.jpg,1,2\\nb.jpg,,", "all.csv")["a.jpg"].points
      array([[1., 2.]], dtype=float32)
    """
    text = data.decode("utf-8-sig", errors="replace")
    table = csv.DictReader(io.StringIO(text, newline=""))
    try:
        columns = table.fieldnames or ()
        if not {"x", "y"} <= set(columns):
            raise ValueError(f"it has no columns x and y; {SUPPORTED}")
        points: dict[str, list] = {} if "image" in columns else {name: []}
        for row in table:
            image_points = points.setdefault(row.get("image", name), [])
            image_points += _parse_row(row, table.line_num)
    except csv.Error as error:
        raise ValueError(f"line {table.line_num}: {error}") from None
    return {image: make_heads(pairs) for image, pairs in points.items()}


def _parse_row(row, line):
    """A list of one (x, y); empty if x and y are empty and the row names an image."""
    x, y = row["x"], row["y"]
    if row.get("image") and not x and not y:
        return []
    try:
        return [(float(x), float(y))]
    except (TypeError, ValueError):
        raise ValueError(f"line {line}: x={x!r}, y={y!r} are not two numbers") from None
