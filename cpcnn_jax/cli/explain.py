"""`cpcnn_jax explain`: one layer, given by parameters or by trained weights."""

import argparse
import functools
import re
import sys
from pathlib import Path

import numpy as np

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.explain import captions, drawing, page, raster, svg, text, trained_kernel
from cpcnn_jax.explain.animations import ANIMATIONS
from cpcnn_jax.explain.explanation import Explanation, explain, make_ramp
from cpcnn_jax.explain.shapes import Drawing
from cpcnn_jax.io import atomic_write
from cpcnn_jax.layers.arithmetic import Layer, Padding
from cpcnn_jax.weights import serialization

FORMATS = ("text", "svg", "png", "gif", "html")


def main(argv: list[str]) -> int:
    """Runs the command and returns its exit status; --help describes the flags."""
    parser = make_parser()
    flags = parser.parse_args(argv)
    try:
        _write_output(flags, _explain_flags(flags))
    except (ValueError, OSError) as error:
        parser.error(" ".join(str(error).split()))
    return 0


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax explain",
        description="Explain one layer, given by its parameters or by trained weights, "
        "as text, drawings, an animation or a page.",
        epilog=captions.CREDIT,
    )
    add = parser.add_argument
    add_pair = functools.partial(add, type=_parse_pair)
    each = "one number, or ROWSxCOLUMNS"
    add_pair("--input", default=(3, 3), help=f"input size, {each} (3x3)")
    add_pair("--kernel", help=f"kernel size, {each} (3)")
    add_pair("--stride", default=(2, 2), help=f"{each} (2)")
    add(
        "--padding",
        type=_parse_paddings,
        default=(1, 1),
        help=f"p of the direct convolution, {each}; LOW:HIGH for unequal sides (1)",
    )
    a = ("--output-padding", "--output_padding")
    add_pair(*a, default=(0, 0), help=f"a, {each} (0)")
    add_pair("--dilation", default=(1, 1), help=f"{each} (1)")
    add(
        "--animation",
        metavar="NAME",
        help=f"use an animation of the guide instead: {', '.join(ANIMATIONS)}",
    )
    add(
        "--weights",
        metavar="PATH",
        help="read the kernel from a .safetensors file or from a workdir with "
        "weights.safetensors",
    )
    add("--layer", metavar="NAME", help="layer name such as fcnn/t1")
    add_pair(
        "--channels",
        metavar="INxOUT",
        help="channel pair of the kernel (default: the mean over all pairs)",
    )
    add(
        "--image",
        metavar="FILE",
        help="image whose gray levels are the input; the page also shows the released "
        "network's layer on it",
    )
    add(
        "--dimensions",
        type=int,
        choices=(1, 2),
        default=2,
        help="1: the parameters are those of a single row (2)",
    )
    add("--format", choices=FORMATS, help="(text)")
    add(
        "--frame",
        type=_parse_frame,
        metavar="N",
        help="step that svg and png draw, from 0, or all for one sheet of all steps "
        "(default: a step with many products)",
    )
    add("--out", metavar="FILE", help="output file (default for text: the terminal)")
    return parser


def _parse_pair(value: str) -> tuple[int, int]:
    """Parses 3 or 3x4 to (rows, columns)."""
    if not re.fullmatch(r"\d+(x\d+)?", value):
        raise argparse.ArgumentTypeError(
            f"got {value!r}, expected a number as 3, or rows and columns as 3x4"
        )
    numbers = [int(n) for n in value.split("x")]
    return numbers[0], numbers[-1]


def _parse_frame(value: str) -> int | str:
    """Parses the number of a step, or all."""
    if not re.fullmatch(r"\d+|all", value):
        raise argparse.ArgumentTypeError(f"got {value!r}, expected a number or all")
    return value if value == "all" else int(value)


def _parse_paddings(value: str) -> tuple[Padding, Padding]:
    """Parses 1, 1x2 or, for each axis, LOW:HIGH."""
    if not re.fullmatch(r"\d+(:\d+)?(x\d+(:\d+)?)?", value):
        raise argparse.ArgumentTypeError(
            f"got {value!r}, expected a number as 1, rows and columns as 1x0, or "
            "unequal sides as 1:2"
        )
    sides = [[int(n) for n in axis.split(":")] for axis in value.split("x")]
    axes = [(side[0], side[1]) if len(side) == 2 else side[0] for side in sides]
    return axes[0], axes[-1]


