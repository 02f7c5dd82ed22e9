"""Head points from CSV: one line per head, columns named by the first line.

    image,x,y              points of several images
    IMG_1.jpg,12.5,30
    IMG_2.jpg,,            IMG_2.jpg has no heads

    x,y                    points of one image, which has the name of the file
    12.5,30

Further columns are ignored and the order is free. Coordinates are in pixels.
"""

import csv
import io

from cpcnn_jax.data.annotations import heads as heads_lib


def read(data: bytes, name: str) -> dict[str, heads_lib.Heads]:
    """Reads the head points of a CSV file.

    Args:
      data: content of the file.
      name: file name, used as the image's name where there is no column image.

    Returns:
      {image name: `heads.Heads`}.

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
            raise ValueError(f"it has no columns x and y; {heads_lib.SUPPORTED}")
        points: dict[str, list] = {} if "image" in columns else {name: []}
        for row in table:
            image_points = points.setdefault(row.get("image", name), [])
            image_points += _parse_row(row, table.line_num)
    except csv.Error as error:
        raise ValueError(f"line {table.line_num}: {error}") from None
    return {image: heads_lib.make_heads(pairs) for image, pairs in points.items()}


def _parse_row(row, line):
    """A list of one (x, y); empty if x and y are empty and the row names an image."""
    x, y = row["x"], row["y"]
    if row.get("image") and not x and not y:
        return []
    try:
        return [(float(x), float(y))]
    except (TypeError, ValueError):
        raise ValueError(f"line {line}: x={x!r}, y={y!r} are not two numbers") from None
