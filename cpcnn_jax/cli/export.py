"""`cpcnn_jax export`: trained networks as StableHLO or ONNX."""

import hashlib
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from tqdm import tqdm

from cpcnn_jax import config, data
from cpcnn_jax.cli.out_flag import check_out
from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.export import parity
from cpcnn_jax.inference import compilation_cache, counter, input_files
from cpcnn_jax.io import atomic_write, folder_listing
from cpcnn_jax.models.custom_network import CustomNetwork
from cpcnn_jax.weights import pretrained, serialization

MODULES = {"stablehlo": "stablehlo", "onnx": "onnx_model"}  # in cpcnn_jax.export
NEEDS = {"stablehlo": ("flatbuffers",), "onnx": ("onnx", "onnxruntime")}
SIDE = 1024  # pixels; files compute an image at once, so larger ones are reduced
SYNTHETIC = config.SyntheticCrowd(num_test=3, height=301, width=403)


def main(argv: Sequence[str]) -> int:
    """Writes the file if its counts of some images equal the networks'.

    Args:
      argv: see --help.

    Returns:
      The exit status: 0 when the file was written, 1 otherwise. An existing file stays
      unchanged in that case.
    """
    args = make_parser().parse_args(argv)
    compilation_cache.enable()
    try:
        print(_export(args))
    except (ValueError, OSError) as error:
        print(f"export: {error}", file=sys.stderr)
        return 1
    return 0


def _export(args):
    """Exports, compares and writes; returns a sentence for the terminal."""
    _check_args(args)
    images = _list_images(args.images)
    networks = counter.load(args.weights)
    is_baseline = isinstance(networks, counter.BaselineCounter)
    if is_baseline or isinstance(networks.model, CustomNetwork):
        raise ValueError(
            f"{args.weights} holds another network: only cpcnn and shared_backbone are "
            "exported"
        )
    exporter = importlib.import_module(f"cpcnn_jax.export.{MODULES[args.format]}")
    weights = jax.device_get(networks.weights)
    content = exporter.export_model(networks.model, weights, blocks=networks.blocks)
    run = exporter.make_runner(content)
    differences = [
        parity.compare(networks, run, name, image, max_size=args.max_size)
        for name, image in tqdm(images, desc="compare", delay=2, disable=None)
    ]
    if args.report:
        about = {
            "file": args.out,
            "format": args.format,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "weights": args.weights,
        }
        report = json.dumps(parity.make_report(differences, **about), indent=2)
        atomic_write.write_atomic(args.report, f"{report}\n".encode())
    atomic_write.write_atomic(args.out, content)
    return f"{args.out} ({len(content) / 1e6:.1f} MB): {parity.summarize(differences)}"


def _check_args(args):
    for package in NEEDS[args.format]:
        if importlib.util.find_spec(package) is None:
            raise ValueError(
                f"--format={args.format} needs {package}: "
                "pip install 'cpcnn_jax[export]'"
            )
    for flag, file in {"--out": args.out, "--report": args.report}.items():
        if file:
            check_out(flag, file)
    if args.report and Path(args.report).resolve() == Path(args.out).resolve():
        raise ValueError(f"--out and --report are both {args.out}: name two files")
    for file in filter(None, (args.out, args.report)):
        weights = [args.weights, serialization.weights_file(args.weights)]
        atomic_write.check_not_input(file, [*weights, *args.images])
    if args.max_size < PATCH:
        raise ValueError(f"--max-size: expected at least {PATCH}, got {args.max_size}")


def _list_images(paths: Sequence[str]) -> list[tuple[str, Any]]:
    """Lists (name, image) of the paths, or of synthetic crowds without paths."""
    if paths:
        listings = [input_files.find_files(path) for path in paths]
        for path, listing in zip(paths, listings, strict=True):
            for folder, reason in listing.refused.items():
                raise ValueError(f"{folder} cannot be read: {reason}")
            if listing.left_out:
                others = folder_listing.describe(listing.left_out)
                print(f"export: {path}: left out: {others}", file=sys.stderr)
        return [(file, file) for listing in listings for file in listing.files]
    dataset = data.open_dataset(SYNTHETIC, "test")
    records = [dataset[i] for i in range(len(dataset))]
    return [(record["name"], record["image"]) for record in records]


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax export",
        description="Write trained networks as one file. It takes an image [1, H, W, "
        "3], float32 RGB in [0, 1], both sides at least the LCE's input size (64 "
        "pixels, more for some weights), and computes its density [1, H, W, 1] in "
        "people per pixel. First the file counts some images; it is written only if "
        "its densities equal the networks'. It computes an image at once, not in "
        "tiles.",
        epilog="StableHLO: jax.export.deserialize(data).call(image), with jax alone. "
        "ONNX: onnxruntime, and onnxruntime-web in a browser; see docs/export.md.",
    )
    add = parser.add_argument
    add(
        "images",
        nargs="*",
        metavar="PATH",
        help="images to compare on: an image, a folder or a quoted pattern (default: "
        f"{SYNTHETIC.num_test} synthetic crowds)",
    )
    add(
        "--weights",
        metavar="WEIGHTS",
        default=pretrained.DEFAULT,
        help=f"{pretrained.HELP} (default: %(default)s)",
    )
    add("--format", required=True, choices=list(NEEDS), help="%(choices)s")
    add("--out", required=True, metavar="FILE", help="the file to write")
    add("--report", metavar="FILE.json", help="write each image's differences")
    add(
        "--max-size",
        type=int,
        default=SIDE,
        metavar="N",
        help="reduce larger images to N pixels before the comparison (default: "
        "%(default)s)",
    )
    return parser