def _explain_flags(flags: argparse.Namespace) -> Explanation:
    if flags.animation is not None:
        return _explain_animation(flags.animation)
    _drop_rows(flags)
    kernel = _read_kernel(flags)
    pairs = (flags.stride, flags.padding, flags.output_padding, flags.dilation)
    rows, columns = (
        Layer(*numbers, transposed=True)
        for numbers in zip(kernel.shape, *pairs, strict=True)
    )
    if flags.image:
        x = trained_kernel.read_gray_levels(flags.image, flags.input)
    else:
        x = make_ramp(flags.input)
    return explain(x, kernel, (rows, columns))


def _drop_rows(flags: argparse.Namespace) -> None:
    """Gives the rows of one dimension the parameters that leave them as they are."""
    if flags.dimensions == 2:
        return
    if flags.weights or flags.image:
        raise ValueError("--dimensions 1 cannot be combined with --weights or --image")
    flags.kernel = flags.kernel or (3, 3)
    ones, zeros = (
        ("input", "kernel", "stride", "dilation"),
        ("padding", "output_padding"),
    )
    for names, value in ((ones, 1), (zeros, 0)):
        for name in names:
            setattr(flags, name, (value, getattr(flags, name)[1]))


def _explain_animation(name: str) -> Explanation:
    if name not in ANIMATIONS:
        raise ValueError(
            f"--animation: got {name!r}, expected one of {', '.join(ANIMATIONS)}"
        )
    i, layer = ANIMATIONS[name]
    return explain(make_ramp((i, i)), make_ramp((layer.k, layer.k)), (layer, layer))


def _read_kernel(flags: argparse.Namespace) -> np.ndarray:
    """Returns the trained kernel, or a ramp of the given size."""
    if not flags.weights:
        if flags.layer or flags.channels:
            raise ValueError("--layer and --channels need --weights")
        return make_ramp(flags.kernel or (3, 3))
    if flags.kernel:
        raise ValueError("--kernel cannot be combined with --weights")
    return trained_kernel.read_kernel(flags.weights, flags.layer, flags.channels)


def _write_output(flags: argparse.Namespace, e: Explanation) -> None:
    suffix = Path(flags.out or "").suffix.lstrip(".")
    kind = flags.format or (suffix if suffix in FORMATS else None)
    kind = kind or ("gif" if flags.animation else "text")
    if kind == "text" and not flags.out:
        sys.stdout.write(text.render_text(e))
        return
    path = Path(flags.out or f"{flags.animation or 'explain'}.{kind}")
    if flags.weights:
        files = [flags.weights, serialization.weights_file(flags.weights)]
        atomic_write.check_not_input(path, files)
    with atomic_write.open_atomic(path) as file:
        if kind == "gif":
            raster.save_gif(file, drawing.draw_frames(e))
        elif kind == "png":
            raster.paint_sheet(*_draw_selected(flags.frame, e)).save(file, "PNG")
        else:
            file.write(_render_document(kind, flags, e).encode())
    print(path)


def _render_document(kind: str, flags: argparse.Namespace, e: Explanation) -> str:
    if kind == "text":
        return text.render_text(e)
    if kind == "svg":
        return svg.render_sheet(*_draw_selected(flags.frame, e))
    if not flags.image:
        return page.render_page(e)
    from cpcnn_jax.cli import explain_released_layer  # imports the networks

    return page.render_page(e, explain_released_layer.compute_pictures(flags.image))


def _draw_selected(
    frame: int | str | None, e: Explanation
) -> tuple[list[Drawing], int]:
    """Draws all steps or one; returns the drawings and the number per row."""
    columns = e.output.shape[1]
    if frame is None:
        return [drawing.draw_frame(e, *drawing.find_typical_step(e))], 1
    if isinstance(frame, str):
        return drawing.draw_frames(e), columns
    if not 0 <= frame < e.output.size:
        raise ValueError(f"--frame: got {frame}, expected 0 to {e.output.size - 1}")
    return [drawing.draw_frame(e, *divmod(frame, columns))], 1
