"""Instructions of a program that XLA compiled for a GPU, and the bytes they move."""

import math
import re
from typing import NamedTuple

WIDTHS = {
    "pred": 1,
    "s8": 1,
    "u8": 1,
    "bf16": 2,
    "f16": 2,
    "s64": 8,
    "u64": 8,
    "f64": 8,
}
EXCHANGES = {
    *("all-reduce", "all-gather", "all-to-all"),
    *("reduce-scatter", "collective-permute"),
}
FREE = {"parameter", "get-tuple-element", "tuple", "bitcast", "constant"}
_INSTRUCTION = re.compile(
    r"\s*(?:ROOT )?%(?P<name>\S+) = (?P<shape>\(.*?\)|\S+) (?P<kind>[\w-]+)\("
    r"(?P<operands>[^)]*)\)"
)
_TARGET = re.compile(r'custom_call_target="([^"]+)"')


class Instruction(NamedTuple):
    """An instruction: a kernel of the GPU, or a routine of a library."""

    kind: str  # such as "fusion"
    target: str  # of a library, such as "__cudnn$convForward"; else ""
    shape: str  # of the result, as XLA writes it
    bytes: int  # of the result and of the operands


def instructions(text: str) -> list[Instruction]:
    """Lists the instructions of one step of a compiled loop of steps.

    The step is the computation with the most calls of libraries. Operands of uint8 are
    not counted: they are the images, of which a step reads its crops only.

    Args:
      text: the compiled program.
    """
    step = max(text.split("\n}\n"), key=lambda part: part.count(" custom-call("))
    shapes: dict[str, str] = {}
    found = []
    for line in step.splitlines():
        if not (match := _INSTRUCTION.match(line)):
            continue
        shape = shapes[match["name"]] = match["shape"]
        if match["kind"] in FREE:
            continue
        operands = [shapes.get(name, "") for name in _names(match["operands"])]
        read = sum(size_of(x) for x in operands if not x.startswith("u8["))
        target = _TARGET.search(line)
        moved, library = size_of(shape) + read, target[1] if target else ""
        kind = match["kind"].removesuffix("-start")
        found.append(Instruction(kind, library, shape, moved))
    return found


def _names(operands):
    return re.findall(r"%([^\s,]+)", operands)


def size_of(shape: str) -> int:
    """Computes the bytes of an array or of a tuple of arrays.

    Example:
      >>> size_of("(bf16[2,3]{1,0}, f32[4])")
      28
    """
    arrays = re.findall(r"(\w+)\[([\d,]*)\]", shape)
    return sum(
        WIDTHS.get(dtype, 4) * math.prod(int(n) for n in dims.split(",") if n)
        for dtype, dims in arrays
    )
