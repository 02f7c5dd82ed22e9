"""Plain shapes and planes of cells, from which the drawings are made."""

from collections.abc import Iterator
from dataclasses import dataclass

Point = tuple[float, float]

PAPER, INK, FAINT = "#ffffff", "#0b3441", "#7d8c92"
BLUE, CYAN, BRIGHT = "#4d9fdb", "#bfe6e2", "#13736c"
WINDOW = "#24323a"
FONT = 15.0  # size of the numbers in cells, drawing units


@dataclass(frozen=True)
class Polygon:
    """A closed outline; fill None is transparent."""

    points: tuple[Point, ...]
    fill: str | None = None
    stroke: str | None = INK
    width: float = 1.2
    dashed: bool = False
    opacity: float = 1.0  # of the fill


@dataclass(frozen=True)
class Line:
    """A straight line."""

    start: Point
    end: Point
    stroke: str = INK
    width: float = 1.0


@dataclass(frozen=True)
class Text:
    """Text with its center or, with anchor "start", its left end at a point."""

    at: Point
    text: str
    size: float = FONT
    fill: str = INK
    anchor: str = "middle"


Shape = Polygon | Line | Text


@dataclass(frozen=True)
class Drawing:
    """Shapes from back to front on a page of width x height drawing units."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    title: str


@dataclass(frozen=True)
class Plane:
    """A plane of square cells in perspective."""

    origin: Point
    right: Point  # offset of one column, drawing units
    down: Point  # offset of one row

    def point(self, row: float, column: float) -> Point:
        """Returns the page position of (row, column)."""
        return (
            self.origin[0] + column * self.right[0] + row * self.down[0],
            self.origin[1] + column * self.right[1] + row * self.down[1],
        )

    def outline(
        self, row: float, column: float, height: float = 1, width: float = 1
    ) -> tuple[Point, ...]:
        """Returns the corners of a rectangle of cells, the first one top left."""
        return tuple(
            self.point(row + r, column + c)
            for r, c in ((0, 0), (0, width), (height, width), (height, 0))
        )

    def draw_inserted(self, row: float, column: float) -> Iterator[Shape]:
        """Draws an inserted zero: a cell with hatched corners around its 0."""
        yield Polygon(self.outline(row, column), PAPER, FAINT)
        for t in (0.3, 0.6):
            ends = ((t, 0), (0, t)), ((1 - t, 1), (1, 1 - t))
            for (r1, c1), (r2, c2) in ends:
                start = self.point(row + r1, column + c1)
                yield Line(start, self.point(row + r2, column + c2), FAINT)
        yield Text(self.point(row + 0.5, column + 0.5), "0", 0.8 * FONT)

    def draw_padding(self, row: float, column: float) -> Shape:
        """Draws a cell of padding: an empty cell with a dashed outline."""
        return Polygon(self.outline(row, column), None, FAINT, dashed=True)
