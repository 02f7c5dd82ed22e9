"""Adapts docstrings to the parser of the API reference (an extension of griffe)."""

import re
from pathlib import Path

import griffe

EXAMPLE = re.compile(r"^( *)Example:$", re.MULTILINE)
# Entries "name, name: text" of several parameters, with their further lines.
JOINT = re.compile(
    r"^(?P<indent> +)(?P<names>\w+(?:,\s+\w+)+): (?P<text>.*(?:\n(?P=indent) +\S.*)*)",
    re.MULTILINE,
)


class ApiDocstrings(griffe.Extension):
    """Renames sections, divides joint entries, and reads comments of fields."""

    def on_object(self, *, obj: griffe.Object, **kwargs) -> None:
        """Changes the docstring of one object."""
        if obj.docstring:
            text = re.sub(EXAMPLE, r"\1Examples:", obj.docstring.value)
            obj.docstring.value = JOINT.sub(divide_entry, text)
        elif obj.is_attribute and obj.parent.is_class and obj.lineno:
            if text := comment_of(obj):
                obj.docstring = griffe.Docstring(text, parent=obj)


def divide_entry(match: re.Match[str]) -> str:
    """One entry for each name of a joint entry."""
    names = match["names"].replace(",", " ").split()
    return "\n".join(f"{match['indent']}{name}: {match['text']}" for name in names)


def comment_of(attribute: griffe.Attribute) -> str:
    """The comment lines above a field and the comment that follows its value."""
    lines = Path(attribute.filepath).read_text().splitlines()
    first, last = attribute.lineno - 1, attribute.endlineno
    above = first
    while lines[above - 1].lstrip().startswith("# "):
        above -= 1
    comments = [line.strip(" #") for line in lines[above:first]]
    comments += re.findall(r"  # (.*)", "\n".join(lines[first:last]))
    return " ".join(comments)
