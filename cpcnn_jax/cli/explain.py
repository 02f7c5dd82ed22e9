"""python -m cpcnn_jax explain: a layer, from its parameters or from a trained model."""

import argparse
import re
import sys
from pathlib import Path

import numpy as np

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.explain import captions, drawing, page, raster, svg, text, trained_kernel
from cpcnn_jax.explain.animations import ANIMATIONS
from cpcnn_jax.explain.explanation import Explanation, explain
from cpcnn_jax.layers.arithmetic import Layer

FORMATS = ("text", "svg", "png", "gif", "html")
PROGRAM = "python -m cpcnn_jax explain"


def main(argv: list[str]) -> int:
    """Explain one layer as text, drawings, an animation or a page.

    Args:
        argv: the flags, see --help.

    Returns:
        The exit status, 0.

    Raises:
        SystemExit: status 2 and one sentence, where the flags make no layer.
    """
    parser = _build_parser()
    flags = parser.parse_args(argv)
    try:
        _write(flags, *_read(flags))
    except (ValueError, OSError) as error:
        parser.error(" ".join(str(error).split()))
    return 0


def _build_parser() -> Parser:
    parser = Parser(PROGRAM, description=__doc__, epilog=captions.CREDIT)
    each = "one number, or ROWSxCOLUMNS"
    parser.add_argument("--input", type=_pair, help=f"input size, {each} (3x3)")
    parser.add_argument("--kernel", type=_pair, help=f"kernel size, {each} (3)")
    parser.add_argument("--stride", type=_pair, default=(2, 2), help=f"{each} (2)")
    parser.add_argument(
        "--padding",
        type=_paddings,
        default=(1, 1),
        help=f"p of the direct convolution, {each}; LOW:HIGH for unequal sides (1)",
    )
    parser.add_argument(
        "--output-padding",
        "--output_padding",
        type=_pair,
        default=(0, 0),
        help=f"a, {each} (0)",
    )
    parser.add_argument("--dilation", type=_pair, default=(1, 1), help=f"{each} (1)")
    parser.add_argument(
        "--animation",
        metavar="NAME",
        help=f"instead: one of the guide's, {', '.join(ANIMATIONS)}",
    )
    parser.add_argument(
        "--weights",
        metavar="PATH",
        help="take the kernel from this .safetensors file, or a workdir that holds "
        "weights.safetensors",
    )
    parser.add_argument("--layer", metavar="NAME", help="such as fcnn/t1")
    parser.add_argument(
        "--channels",
        type=_pair,
        metavar="INxOUT",
        help="one of the kernel's channel pairs (default: the mean over all)",
    )
    parser.add_argument(
        "--image", metavar="FILE", help="a photograph: its grey levels are the input"
    )
    parser.add_argument("--format", choices=FORMATS, help="(text)")
    parser.add_argument(
        "--frame",
        type=int,
        metavar="N",
        help="svg and png: only this step (default: all on one sheet)",
    )
    parser.add_argument(
        "--out", metavar="FILE", help="text goes to the terminal without it"
    )
    return parser


def _pair(value: str) -> tuple[int, int]:
    """3 or 3x4, as rows and columns."""
    if not re.fullmatch(r"\d+(x\d+)?", value):
        raise argparse.ArgumentTypeError(
            f"got {value!r}, expected a number as 3, or rows and columns as 3x4"
        )
    numbers = [int(n) for n in value.split("x")]
    return numbers[0], numbers[-1]


def _paddings(value: str) -> tuple:
    """1, 1x2 or, for each, LOW:HIGH."""
    if not re.fullmatch(r"\d+(:\d+)?(x\d+(:\d+)?)?", value):
        raise argparse.ArgumentTypeError(
            f"got {value!r}, expected a number as 1, rows and columns as 1x0, or "
            "unequal sides as 1:2"
        )
    sides = [tuple(map(int, axis.split(":"))) for axis in value.split("x")]
    axes = [side if len(side) == 2 else side[0] for side in sides]
    return axes[0], axes[-1]


def _read(flags) -> tuple[Explanation, str]:
    """The explanation that the flags ask for, and a name for its files."""
    if flags.animation is not None:
        return _animation(flags.animation), flags.animation
    kernel = _kernel(flags)
    strides, paddings = flags.stride, flags.padding
    layers = tuple(
        Layer(k, s, p, a, d, transposed=True)
        for k, s, p, a, d in zip(
            kernel.shape,
            strides,
            paddings,
            flags.output_padding,
            flags.dilation,
            strict=True,
        )
    )
    size = flags.input or (3, 3)
    x = trained_kernel.grey_levels(flags.image, size) if flags.image else _ramp(size)
    return explain(x, kernel, layers), "explain"


def _animation(name: str) -> Explanation:
    if name not in ANIMATIONS:
        raise ValueError(
            f"--animation: got {name!r}, expected one of {', '.join(ANIMATIONS)}"
        )
    i, layer = ANIMATIONS[name]
    return explain(_ramp((i, i)), _ramp((layer.k, layer.k)), (layer, layer))


def _kernel(flags) -> np.ndarray:
    """The trained kernel, or 1, 2, 3, ... in the given size."""
    if not flags.weights:
        if flags.layer or flags.channels:
            raise ValueError("--layer and --channels need --weights")
        return _ramp(flags.kernel or (3, 3))
    if flags.kernel:
        raise ValueError("--kernel: with --weights, the kernel's size is its own")
    return trained_kernel.kernel(flags.weights, flags.layer, flags.channels)


def _ramp(size: tuple[int, int]) -> np.ndarray:
    """1, 2, 3, ... in reading order."""
    if min(size) < 1:
        raise ValueError(f"got the size {captions.by(*size)}, expected at least 1x1")
    return np.arange(1.0, 1 + size[0] * size[1]).reshape(size)


def _write(flags, e: Explanation, name: str) -> None:
    """Write the explanation in the format that the flags, or the file's name, give."""
    kind = (
        flags.format or _format_of(flags.out) or ("gif" if flags.animation else "text")
    )
    if kind == "text" and not flags.out:
        sys.stdout.write(text.render(e))
        return
    path = Path(flags.out or f"{name}.{kind}")
    if kind == "gif":
        raster.save_gif(path, drawing.frames(e))
    elif kind == "png":
        drawings, columns = _chosen(flags, e)
        raster.sheet(drawings, columns).save(path, "PNG")
    else:
        path.write_text(_document(kind, flags, e), encoding="utf-8")
    print(path)


def _format_of(out: str | None) -> str | None:
    """The format that a file's name asks for."""
    suffix = Path(out or "").suffix.lstrip(".")
    return suffix if suffix in FORMATS else None


def _document(kind: str, flags, e: Explanation) -> str:
    if kind == "text":
        return text.render(e)
    if kind == "html":
        return page.render(e)
    return svg.sheet(*_chosen(flags, e))


def _chosen(flags, e: Explanation) -> tuple[list[drawing.Drawing], int]:
    """All steps, as many in a row as the output has columns; or the one asked for."""
    if flags.frame is None:
        return drawing.frames(e), e.output.shape[1]
    if not 0 <= flags.frame < e.output.size:
        raise ValueError(
            f"--frame: got {flags.frame}, expected 0 to {e.output.size - 1}"
        )
    return [drawing.draw(e, *divmod(flags.frame, e.output.shape[1]))], 1
