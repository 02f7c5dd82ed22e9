"""python -m cpcnn_jax export: trained networks for programs that know nothing of us."""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path

import jax
from tqdm import tqdm

from cpcnn_jax import config, data
from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.export import parity
from cpcnn_jax.inference import compilation_cache, counter, input_files
from cpcnn_jax.io import atomic_write
from cpcnn_jax.weights import pretrained

NEEDS = {"stablehlo": ("flatbuffers",), "onnx": ("onnx", "onnxruntime")}
SIDE = 1024  # pixels: longer photographs are shrunk, since files compute them at once
# Sides that are no multiples of anything.
GENERATED = config.SyntheticCrowd(num_test=3, height=301, width=403)


def main(argv):
    """Write a file, after it has counted some photographs as the networks do.

    Args:
      argv: see --help.

    Returns:
      The exit status: 0 when the file was written, 1 if not; what was in its place
      is there still.
    """
    args = _parser().parse_args(argv)
    compilation_cache.enable()
    try:
        print(_export(args))
    except (ValueError, OSError) as error:
        print(f"export: {error}", file=sys.stderr)
        return 1
    return 0


def _export(args):
    """Do it; a sentence about it."""
    _check(args)
    images = _images(args.photographs)
    ready = counter.load(args.weights)
    if isinstance(ready, counter.Baseline):
        raise ValueError(
            f"{args.weights} holds no CP-CNN, and nothing else is exported"
        )
    exporter, weights = _exporter(args.format), jax.device_get(ready.weights)
    made = exporter.whole(ready.model, weights, blocks=ready.blocks)
    run = exporter.runner(made)
    found = [
        parity.compare(ready, run, name, image, max_size=args.max_size)
        for name, image in tqdm(images, desc="compare", delay=2, disable=None)
    ]
    if args.report:
        about = {
            "file": args.out,
            "format": args.format,
            "bytes": len(made),
            "sha256": hashlib.sha256(made).hexdigest(),
            "weights": args.weights,
        }
        report = parity.report(found, **about)
        atomic_write.write_atomic(
            args.report, (json.dumps(report, indent=2) + "\n").encode()
        )
    atomic_write.write_atomic(args.out, made)
    return f"{args.out} ({len(made) / 1e6:.1f} MB): {parity.sentence(found)}"


def _exporter(format):
    """The module that knows a format; it imports what others need not have."""
    if format == "onnx":
        from cpcnn_jax.export import onnx_model as exporter
    else:
        from cpcnn_jax.export import stablehlo as exporter
    return exporter


def _check(args):
    """Whatever can be wrong before anything is computed."""
    for package in NEEDS[args.format]:
        if importlib.util.find_spec(package) is None:
            raise ValueError(
                f"--format={args.format} needs {package}: "
                "pip install 'cpcnn_jax[export]'"
            )
    for flag, file in {"--out": args.out, "--report": args.report}.items():
        if file and not Path(file).parent.is_dir():
            raise ValueError(f"{flag}={file}: there is no folder {Path(file).parent}")
        if file and Path(file).is_dir():
            raise ValueError(f"{flag}={file} is a folder: name a file in it")
    if args.report and Path(args.report).resolve() == Path(args.out).resolve():
        raise ValueError(f"--out and --report are both {args.out}: name two files")
    if args.max_size < PATCH:
        raise ValueError(f"--max-size: expected at least {PATCH}, got {args.max_size}")


def _images(words):
    """(name, image) of the photographs named, or of generated ones."""
    if words:
        return [(file, file) for word in words for file in input_files.find_files(word)]
    source = data.open_dataset(GENERATED, "test")
    return [(record["name"], record["image"]) for record in source]


def _parser():
    parser = Parser(
        prog="python -m cpcnn_jax export",
        description="Write trained networks as one file that takes an image [1, H, W, "
        "3], float32 RGB in [0, 1], of any height and width from what the LCE looks at "
        "(64 pixels, of some weights more), and gives its density [1, H, W, 1] in "
        "people per pixel, context and all. First the file counts some photographs; "
        "unless it does so as the networks do, nothing is written. It computes an "
        "image at once, not in tiles.",
        epilog="StableHLO: jax.export.deserialize(data).call(image), with jax alone. "
        "ONNX: onnxruntime, and onnxruntime-web in a browser; see docs/export.md.",
    )
    add = parser.add_argument
    add(
        "photographs",
        nargs="*",
        metavar="PHOTOGRAPH",
        help="to compare on: a photograph, a folder or a pattern in quotes (default: "
        f"{GENERATED.num_test} generated crowds)",
    )
    add(
        "--weights",
        required=True,
        metavar="WEIGHTS",
        help=pretrained.ANY,
    )
    add("--format", required=True, choices=NEEDS, help="%(choices)s")
    add("--out", required=True, metavar="FILE", help="the file to write")
    add("--report", metavar="FILE.json", help="write each photograph's differences")
    add(
        "--max-size",
        type=int,
        default=SIDE,
        metavar="N",
        help="shrink longer photographs to N pixels before they are compared (default: "
        "%(default)s)",
    )
    return parser
