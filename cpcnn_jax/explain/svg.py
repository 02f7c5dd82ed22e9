"""Drawings as SVG."""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from cpcnn_jax.explain.shapes import PAPER, Drawing, Line, Polygon, Shape, Text

FAMILY = "system-ui, 'DejaVu Sans', sans-serif"


def render_sheet(drawings: Sequence[Drawing], columns: int) -> str:
    """Renders drawings of one size row by row, `columns` to a row, as one SVG."""
    width, height = drawings[0].width, drawings[0].height
    rows = -(-len(drawings) // columns)
    total = f"{width * columns:g} {height * rows:g}"
    label = quoteattr(drawings[0].title if len(drawings) == 1 else "every step")
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total}" role="img" '
        f'aria-label={label} font-family="{FAMILY}" text-anchor="middle">',
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
    ]
    for index, drawing in enumerate(drawings):
        x, y = index % columns * width, index // columns * height
        lines += [
            f'<g transform="translate({x:g} {y:g})">',
            f"<title>{escape(drawing.title)}</title>",
            *map(_render_shape, drawing.shapes),
            "</g>",
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _render_shape(shape: Shape) -> str:
    match shape:
        case Polygon(points, fill, stroke, width, dashed, opacity):
            corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            dash = ' stroke-dasharray="3 3"' if dashed else ""
            return (
                f'<polygon points="{corners}" fill="{fill or "none"}" '
                f'fill-opacity="{opacity:g}" stroke="{stroke or "none"}" '
                f'stroke-width="{width:g}" stroke-linejoin="round"{dash}/>'
            )
        case Line((x1, y1), (x2, y2), stroke, width):
            return (
                f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                f'stroke="{stroke}" stroke-width="{width:g}"/>'
            )
        case Text((x, y), text, size, fill, anchor):
            start = ' text-anchor="start"' if anchor == "start" else ""
            return (
                f'<text x="{x:.1f}" y="{y + 0.36 * size:.1f}" font-size="{size:g}" '
                f'fill="{fill}"{start} xml:space="preserve">{escape(text)}</text>'
            )
